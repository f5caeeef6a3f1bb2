"""The command line: ``jupyter assistant …``.

The law: it starts fast and knows no room of the server; each command imports what it needs when it is called. What a
person should read goes to standard error where standard output is for a program.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .._version import __version__
from ..errors import AssistantError

CLIENTS = ("claude", "cursor", "vscode", "codex")
WAIT = 20.0
USUAL = "http://localhost:8888/assistant/mcp"

ABOUT = "Jupyter Assistant: an assistant that lives in your own Jupyter server."
MCP = """\
Connects an MCP client that starts a program (stdio) to the running Jupyter server: the one whose root folder holds the
working directory, else the only one that runs. Clients that speak HTTP need no bridge: they use the endpoint
<server>/assistant/mcp with the server's token. --print-config shows both."""
ASK = """\
Prints the answer to a question while it comes; all else goes to standard error. Asks the Jupyter server that runs for
the notebook, or for this folder, so that the conversation is in its sidebar too. Where none runs, the model of the
environment (JUPYTER_ASSISTANT_BASE_URL, ...) is asked from here, or the built-in responder.
Exit status: 0 answered, 1 failed, 2 wrong command line, 3 incomplete, 130 interrupted."""
DOCTOR = """\
Walks from here to an answer, layer by layer, with timings: the server, its loop, streams on their way (a proxy that
keeps them back), the page's origin, the gateway and its stream, a kernel. Names the first broken one and its remedy.
With --url give the address that the browser shows, so that what stands between is walked too."""
TOKEN = "the server's token; better set JUPYTER_TOKEN, since others on this machine can read a command line"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit status."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        if asked.command == "ask":
            return _ask(asked)
        if asked.command == "mcp":
            return _configuration(asked) if asked.print_config else _bridge(asked)
        if asked.command == "config":
            return _paths(asked)
        if asked.command == "doctor":
            return _doctor(asked)
    except AssistantError as error:
        print(f"jupyter assistant: {error.text} {error.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    parser.print_help()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jupyter assistant", description=ABOUT)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", title="commands", metavar="")
    ask = commands.add_parser("ask", help="ask a question, about a notebook or without one", description=ASK)
    ask.add_argument("question", help="the question; - reads it from standard input")
    ask.add_argument("notebook", nargs="?", default="", help="the notebook that it is about")
    ask.add_argument("--model", default="", help="the model to ask, as provider/model or as the endpoint names it")
    ask.add_argument("--conversation", default="", metavar="ID", help="go on with a conversation of the server")
    ask.add_argument("--json", action="store_true", help="print the answer's events, one JSON object a line")
    mcp = commands.add_parser("mcp", help="connect an MCP client to the running server", description=MCP)
    mcp.add_argument("--print-config", choices=CLIENTS, help="print the configuration for a client, and end")
    mcp.add_argument("--form", choices=("stdio", "http", "both"), default="both", help="which of its two forms (both)")
    mcp.add_argument("--wait", type=float, default=WAIT, metavar="S", help="seconds a restarting server is waited for")
    config = commands.add_parser("config", help="show where settings and data are, and which server is found")
    doctor = commands.add_parser("doctor", help="find the broken layer between you and an answer", description=DOCTOR)
    doctor.add_argument("--no-model", action="store_true", help="do not call the model (two small calls)")
    doctor.add_argument("--no-kernel", action="store_true", help="do not start a kernel")
    for command in (ask, mcp, config, doctor):
        command.add_argument("--url", default="", help="the server's address, if it is not to be looked for")
        command.add_argument("--token", default="", help=TOKEN)
    return parser


def _token(asked: argparse.Namespace) -> str:
    from ..kernel.client import TOKEN_VARIABLE

    return str(asked.token or os.environ.get(TOKEN_VARIABLE, ""))


def _bridge(asked: argparse.Namespace) -> int:
    from .serve import serve

    return serve(asked.url, _token(asked), wait=asked.wait)


def _configuration(asked: argparse.Namespace) -> int:
    from ..server.clients import configurations, program

    server = _where(asked)
    for each in configurations(asked.print_config, program=program(), server=server, given=bool(asked.url)):
        if asked.form in ("both", each.form):
            print(f"# {each.note}", file=sys.stderr, flush=True)
            print(each.text, flush=True)
    return 0


def _where(asked: argparse.Namespace) -> str:
    """The endpoint of the server that is found; without one, of the usual address."""
    from ..kernel.client import find

    try:
        return f"{find(Path.cwd(), url=asked.url).url}assistant/mcp"
    except AssistantError as error:
        if asked.url:
            raise
        print(f"# {error.text} The address below is the usual one: change it to yours.", file=sys.stderr)
        return USUAL


def _paths(asked: argparse.Namespace) -> int:
    from .paths import told

    print("\n".join(told(Path.cwd(), asked.url, _token(asked))))
    return 0


def _doctor(asked: argparse.Namespace) -> int:
    from .doctor import Plan, diagnose

    plan = Plan(model=not asked.no_model, kernel=not asked.no_kernel)
    return diagnose(Path.cwd(), asked.url, _token(asked), plan)


def _ask(asked: argparse.Namespace) -> int:
    from .ask import Wish, ask

    return ask(
        Wish(
            asked.question,
            asked.notebook,
            model=asked.model,
            conversation=asked.conversation,
            as_json=asked.json,
            url=asked.url,
            token=_token(asked),
        )
    )
