"""The configurations of MCP clients: how each one is told of the endpoint, or of the bridge; pure but for ``program``.

The law: no secret stands in a configuration. Each client has a way of its own to name one that is kept elsewhere.
Sources: the MCP pages of each client's documentation, as of November 2026.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from ..messages import Json

NAME = "jupyter"
VARIABLE = "JUPYTER_TOKEN"
INPUT: Json = {"type": "promptString", "id": "jupyter-token", "description": "Token of Jupyter", "password": True}
HERE = ("localhost", "127.0.0.1", "::1")
PROGRAM = "jupyter-assistant"
EXPORT = f"{VARIABLE} holds the server's token (`jupyter server list` shows it); set it before the client starts"
NO_TOKEN = (
    "This server has no token yet, and lets no client in without: start it with one "
    "(`jupyter lab --IdentityProvider.token=…`); the password stays."
)
NO_LOGIN = "This server lets everybody in: any token will do."
OTHER_TOKEN = "The token is one that the hub, or who else you log in with here, gives you."
FINDS = "Finds the running server and its token by itself."


@dataclass(frozen=True)
class Configuration:
    """What goes into a client's file, and a line that says where."""

    form: str
    text: str
    note: str


@dataclass(frozen=True)
class Client:
    """Where a client has its configuration, and how it names a secret."""

    title: str
    file: str
    secret: str
    kept: str = EXPORT


CLIENTS = {
    "claude": Client("Claude Code", ".mcp.json in the project, or `claude mcp add`", "${JUPYTER_TOKEN}"),
    "cursor": Client("Cursor", ".cursor/mcp.json in the project, or ~/.cursor/mcp.json", "${env:JUPYTER_TOKEN}"),
    "vscode": Client(
        "VS Code", ".vscode/mcp.json in the workspace", "${input:jupyter-token}", "VS Code asks for the token once"
    ),
    "codex": Client("Codex", "~/.codex/config.toml", ""),
}


def configurations(client: str, *, program: str, server: str, given: bool) -> list[Configuration]:
    """Both forms, the bridge's first. ``server`` is the endpoint; ``given`` says that the user named the server."""
    about = CLIENTS[client]
    base = server.removesuffix("assistant/mcp")
    arguments = ["mcp", "--url", base] if given else ["mcp"]
    make = _codex if client == "codex" else _json
    return [
        Configuration(
            "stdio",
            make(client, _stdio(about, program, arguments, given)),
            f"{about.title}: into {about.file}. "
            + (f"Starts a bridge to that server; {about.kept}." if given else FINDS),
        ),
        Configuration(
            "http",
            make(client, _http(about, server)),
            f"{about.title}: into {about.file}. No bridge; {about.kept}.",
        ),
    ]


def offered(server: str, remark: str = "") -> Json:
    """The clients by name, each with its configurations, the one to try first before the other.

    A client that is not on this machine starts a program of its own and has to be told of the server. ``remark`` is
    what there is to say of this server's token.
    """
    here = urlsplit(server).hostname in HERE
    command = program() if here else PROGRAM
    listed = []
    for name, about in CLIENTS.items():
        forms = configurations(name, program=command, server=server, given=not here)
        ordered = [replace(form, note=f"{form.note} {remark}".strip()) for form in (forms if here else forms[::-1])]
        listed.append({"name": name, "title": about.title, "forms": [asdict(form) for form in ordered]})
    return {"clients": listed}


def _stdio(about: Client, program: str, arguments: list[str], given: bool) -> Json:
    entry: Json = {"command": program, "args": arguments}
    return {**entry, "env": {VARIABLE: about.secret}} if given else entry


def _http(about: Client, server: str) -> Json:
    return {"url": server, "headers": {"Authorization": f"Bearer {about.secret}"}}


def _json(client: str, entry: Json) -> str:
    typed = {"type": "http" if "url" in entry else "stdio", **entry} if client != "cursor" else entry
    whole: Json = {"servers" if client == "vscode" else "mcpServers": {NAME: typed}}
    if client == "vscode" and "jupyter-token" in json.dumps(entry):
        whole = {"inputs": [INPUT], **whole}
    return json.dumps(whole, indent=2)


def _codex(_: str, entry: Json) -> str:
    lines = [f"[mcp_servers.{NAME}]"]
    if "url" in entry:
        lines += [f"url = {json.dumps(entry['url'])}", f'bearer_token_env_var = "{VARIABLE}"']
    else:
        lines += [f"command = {json.dumps(entry['command'])}", f"args = {json.dumps(entry['args'])}"]
        lines += [f'env_vars = ["{VARIABLE}"]'] if "env" in entry else []
    return "\n".join(lines)


def program() -> str:
    """The command as a client can start it that does not know this environment."""
    name = PROGRAM + (".exe" if os.name == "nt" else "")
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.argv[0]).parent):
        if (folder / name).is_file():
            return str((folder / name).absolute())
    return PROGRAM
