"""Where this kernel is: the Jupyter server that started it, and the notebook it belongs to.

The law: only this process's own environment and its server's runtime file are read, and that server alone is asked;
a program that no Jupyter server started has none, and nothing is looked for on its behalf.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..errors import AssistantError

if TYPE_CHECKING:
    from .client import Server

PARENT = "JPY_PARENT_PID"
SESSION = "JPY_SESSION_NAME"
SECRET = "JUPYTER_ASSISTANT_KERNEL_TOKEN"
"""What the server's extension gives the kernels it starts, so that they are let in where people log in by password."""

_CONNECTION = re.compile(r"kernel-(.+)\.json$")


def server(environ: Mapping[str, str] = os.environ) -> Server | None:
    """The server that started this kernel; None where there is none (plain IPython, nbconvert, VS Code)."""
    parent = environ.get(PARENT, "")
    if not parent.isdecimal():
        return None
    from jupyter_core.paths import jupyter_runtime_dir

    from .client import is_alive, read, running

    found = read(Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json")
    if found is None and sys.platform == "win32":  # there the variable holds a handle
        session = environ.get(SESSION, "")
        found = next((each for each in running() if each.root and _is_below(session, each.root)), None)
    return replace(found, secret=environ.get(SECRET, "")) if found is not None and is_alive(found.pid) else None


def path(server: Server | None, environ: Mapping[str, str] = os.environ) -> str:
    """The path of this kernel's notebook from the server's root; empty where it has none.

    The server is asked, since a notebook may have been renamed; where it does not say, the name at the start is taken.
    """
    if server is None:
        return ""
    named = _at_start(server, environ)
    told = _told(server)
    found = named if told is None else told
    return found if found and _is_there(server, found) else ""


def kernel_id() -> str:
    """The id the server knows this kernel by; empty outside of a kernel."""
    application = sys.modules.get("ipykernel.kernelapp")
    if application is None or not application.IPKernelApp.initialized():
        return ""
    found = _CONNECTION.search(str(application.IPKernelApp.instance().connection_file))
    return found[1] if found else ""


def _told(server: Server) -> str | None:
    """What the server's sessions say: the notebook's path, empty when the kernel is no notebook's; None: nothing."""
    wanted = kernel_id()
    if not wanted:
        return None
    sessions = _asked(server, "api/sessions")
    if not isinstance(sessions, list):  # by password: a kernel is let into our routes alone
        health = _asked(server, f"assistant/health?kernel={quote(wanted)}")
        return str(health["notebook"] or "") if isinstance(health, dict) and "notebook" in health else None
    for session in sessions:
        if (session.get("kernel") or {}).get("id") == wanted:
            return str(session["path"]) if session.get("type") == "notebook" else ""
    return None


def _asked(server: Server, path: str) -> Any:
    from .client.stream import Talk

    try:
        reply = Talk(server).send("GET", path)
        return reply.json() if reply.status == 200 else reply.close()
    except AssistantError:
        return None


def _at_start(server: Server, environ: Mapping[str, str]) -> str:
    """The notebook's name when the kernel was started, from the root."""
    name = environ.get(SESSION, "")
    if not name.endswith(".ipynb"):
        return ""
    if not os.path.isabs(name):
        return PurePosixPath(name).as_posix().lstrip("/")
    if not server.root or not _is_below(name, server.root):
        return ""
    return Path(os.path.relpath(os.path.realpath(name), os.path.realpath(server.root))).as_posix()


def _is_there(server: Server, path: str) -> bool:
    """Whether there is such a notebook: some front-ends name their sessions after none."""
    if server.root and (Path(server.root) / path).is_file():
        return True
    return _asked(server, f"api/contents/{quote(path)}?content=0&type=notebook") is not None


def _is_below(path: str, root: str) -> bool:
    return bool(path) and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
