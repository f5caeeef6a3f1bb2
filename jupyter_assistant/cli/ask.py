"""``jupyter assistant ask``: a question from a shell, answered on standard output.

The law: standard output holds the answer and nothing else; an answer that is not wanted any more (Ctrl+C, a closed
pipe) is stopped where it is made.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import AssistantError, InvalidInput, NotebookNotFound, ServerNotFound
from ..kernel.client import Server, find, holds, real

if TYPE_CHECKING:
    from ..kernel.client.stream import Answer, Event
    from ..kernel.local import Answer as LocalAnswer
    from ..messages import ContextItem

ANSWERED, FAILED, INCOMPLETE, INTERRUPTED = 0, 1, 3, 130
"""Exit statuses; 2 is a wrong command line."""

QUESTION_CHARS = 32_000


class Unwritable(AssistantError):
    """Standard output takes nothing."""

    code = "unwritable"
    default_hint = "Send the answer to a file or a program that takes it."


@dataclass(frozen=True)
class Wish:
    """What is asked for. ``question`` may be ``-``: standard input; ``notebook`` is a path on this machine."""

    question: str
    notebook: str = ""
    model: str = ""
    conversation: str = ""
    as_json: bool = False
    url: str = ""
    token: str = ""


def ask(wish: Wish) -> int:
    """Ask, print the answer while it comes, and give the exit status."""
    if getattr(sys, "stdout", None) is None:  # it was closed by whoever started this
        raise Unwritable("There is no standard output for the answer.")
    text = _text(wish.question)
    notebook = _notebook(wish.notebook)
    server = _server(wish, notebook)
    answer = _asked(server, wish, text, notebook) if server else _alone(wish, text, notebook)
    with closing(answer):
        return _printed(answer, wish)


def _text(question: str) -> str:
    text = sys.stdin.read(QUESTION_CHARS + 1) if question == "-" else question
    if not text.strip():
        raise InvalidInput("question", "is empty.", 'Write it behind the command: jupyter assistant ask "…".')
    if len(text) > QUESTION_CHARS:
        raise InvalidInput("question", "has more than 32 000 characters.", "Ask about a part of it.")
    return text


def _notebook(path: str) -> Path | None:
    if not path:
        return None
    found = Path(real(path))
    if not found.is_file():
        raise NotebookNotFound(f"There is no notebook {path}.", "Give its path from this folder.")
    return found


def _server(wish: Wish, notebook: Path | None) -> Server | None:
    """The server to ask: one that has the notebook; None when there is none, so that this process asks by itself."""
    try:
        found = find(notebook.parent if notebook else Path.cwd(), url=wish.url, token=wish.token)
    except ServerNotFound:
        return None
    if notebook is None or not found.root or holds(found.root, notebook):
        return found
    if wish.url:
        raise NotebookNotFound(f"{wish.notebook} is not below that server's root.", "Give a notebook that is.")
    return None


def _asked(server: Server, wish: Wish, text: str, notebook: Path | None) -> Answer:
    from ..kernel.client.stream import Talk

    question: dict[str, Any] = {"question": text}
    if wish.model:
        question["model"] = wish.model
    if wish.conversation:
        question["conversation_id"] = wish.conversation
    if notebook:
        question["notebook"] = {"path": _relative(server, wish.notebook, notebook)}
    return Talk(server).ask(question)


def _relative(server: Server, given: str, notebook: Path) -> str:
    """The notebook's path as the server knows it; one that does not tell its root gets it as it was given."""
    return notebook.relative_to(real(server.root)).as_posix() if server.root else given


def _alone(wish: Wish, text: str, notebook: Path | None) -> LocalAnswer:
    from ..kernel.local import Local

    if wish.conversation:
        raise ServerNotFound("A conversation is kept by a server, and none runs for this folder.")
    local = Local()
    return local.ask({"question": text, "model": wish.model}, _context(text, notebook) if notebook else ())


def _context(text: str, notebook: Path) -> tuple[ContextItem, ...]:
    """What of the notebook's file goes with the question; secrets are taken out where it is sent."""
    from ..context import Redactor, build
    from ..kernel.local import TOKENS
    from ..notebooks.cells import digest, unreadable

    try:
        content = json.loads(notebook.read_bytes())
    except (ValueError, RecursionError):
        raise unreadable(notebook.name, "it is no JSON") from None
    snapshot = digest(content, path=notebook.name, revision="")
    given = build(text, snapshot=snapshot, focus=None, budget=TOKENS, redact=Redactor(()))
    return given.messages[-1].context


def _printed(answer: Iterable[Event], wish: Wish) -> int:
    try:
        if wish.as_json:
            return _status(
                _each(answer, lambda event: print(json.dumps(asdict(event), ensure_ascii=False), flush=True))
            )
        return _status(_each(answer, Page(sys.stdout, sys.stderr).show))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        return INCOMPLETE
    except OSError as error:  # of standard output: what goes wrong on the way to the model is an event
        _give_up_output()
        raise Unwritable(f"The answer cannot be written: {error.strerror}.") from error


def _give_up_output() -> None:
    """What could not be written stays unwritten: else the interpreter tries again at its end, and complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _each(answer: Iterable[Event], show: Any) -> Iterator[Event]:
    for event in answer:
        show(event)
        yield event


def _status(events: Iterable[Event]) -> int:
    status = FAILED
    for event in events:
        if event.name == "done":
            status = {"stop": ANSWERED, "error": FAILED}.get(event.data["reason"], INCOMPLETE)
    return status


class Page:
    """Where an answer is shown: its text on ``out``, all else on ``err``; what goes on only where a person looks.

    A terminal gets nothing that would command it; a file or a program gets the text as it came.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._sources: list[dict[str, Any]] = []
        self._last = "\n"

    def show(self, event: Event) -> None:
        """Show one event."""
        data = event.data
        if event.name == "token":
            self._out.write(_shown(data["text"], self._out))
            self._out.flush()
            self._last = data["text"] or self._last
        elif event.name == "status" and self._err.isatty():
            self._tell(data["text"])
        elif event.name == "sources":
            self._sources = data
        elif event.name == "error":
            self._end_line()
            self._tell(f"jupyter assistant: {data['text']} {data['hint']}".rstrip())
        elif event.name == "done":
            self._end(data["reason"])

    def _end(self, reason: str) -> None:
        self._end_line()
        if reason not in ("stop", "error"):
            self._tell(f"jupyter assistant: the answer is incomplete ({reason}).")
        if self._err.isatty():
            for source in self._sources:
                self._tell(f"- {source['title']}")

    def _end_line(self) -> None:
        if not self._last.endswith("\n"):
            self._last = "\n"
            self._out.write("\n")
            self._out.flush()

    def _tell(self, text: str) -> None:
        print(_shown(text, self._err), file=self._err, flush=True)


def _shown(text: str, where: TextIO) -> str:
    from ..kernel.showing import clean

    return clean(text) if where.isatty() else text
