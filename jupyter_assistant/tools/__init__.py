"""The one list of tools: what the agent can do, an MCP client can do, with the same code and the same errors.

The law: a call ends in text and images, never in an exception; an error is one (``is_error``), says what to do next
and keeps what there was to show. What a tool needs it is given when it is made; nothing here is global.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from logging import Logger
from typing import Literal

from ..errors import AssistantError, StaleCell, ToolError
from ..messages import Json
from .arguments import ECHO_CHARS, Arguments, echo
from .text import encodable, fenced, within

Rights = Literal["read", "write", "execute"]
Redact = Callable[[str], tuple[str, int]]
"""A text without its secrets, and how many there were."""

MAX_TEXT = 100_000
"""Bytes of text in one result, whatever tool it is of; those of a notebook keep to much less (``text.BUDGET``)."""
STALE_ROOM = 15_000


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text of a result."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a result: its bytes, not their base64."""

    mime: str
    data: bytes


Content = Text | Image


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a call gave, to be shown in order."""

    content: tuple[Content, ...]
    is_error: bool = False

    @property
    def text(self) -> str:
        """All of its text."""
        return "\n".join(part.text for part in self.content if isinstance(part, Text))


ToolFunction = Callable[..., Awaitable["ToolOutput | str"]]


@dataclass(frozen=True)
class Tool:
    """One tool: a plain async function, whose name, docstring and hints are what a model sees.

    ``rights`` is what a call takes. ``core`` tools are always in a model's prompt, the others may wait to be asked for.
    ``destroys`` says that a call may take away what is there; ``repeats`` that doing it twice does no more than once.
    """

    function: ToolFunction
    rights: Rights
    title: str
    core: bool = False
    destroys: bool = False
    repeats: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__

    @cached_property
    def description(self) -> str:
        """The docstring, a line per paragraph."""
        text = inspect.cleandoc(self.function.__doc__ or "")
        return "\n".join(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))

    @cached_property
    def parameters(self) -> Json:
        """JSON Schema of the arguments."""
        return self.arguments.schema

    @cached_property
    def arguments(self) -> Arguments:
        return Arguments(self.name, self.function)

    @cached_property
    def annotations(self) -> Json:
        """MCP's hints on what a call does. What runs code may reach anything the notebook's user can."""
        if self.rights == "read":
            return {"title": self.title, "readOnlyHint": True, "openWorldHint": False}
        return {
            "title": self.title,
            "readOnlyHint": False,
            "destructiveHint": self.destroys,
            "idempotentHint": self.repeats,
            "openWorldHint": self.rights == "execute",
        }


class Registry:
    """Tools by name, in the order given. ``redact`` takes the secrets out of the text of every result."""

    def __init__(self, tools: Iterable[Tool], *, log: Logger, redact: Redact | None = None) -> None:
        self._tools: dict[str, Tool] = {}
        self._log = log
        self._redact = redact
        for tool in tools:
            if self._tools.setdefault(tool.name, tool) is not tool:
                raise ValueError(f"two tools are called {tool.name}")

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def get(self, name: str) -> Tool | None:
        """The tool of that name, if there is one."""
        return self._tools.get(name)

    async def call(self, name: str, arguments: object) -> ToolOutput:
        """What the tool gives for the arguments a model sent; cancelling the call cancels what it runs."""
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            output = await self._called(name, arguments)
            outcome = "failed" if output.is_error else "done"
            return output
        finally:
            known = name if name in self._tools else "unknown"
            self._log.info("Tool %s %s in %.3f s", known, outcome, time.perf_counter() - started)

    async def _called(self, name: str, arguments: object) -> ToolOutput:
        try:
            tool = self._tools.get(name)
            if tool is None:
                raise unknown(name, self._tools)
            found = await tool.function(**tool.arguments.checked(arguments))
        except AssistantError as error:
            return self._sendable(failed(error))
        except Exception:
            # A call's task ends here, and its failure becomes a result: the model can go on with the other tools.
            self._log.exception("Tool %s failed", name if name in self._tools else "unknown")
            return failed(ToolError("The tool failed for a reason of its own.", "The server's log has the details."))
        return self._sendable(ToolOutput((Text(found),)) if isinstance(found, str) else found)

    def _sendable(self, output: ToolOutput) -> ToolOutput:
        """Encodable, without secrets, within ``MAX_TEXT``."""
        content = tuple(
            Text(within(self._clean(part.text), MAX_TEXT)) if isinstance(part, Text) else part
            for part in output.content
        )
        return ToolOutput(content, output.is_error)

    def _clean(self, text: str) -> str:
        text = encodable(text)
        return self._redact(text)[0] if self._redact else text


def unknown(name: str, names: Collection[str]) -> ToolError:
    """That there is no such tool among those of these names."""
    near = get_close_matches(name[:ECHO_CHARS], names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"The tools are: {', '.join(names)}."
    return ToolError(f"There is no tool {echo(name)}.", hint)


def failed(error: AssistantError) -> ToolOutput:
    """An error as a result: what there was to show, then what happened, then what to do."""
    content = [part for part in getattr(error, "content", ()) if isinstance(part, Text | Image)]
    said = [error.text, error.hint]
    if isinstance(error, StaleCell):
        source = fenced(within(encodable(error.source), STALE_ROOM))
        said.insert(1, f"The cell with id {echo(error.cell_id)} · hash {error.hash} now is:\n{source}")
    return ToolOutput((*content, Text("\n".join(line for line in said if line))), is_error=True)
