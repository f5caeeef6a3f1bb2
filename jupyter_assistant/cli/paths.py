"""``jupyter assistant config``: where things are.

The law: it reads nothing but names of files, and tells no secret.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import AssistantError
from ..kernel.client import find

KEYS = ("JUPYTER_ASSISTANT_BASE_URL", "JUPYTER_ASSISTANT_MODEL", "JUPYTER_ASSISTANT_API_KEY", "JUPYTER_TOKEN")


def told(folder: Path, url: str, token: str) -> list[str]:
    """One line for each thing: its name and where it is."""
    from jupyter_core.paths import jupyter_config_path, jupyter_data_dir, jupyter_runtime_dir

    lines = {
        "data": str(Path(jupyter_data_dir()) / "jupyter_assistant"),
        "configuration": os.pathsep.join(jupyter_config_path()),
        "running servers": jupyter_runtime_dir(),
        "environment": ", ".join(name for name in KEYS if os.environ.get(name)) or "none of ours is set",
        **_server(folder, url, token),
    }
    return [f"{name + ':':<17}{value}" for name, value in lines.items()]


def _server(folder: Path, url: str, token: str) -> dict[str, str]:
    try:
        server = find(folder, url=url, token=token)
    except AssistantError as error:
        return {"server": f"{error.text} {error.hint}"}
    return {"server": server.url, "root": server.root or "not known", "MCP endpoint": f"{server.url}assistant/mcp"}
