"""The messages for one question: instructions, earlier messages, then the notebook's items and the question.

The law: what a user looks at (active cell, selection, neighbours) and what failed comes before what only may be
relevant; the rest is chosen by relevance and shown in the notebook's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..messages import ContextGiven, ContextItem, Json, KernelView, Message, NotebookFocus
from ..notebooks.cells import Cell, Snapshot
from .excerpts import Redact, encodable, estimate_tokens, excerpt
from .instructions import INSTRUCTIONS, NO_THINK, OWN
from .kernel import kernel_items
from .relevance import ranked
from .rendering import cell_item, coverage, error_of, number, outline_item, selection_item
from .workspace import FoundCell, found_items, held

FLOOR_TOKENS = estimate_tokens(INSTRUCTIONS)
"""Tokens of the product's own instructions, which are always sent."""

_CHARS_PER_TOKEN = 3
_LEAST_ITEM = 48
"""Tokens: with less room than this no further cell is tried."""

_MISSES = 12
"""Cells in a row that do not fit any more, after which the room counts as used up."""

_OUTLINE_MOST = 3_000
_COVERAGE_MOST = 200
"""Tokens kept for the line that names the cells given and not given."""

_NEAREST_ERRORS = 8
"""Cells with an error that go first; more of them compete with the others."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What ``preview`` says of a message's own text: kind, label, whether it was cut, how many secrets it held."""

    kind: str
    label: str
    truncated: bool = False
    redacted: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """What is given to the model: ``messages`` (system, earlier ones, the question last with its items), and what was
    ``left_out`` (``{kind, label, path?, cell_id?, chars, tokens}``). ``tokens`` is the sum over ``items()``, estimated.
    """

    messages: tuple[Message, ...]
    tokens: int
    budget: int
    marks: tuple[Mark, ...] = field(repr=False)
    dropped: tuple[Json, ...] = ()
    unread: tuple[Cell, ...] = field(repr=False, default=())
    path: str = ""

    @property
    def left_out(self) -> tuple[Json, ...]:
        """What did not fit; worked out when asked for, since every question would pay for it."""
        return (*self.dropped, *(_left_out(cell, self.path) for cell in self.unread))

    def held(self, found: Sequence[FoundCell]) -> tuple[FoundCell, ...]:
        """Those of the ``found`` cells that fitted in."""
        return held(found, self.messages[-1].context)

    def items(self) -> list[Json]:
        """Everything that is sent, in order (``POST preview``). A message's items end with its own text (of the kind
        ``instructions``, ``history`` or ``question``); joined by a blank line they are exactly ``Message.rendered()``.
        """
        return [
            item for message, mark in zip(self.messages, self.marks, strict=True) for item in _listed(message, mark)
        ]

    def context_event(self) -> ContextGiven:
        """The ``context`` event: the notebook's items without their texts; sizes in characters."""
        items = self.messages[-1].context
        chars = sum(len(item.text) for item in items)
        return ContextGiven(tuple(item.summary() for item in items), chars, self.budget * _CHARS_PER_TOKEN)


def build(
    question: str,
    *,
    snapshot: Snapshot | None,
    focus: NotebookFocus | None,
    history: Sequence[Message] = (),
    budget: int,
    instructions: str = "",
    redact: Redact,
    think: bool = True,
    kernel: KernelView | None = None,
    found: Sequence[FoundCell] = (),
) -> Given:
    """The messages for ``question`` in at most ``budget`` tokens.

    ``history`` is oldest first; what its messages were given as context then is not sent again. ``instructions`` are
    the user's own. ``redact`` takes the secrets out of a text and counts them. Without ``think`` the first line asks
    the model to answer without reasoning. ``kernel`` is what the notebook's kernel knows of the question's names,
    ``found`` are cells of other notebooks, best first.
    """
    asked, asked_redacted = redact(encodable(question))
    room = budget - estimate_tokens(asked) - FLOOR_TOKENS
    system, system_mark = _system(instructions, redact, room // 4)
    system = system if think else f"{NO_THINK}\n{system}"
    room -= estimate_tokens(system) - FLOOR_TOKENS
    earlier, earlier_marks, forgotten = _history(history, redact, room // 3 if snapshot else room)
    room -= sum(_cost(message.text) for message in earlier)
    known = tuple(kernel_items(kernel, snapshot.path if snapshot else None, redact, room // 4)) if kernel else ()
    room -= sum(_cost(item.text) for item in known)
    others = tuple(found_items(found, redact, room // 3 if snapshot else room))
    room -= sum(_cost(item.text) for item in others)
    selection = _Selection(asked, snapshot, focus, redact, room) if snapshot else None
    items = (*(selection.taken() if selection else ()), *known, *others)
    dropped, unread = (selection.dropped(items), selection.unread()) if selection else ((), ())
    messages = (Message("system", system), *earlier, Message("user", asked, items))
    marks = (system_mark, *earlier_marks, Mark("question", "question", redacted=asked_redacted))
    tokens = sum(
        estimate_tokens(text)
        for message in messages
        for text in (*(item.text for item in message.context), message.text)
    )
    path = snapshot.path if snapshot else ""
    fitting = held(found, others)
    cut = (_left_out(one.cell, one.notebook.path, "source") for one in found if one not in fitting)
    dropped = (*forgotten, *dropped, *cut)
    return Given(messages, tokens, budget, marks, dropped, unread, path)


def _listed(message: Message, mark: Mark) -> list[Json]:
    own: Json = {"kind": mark.kind, "label": mark.label, **_size(message.text)}
    own |= {"truncated": mark.truncated, "redacted": mark.redacted, "text": message.text}
    return [*map(_item, message.context), own]


def _item(item: ContextItem) -> Json:
    return item.summary() | _size(item.text) | {"redacted": item.redacted, "text": item.text}


def _size(text: str) -> Json:
    return {"chars": len(text), "tokens": estimate_tokens(text)}


def _cost(text: str) -> int:
    """Tokens of a text and of the blank line that parts it from the next."""
    return estimate_tokens(text) + 1


def _system(own: str, redact: Redact, tokens: int) -> tuple[str, Mark]:
    """The system message: the product's instructions, then as much of the user's own as takes at most ``tokens``."""
    whole = excerpt(own.strip(), redact)
    part = whole.within(tokens - _cost(OWN) - 1)
    if not part.head:
        return INSTRUCTIONS, Mark("instructions", "instructions", truncated=bool(whole.head))
    return f"{INSTRUCTIONS}\n\n{OWN}\n\n{part.text}", Mark("instructions", "instructions", part.cut, part.redacted)


def _history(
    history: Sequence[Message], redact: Redact, tokens: int
) -> tuple[tuple[Message, ...], tuple[Mark, ...], tuple[Json, ...]]:
    """The newest messages that take at most ``tokens``, beginning with a question, oldest first; and those left out.

    No message takes more than half of the tokens: a longer one is cut.
    """
    kept: list[tuple[Message, Mark]] = []
    at = len(history)
    while at > 0:
        message = history[at - 1]
        part = excerpt(message.text, redact).within(tokens // 2)
        cost = _cost(part.text)
        if cost > tokens or (message.text and not part.head):
            break
        kept.append((Message(message.role, part.text), Mark("history", _said_by(message), part.cut, part.redacted)))
        tokens -= cost
        at -= 1
    while kept and kept[-1][0].role != "user":
        kept.pop()
        at += 1
    messages, marks = zip(*reversed(kept), strict=True) if kept else ((), ())
    left_out = tuple({"kind": "history", "label": _said_by(message), **_size(message.text)} for message in history[:at])
    return messages, marks, left_out


def _said_by(message: Message) -> str:
    return "earlier answer" if message.role == "assistant" else "earlier question"


class _Selection:
    """The items of a notebook for one question, taken in order of importance until ``room`` tokens are used up."""

    def __init__(
        self, question: str, snapshot: Snapshot, focus: NotebookFocus | None, redact: Redact, room: int
    ) -> None:
        self._question = question
        self._snapshot = snapshot
        self._focus = focus
        self._redact = redact
        self._room = room
        self._items: dict[int, ContextItem] = {}
        self._active = _active(snapshot, focus)
        self._failing = [at for at, cell in enumerate(snapshot.cells) if error_of(cell)]

    def taken(self) -> tuple[ContextItem, ...]:
        """The items: outline, cells in the notebook's order, selection."""
        context = self._room
        outline = outline_item(self._snapshot, self._active, self._redact, min(context // 5, _OUTLINE_MOST))
        for_coverage = min(_COVERAGE_MOST, context // 10)
        if outline:
            self._room -= _cost(outline.text) + for_coverage
        selection = self._selected(context // 4)
        for position, share in self._first(context):
            self._take(position, share)
        self._fill(max(context // 4, _LEAST_ITEM))
        if outline:
            outline = coverage(outline, self._snapshot, self._items, for_coverage)
        order = [outline, *(self._items[position] for position in sorted(self._items)), selection]
        return tuple(item for item in order if item)

    def unread(self) -> tuple[Cell, ...]:
        """The cells that were not taken."""
        return tuple(cell for at, cell in enumerate(self._snapshot.cells) if at not in self._items)

    def _first(self, context: int) -> list[tuple[int, int]]:
        """(position, most tokens) of the cells that go first: the active one, those that failed, its neighbours."""
        cells, active = self._snapshot.cells, self._active
        wanted = [] if active is None else [(active, context // 2)]
        here = len(cells) if active is None else active
        nearest = sorted(self._failing, key=lambda position: abs(position - here))[:_NEAREST_ERRORS]
        wanted += [(position, context // 4) for position in nearest]
        if active is not None:
            wanted += [(position, context // 6) for position in (active - 1, active + 1) if 0 <= position < len(cells)]
        return wanted

    def _ranked(self) -> list[int]:
        cells, failing = self._snapshot.cells, self._failing[:_NEAREST_ERRORS]
        missing = " ".join(error.value for error in map(error_of, (cells[at] for at in failing)) if error)
        return ranked(cells, self._question, active=self._active, failing=failing, missing=missing)

    def _fill(self, most: int) -> None:
        """Take the other cells by relevance, each in at most ``most`` tokens, until no more fit."""
        missed = 0
        for position in self._ranked():
            if self._room < _LEAST_ITEM or missed == _MISSES:
                return
            if position not in self._items:
                self._take(position, most)
                missed = 0 if position in self._items else missed + 1

    def _take(self, position: int, most: int) -> None:
        if position in self._items:
            return
        item = cell_item(
            self._snapshot.cells[position],
            self._snapshot,
            self._redact,
            min(most, self._room - 1),
            active=position == self._active,
        )
        if item:
            self._items[position] = item
            self._room -= _cost(item.text)

    def _selected(self, most: int) -> ContextItem | None:
        selection = self._focus.selection if self._focus else ""
        if not selection.strip():
            return None
        cell = None if self._active is None else self._snapshot.cells[self._active]
        item = selection_item(cell, self._snapshot, selection, self._redact, min(most, self._room - 1))
        if item:
            self._room -= _cost(item.text)
        return item

    def dropped(self, items: Sequence[ContextItem]) -> tuple[Json, ...]:
        """The selection, when it is not among the items."""
        selection = self._focus.selection if self._focus else ""
        if not selection.strip() or any(item.kind == "selection" for item in items):
            return ()
        return ({"kind": "selection", "label": "selection", "path": self._snapshot.path, **_size(selection)},)


def _active(snapshot: Snapshot, focus: NotebookFocus | None) -> int | None:
    """The position of the active cell, if the notebook has it."""
    if focus is None or focus.cell_id is None:
        return None
    return next((at for at, cell in enumerate(snapshot.cells) if cell.id == focus.cell_id), None)


def _left_out(cell: Cell, path: str, kind: str = "") -> Json:
    chars = len(cell.source) + sum(len(output.text) for output in cell.outputs)
    tokens = estimate_tokens(cell.source) + sum(estimate_tokens(output.text) for output in cell.outputs)
    return {
        "kind": kind or ("error" if error_of(cell) else "cell"),
        "label": number(cell),
        "path": path,
        "cell_id": cell.id,
        "chars": chars,
        "tokens": tokens,
    }
