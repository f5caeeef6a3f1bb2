"""A kernel's variables and documentation, read without getting in the way of what runs there.

The law: nobody waits for us. IPython's kernel is asked on its control channel, which answers beside a running cell and,
unlike a subshell, leaves the output of the user's threads where it belongs; another kernel is not asked while it is
busy. What is sent for Python is ``probe.py``; it leaves no trace in the user's namespace, history or counters, and
nobody is told that a running cell is over. Of other languages only what the protocol itself offers is asked.
"""

from __future__ import annotations

import functools
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import KernelBusy, KernelUnable, VariableNotFound
from .client import Client
from .wire import Json

TIMEOUT = 5.0
"""Seconds a kernel has to answer; one whose cell holds the interpreter lock may not be able to."""
MIME = "application/vnd.jupyter-assistant.variables+json"
MAX_DOCUMENTATION = 20_000
IPYTHON = "ipython"
"""The implementation whose control channel takes every request."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One name of the user's. ``shape`` of an array or table; ``size``: elements, of arrays bytes; None: has none."""

    name: str
    type: str
    shape: tuple[int, ...] | None
    size: int | None
    summary: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """A variable and ``text``, a closer look: head and schema, statistics, signature and docstring; in lines."""

    variable: Variable
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """The last list of variables, and when it was read (``time.monotonic``)."""

    variables: tuple[Variable, ...]
    at: float


class Variables:
    """What one kernel says about its names."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: Known | None = None

    async def list(self, pattern: str) -> tuple[Variable, ...]:
        """The user's variables that fit ``pattern``; raises ``KernelBusy``, ``KernelUnable``, ``KernelDead``."""
        try:
            found = await self._probe("variables", "*")
        except KernelBusy as error:
            raise self._last_known(error) from None
        self._known = Known(tuple(_variable(line) for line in found["variables"]), time.monotonic())
        return tuple(line for line in self._known.variables if _fits(line.name, pattern))

    async def inspect(self, name: str) -> Inspection:
        """A closer look at one variable; raises ``VariableNotFound`` and as ``list``."""
        found = await self._probe("inspect", name)
        line = found.get("found")
        if line is None:
            raise VariableNotFound(f"The kernel has no variable {name[:80]!r}.", _suggestion(name, found["names"]))
        return Inspection(_variable(line), str(line["text"]))

    async def documentation(self, name: str) -> str:
        """What the kernel itself says about a name, in any language; raises ``VariableNotFound`` and as ``list``."""
        content: Json = {"code": name, "cursor_pos": len(name), "detail_level": 0}
        reply = await self._client.ask("inspect_request", content, timeout=TIMEOUT, channel=await self._channel())
        data = reply.get("data")
        text = data.get("text/plain") if isinstance(data, dict) and reply.get("found") else None
        if not isinstance(text, str) or not text:
            raise VariableNotFound(f"The kernel says nothing about {name[:80]!r}.")
        return text[:MAX_DOCUMENTATION]

    async def _probe(self, what: str, argument: str) -> Json:
        language = await self._language()
        if language != "python":
            raise KernelUnable(
                f"Variables of a {language} kernel cannot be listed.",
                f"Run {language} code that prints them, or ask for the documentation of a name.",
            )
        channel = await self._channel()
        content = (_beside if channel == "control" else _alone)(what, argument)
        # The kernel has one flag for all its threads: a cell of the user's that asks for input must be able to go on.
        content |= {"allow_stdin": channel == "control" and self._client.works_for_others}
        reply = await self._client.ask("execute_request", content, timeout=TIMEOUT, channel=channel)
        return _content(reply)

    async def _language(self) -> str:
        told = await self._client.told(TIMEOUT)
        return str((told.get("language_info") or {}).get("name") or "this language")

    async def _channel(self) -> str:
        """Where it can be asked now; raises ``KernelBusy``."""
        if (await self._client.told(TIMEOUT)).get("implementation") == IPYTHON:
            return "control"
        if self._client.is_busy:
            raise KernelBusy("The kernel is at a cell and cannot be asked meanwhile.")
        return "shell"

    def _last_known(self, error: KernelBusy) -> KernelBusy:
        if self._known is None:
            return error
        age = time.monotonic() - self._known.at
        lines = ", ".join(f"{line.name} ({line.type})" for line in self._known.variables[:50])
        return KernelBusy(f"{error.text} {age:.0f} s ago it had: {lines or 'no variables'}.", error.hint)


# ---------------------------------------------------------------- what is sent and what comes back


@functools.cache
def _source() -> str:
    return Path(__file__).with_name("probe.py").read_text("utf-8")


def _alone(what: str, argument: str) -> Json:
    """A request to the main shell of an idle kernel: no code, one expression."""
    call = f"scope['replied']({what!r}, {argument!r})"
    expression = f"(lambda scope: __import__('builtins').exec({_source()!r}, scope) or {call})({_SCOPE})"
    return _request("", expression)


def _beside(what: str, argument: str) -> Json:
    """A request beside the main shell: its code is always the same, so that IPython keeps but one copy of it."""
    code = f"__import__('builtins').exec({_source() + _QUIET!r}, {_SCOPE})"
    return _request(code, f"{_CALLBACKS}.give({what!r}, {argument!r})")


_SCOPE = "{'__name__': 'jupyter_assistant_probe'}"
_QUIET = "\nkeep_quiet()\n"
_CALLBACKS = "__import__('sys').modules['IPython'].get_ipython().events.callbacks['post_execute']"


def _request(code: str, expression: str) -> Json:
    flags: Json = {"silent": True, "store_history": False, "stop_on_error": False}
    return {"code": code, "user_expressions": {"answer": expression}, **flags}


def _content(reply: Json) -> Json:
    answered = (reply.get("user_expressions") or {}).get("answer") or {}
    content = (answered.get("data") or {}).get(MIME)
    if isinstance(content, str):
        content = json.loads(content)
    if not isinstance(content, dict) or "error" in content:
        raise KernelUnable("The kernel's variables could not be read.", "Run code that prints what is wanted.")
    return content


def _variable(line: Any) -> Variable:
    shape = line["shape"]
    return Variable(
        str(line["name"]),
        str(line["type"]),
        None if shape is None else tuple(int(length) for length in shape),
        None if line["size"] is None else int(line["size"]),
        str(line["summary"]),
    )


def _fits(name: str, pattern: str) -> bool:
    import fnmatch

    return fnmatch.fnmatchcase(name, pattern or "*")


def _suggestion(name: str, names: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, 3)
    return f"Did you mean {' or '.join(near)}?" if near else ""
