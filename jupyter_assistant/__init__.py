"""An AI assistant in your own Jupyter server: entry points only.

In a notebook or in IPython: ``%load_ext jupyter_assistant``, then ``%ask help``. In every session from now on:
``c.InteractiveShellApp.extensions.append("jupyter_assistant")`` in ``ipython_config.py``. From Python code:
``from jupyter_assistant import ask, stream``.

The law: nothing heavy is imported here, since a ``%load_ext`` runs it in every kernel.
"""

from __future__ import annotations

from typing import Any

from ._version import __version__

__all__ = ["ChatPanel", "__version__", "ask", "stream"]


def __getattr__(name: str) -> Any:
    """What is imported on first use (PEP 562)."""
    if name in ("ask", "stream"):
        from .kernel import api

        return getattr(api, name)
    if name == "ChatPanel":
        from .kernel.panel import ChatPanel

        return ChatPanel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext jupyter_assistant``: register ``%ask``."""
    from .kernel.magic import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext jupyter_assistant``: undo all of it."""
    from .kernel.magic import unload

    unload(ipython)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server where the extension is."""
    from .extension import AssistantExtension

    return [{"module": "jupyter_assistant.extension", "app": AssistantExtension}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the prebuilt front-end is."""
    return [{"src": "labextension", "dest": "jupyter-assistant"}]
