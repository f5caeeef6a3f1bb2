"""Asking from a Python process: of its Jupyter server where it has one, of the gateway itself where it has none.

The law: the server is always preferred, since it has the conversation, the notebook and the keys; what was asked
before goes on until something new is begun; nothing stays open between two questions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import ConversationBusy, NotFound, ServerRefused
from ..messages import ContextItem, Variable
from . import finding
from .cell import Cell
from .client.stream import Event

if TYPE_CHECKING:
    from .client.stream import Answer as FromServer
    from .client.stream import Talk
    from .local import Answer as FromHere
    from .local import Local

Json = dict[str, Any]

WHOLE_WORKSPACE = "(Look in the other notebooks of the workspace, too.)"
NO_CELL = "asking-cell"
DIGEST_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is ready: its text, the values it names, the cell it stands in, what else may go with it."""

    text: str
    model: str | None = None
    context: str = "notebook"
    fresh: bool = False
    variables: tuple[Variable, ...] = ()
    cell: Cell = field(default_factory=Cell)
    around: Sequence[ContextItem] = ()
    """What the session knows of itself, for where no server does."""
    failed: Cell | None = None
    """The cell that the question is about, as it was when it failed."""


class Exchange:
    """An answer that has begun: iterate its events. ``path`` is the notebook, as the server knows it."""

    def __init__(self, answer: FromServer | FromHere, first: Event, path: str = "") -> None:
        self.path = path
        self.run_id = answer.run_id
        self.conversation_id = answer.conversation_id
        self._answer = answer
        self._first: Event | None = first

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        if self._first is not None:
            event, self._first = self._first, None
            return event
        return next(self._answer)

    @property
    def ready(self) -> bool:
        """Whether the next event is here already."""
        return self._first is not None or self._answer.ready

    def wait(self, seconds: float) -> bool:
        """Whether anything more comes within ``seconds``."""
        return self._first is not None or self._answer.wait(seconds)

    def stop(self) -> None:
        """Cancel the answer; its events may be read on to ``done``."""
        self._answer.stop()

    def close(self) -> None:
        """Read no more; an answer that goes on is stopped."""
        self._answer.close()


class Session:
    """What a process has asked: its conversation, its model, whom it asks."""

    def __init__(self) -> None:
        self.model: str | None = None
        self.conversation_id: str | None = None
        self.last: Asked | None = None
        self._local: Local | None = None

    @property
    def local(self) -> Local:
        """Whom to ask without a server; loaded on first use."""
        if self._local is None:
            from .local import Local

            self._local = Local()
        return self._local

    def talk(self) -> Talk | None:
        """The server of this process; None without one."""
        server = finding.server()
        if server is None:
            return None
        from .client.stream import Talk

        return Talk(server)

    def ask(self, asked: Asked) -> Exchange:
        """Begin an answer. Raises what the question is refused with; what goes wrong later is an ``error`` event."""
        self.last = asked
        if asked.fresh:
            self.conversation_id = None
        exchange = self._of_server(asked) or self._from_here(asked)
        self.conversation_id = exchange.conversation_id
        return exchange

    def models(self) -> Json:
        """The models that can be asked, as ``GET models`` lists them; the configured endpoints are asked for theirs."""
        talk = self.talk()
        if talk is None:
            return self.local.models()
        status, told = talk.request("POST", "models/refresh", {})
        return dict(told if status == 200 else talk.get("models"))

    def models_known(self) -> Json:
        """The models known by now, as ``GET models`` lists them; no endpoint is asked."""
        talk = self.talk()
        return self.local.models_known() if talk is None else dict(talk.get("models"))

    def conversations(self) -> list[Json]:
        """The user's conversations, newest first; without a server those of this process."""
        talk = self.talk()
        return self.local.conversations() if talk is None else list(talk.get("conversations")["conversations"])

    def _of_server(self, asked: Asked) -> Exchange | None:
        """The answer of the server; None where there is none, or none with the assistant."""
        talk = self.talk()
        if talk is None:
            return None
        path = finding.path(talk.server) if asked.context != "none" else ""
        question = self._question(asked, path)
        try:
            try:
                return _begun(talk.ask(question), path)
            except (NotFound, ConversationBusy):  # it was deleted, or is being answered: this begins another
                if question.pop("conversation_id", None) is None:
                    raise
                return _begun(talk.ask(question), path)
        except ServerRefused as refused:
            if refused.status == 404:
                return None
            raise

    def _from_here(self, asked: Asked) -> Exchange:
        from .surroundings import variable_items

        context = (*variable_items(asked.variables), *asked.around)
        return _begun(self.local.ask(self._question(asked, ""), context))

    def _question(self, asked: Asked, path: str) -> Json:
        """The ``Question`` (DESIGN §4)."""
        beyond = asked.context == "workspace"
        focus = _focus(asked, path) if path else None
        model = asked.model or self.model
        return {
            "mode": "ask",  # a kernel that waits for its answer cannot run a cell
            "question": f"{asked.text}\n\n{WHOLE_WORKSPACE}" if beyond else asked.text,
            **({"conversation_id": self.conversation_id} if self.conversation_id else {}),
            **({"model": model} if model else {}),
            **({"notebook": focus} if focus else {}),
            **({"attachments": [_attached(one) for one in asked.variables]} if asked.variables else {}),
        }


def _focus(asked: Asked, path: str) -> Json:
    """The notebook as the question is about it: all of it with the asking cell as it is now, or that cell alone."""
    alone = asked.context == "cell"
    cell = Cell(asked.cell.id or (NO_CELL if alone else ""), asked.cell.source)
    failed = None if alone else asked.failed  # what is saved may be older than its error
    now = [_live(one) for one in (cell, failed) if one and one.id]
    return {
        "path": path,
        **({"cell_id": cell.id} if cell.id else {}),
        **({"unsaved": now} if now else {}),
        **({"order": [cell.id]} if alone else {}),
    }


def _live(cell: Cell) -> Json:
    return {"id": cell.id, "cell_type": "code", "source": cell.source, "outputs": list(cell.outputs)}


def _attached(one: Variable) -> Json:
    return {
        "kind": "variable",
        "name": one.name,
        "type": one.type,
        "shape": one.shape,
        "digest": one.digest[:DIGEST_CHARS],
    }


def _begun(answer: FromServer | FromHere, path: str = "") -> Exchange:
    try:
        return Exchange(answer, next(answer), path)
    except BaseException:
        answer.close()
        raise


_SESSION: list[Session] = []


def session() -> Session:
    """The session of this process, made on first use: a process has one conversation at a time."""
    if not _SESSION:
        _SESSION.append(Session())
    return _SESSION[0]


def forget() -> None:
    """End the session; the next question begins a new conversation."""
    _SESSION.clear()


def shell() -> Any:
    """The running IPython, or None; IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
