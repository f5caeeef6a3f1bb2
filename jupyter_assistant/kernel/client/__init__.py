"""Finding the running Jupyter server that a folder belongs to, and how to ask it.

The law: a token is taken from Jupyter's own runtime files, the environment or a pasted address, and goes into one
request header; it is never printed, and never into an address. Nothing is asked over the network to find a server.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ...errors import InvalidInput, ServerNotFound

TOKEN_VARIABLE = "JUPYTER_TOKEN"
KERNEL_HEADER = "X-Jupyter-Assistant-Kernel"
ANY_ADDRESS = ("", "*", "0.0.0.0", "::")
PAGES = ("lab", "tree", "notebooks", "doc", "retro")
"""What the address of a page has after the server's base URL."""

START = "Start one in this folder (jupyter lab), or name a running one with --url."
XSRF = "0" * 32
"""Any value will do: that cookie and header agree is the proof, and only a page in a browser could not set both."""


@dataclass(frozen=True)
class Server:
    """A running server. ``url`` ends with a slash; ``root`` is empty where it is not known."""

    url: str
    token: str = field(default="", repr=False)
    root: str = ""
    sock: str = ""
    pid: int = 0
    started: float = 0.0
    secret: str = field(default="", repr=False)
    """What lets this server's own kernels in where there is no token."""

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, by its address."""
        return bool(self.sock) or is_loopback(urlsplit(self.url).hostname or "")

    @property
    def headers(self) -> dict[str, str]:
        """What lets a request in: the token, a kernel's own secret, or, for a server without any, what its XSRF check
        wants.
        """
        if self.token:
            return {"Authorization": f"token {self.token}"}
        if self.secret:
            return {KERNEL_HEADER: self.secret}
        return {"X-XSRFToken": XSRF, "Cookie": f"_xsrf={XSRF}"}


def find(folder: Path, *, url: str = "", token: str = "") -> Server:
    """The server to ask from ``folder``: the one at ``url``, else the running one that is nearest.

    Raises ServerNotFound saying what to do, InvalidInput for an address that is none.
    """
    if url:
        return at(url, token=token)
    found = nearest(running(), folder)
    return replace(found, token=token) if token and not found.token else found


def at(url: str, *, token: str = "") -> Server:
    """The server at an address as a browser shows it, or as MCP clients have it.

    The token is the one given, else that in the address, else a running server's own.
    """
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        host = parts.hostname
        assert parts.port != 0
    except (ValueError, AssertionError):
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        raise InvalidInput("--url", "not the address of a server.", "Give it as http://localhost:8888/.")
    plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{base_of(parts.path)}"
    token = token or "".join(parse_qs(parts.query).get("token", [])[:1])
    known = next((server for server in running() if is_same(server.url, plain)), None)
    return Server(plain, token or (known.token if known else ""), known.root if known else "")


def is_same(one: str, other: str) -> bool:
    """Whether two addresses are the same server's: a browser shows this machine by any of its names."""
    left, right = urlsplit(one), urlsplit(other)
    if (left.scheme, left.port, unquote(left.path)) != (right.scheme, right.port, unquote(right.path)):
        return False
    return left.hostname == right.hostname or (is_loopback(left.hostname or "") and is_loopback(right.hostname or ""))


def base_of(path: str) -> str:
    """The base URL in the path of a page: ``/user/ann/lab/tree/a.ipynb`` -> ``/user/ann/``."""
    path = path.removesuffix("/").removesuffix("/assistant/mcp")
    parts = path.split("/")
    kept = next((parts[:index] for index, part in enumerate(parts) if part in PAGES), parts)
    return "/".join(kept).rstrip("/") + "/"


def nearest(servers: list[Server], folder: Path) -> Server:
    """The server with the deepest root that holds ``folder``, the newest of several; else the only one there is."""
    holding = [server for server in servers if server.root and holds(server.root, folder)]
    if holding:
        return max(holding, key=lambda server: (len(real(server.root)), server.started))
    if len(servers) == 1:
        return servers[0]
    if not servers:
        raise ServerNotFound("No Jupyter server is running.", START)
    listed = ", ".join(sorted(server.url for server in servers))
    raise ServerNotFound(
        f"{len(servers)} Jupyter servers are running, and none has this folder below its root: {listed}.",
        "Name one with --url, or start from a folder below its root.",
    )


def holds(root: str, folder: Path) -> bool:
    """Whether ``folder`` is ``root`` or below it, links resolved."""
    return Path(real(str(folder))).is_relative_to(real(root))


def real(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))


def running() -> list[Server]:
    """The servers of this user whose process lives, by their runtime files."""
    from jupyter_core.paths import jupyter_runtime_dir

    found = [read(path) for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json")]
    return [server for server in found if server is not None and is_alive(server.pid)]


def read(path: Path) -> Server | None:
    """The server a runtime file tells of; None for one that is being written, or is none."""
    try:
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return Server(
            url=address(told),
            token=str(told.get("token") or ""),
            root=str(told.get("root_dir") or ""),
            sock=str(told.get("sock") or ""),
            pid=int(told["pid"]),
            started=path.stat().st_mtime,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def address(told: dict[str, Any]) -> str:
    """How to reach it from here: one that listens on every address is asked on this machine's own."""
    base = str(told.get("base_url") or "/").strip("/")
    path = f"/{base}/" if base else "/"
    if told.get("sock"):
        return f"http://localhost{path}"
    host = str(told.get("hostname") or "")
    host = "127.0.0.1" if host in ANY_ADDRESS else f"[{host}]" if ":" in host else host
    return f"{'https' if told.get('secure') else 'http'}://{host}:{int(told['port'])}{path}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    try:
        return ip_address(unquote(host)).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_alive(pid: int) -> bool:
    """Whether a process of that number lives; on Windows, where asking would end it, its file is believed."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return pid > 0
