"""An AI assistant in your own Jupyter server: entry points only.

The law: nothing heavy is imported here, since a ``%load_ext`` runs it in every kernel.
"""

from __future__ import annotations

from typing import Any

from ._version import __version__

__all__ = ["__version__"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server where the extension is."""
    from .extension import AssistantExtension

    return [{"module": "jupyter_assistant.extension", "app": AssistantExtension}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the prebuilt front-end is."""
    return [{"src": "labextension", "dest": "jupyter-assistant"}]
