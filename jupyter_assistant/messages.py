"""The vocabulary: what is asked, what a model is given, and the events of a run; frozen, to and from JSON.

The law: everything that crosses a border between rooms is one of these values, and a value never changes.
Times are seconds, lengths are characters unless a name says tokens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Json = dict[str, Any]
Role = Literal["system", "user", "assistant"]
Reason = Literal["stop", "length", "cancelled", "error", "limit", "interrupted"]
EndState = Literal["done", "cancelled", "error", "interrupted"]
"""The state of a message whose run has ended; before that it is ``running``."""


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True, slots=True)
class UnsavedCell:
    """A cell as the front-end has it now; ``outputs`` (nbformat dicts) is None where only the source differs."""

    id: str
    cell_type: str
    source: str
    outputs: tuple[Json, ...] | None = None


@dataclass(frozen=True, slots=True)
class NotebookFocus:
    """Where the user is: a notebook, the active cell, the selected text, and what is not saved yet.

    ``order`` lists every cell id as the front-end shows them; None when it equals the file's.
    """

    path: str
    cell_id: str | None = None
    selection: str = ""
    unsaved: tuple[UnsavedCell, ...] = ()
    order: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """A name of the notebook's kernel: ``type`` as its language calls it, ``shape`` as text (``421 x 6``; empty
    without one), ``digest`` what it holds, or its documentation, in short (empty where nobody looked).
    """

    name: str
    type: str
    shape: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a user, as ``POST chat/stream`` takes it (fields: DESIGN §4).

    ``variables`` are its attachments of that kind: values that a kernel sends along itself.
    """

    question: str
    conversation_id: str | None = None
    notebook: NotebookFocus | None = None
    model: str | None = None
    request_id: str | None = None
    variables: tuple[Variable, ...] = ()


# ---------------------------------------------------------------- what a model is given


@dataclass(frozen=True, slots=True)
class CellError:
    """An error output: exception name, its message, and the traceback without terminal colours."""

    name: str
    value: str
    traceback: str


@dataclass(frozen=True, slots=True)
class CellContent:
    """A cell as the model may see it: digests of outputs, never payloads."""

    index: int
    cell_type: str
    source: str
    output: str = ""
    error: CellError | None = None
    execution_count: int | None = None


@dataclass(frozen=True, slots=True)
class KernelView:
    """What a question may know of the notebook's kernel: every variable by name, those it is about with their
    ``digest``, documentation it asks for; ``missing`` says why something is not known, as a sentence.
    """

    variables: tuple[Variable, ...] = ()
    named: tuple[Variable, ...] = ()
    documentation: tuple[Variable, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One piece of what a model is given, knowing where it came from and what was cut.

    ``text`` is exactly what is sent. ``cell`` and ``variables`` are the same piece typed, for a reader that is no
    language model (the offline responder); they were cut and redacted with the text.
    """

    kind: Literal[
        "notebook", "cell", "selection", "error", "output", "variables", "variable", "documentation", "source"
    ]
    label: str
    text: str
    path: str | None = None
    cell_id: str | None = None
    truncated: bool = False
    redacted: int = 0
    active: bool = False
    cell: CellContent | None = None
    variables: tuple[Variable, ...] = ()

    def summary(self) -> Json:
        """The form of the ``context`` event: without the text."""
        return {
            "kind": self.kind,
            "label": self.label,
            **({"path": self.path} if self.path is not None else {}),
            **({"cell_id": self.cell_id} if self.cell_id is not None else {}),
            "chars": len(self.text),
            "truncated": self.truncated,
        }


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a model. ``context`` belongs to this message and is sent before ``text``."""

    role: Role
    text: str
    context: tuple[ContextItem, ...] = ()

    def rendered(self) -> str:
        """What every dialect sends for this message: context items, then the text, a blank line between."""
        return "\n\n".join([*(item.text for item in self.context), self.text])


# ---------------------------------------------------------------- what a run tells


@dataclass(frozen=True, slots=True)
class Source:
    """A citable place. ``url`` is relative to the server's base URL and opens at the cell."""

    title: str
    path: str
    url: str
    snippet: str
    score: float
    cell_id: str | None = None


class Event:
    """An event of a run: ``name`` on the wire, its fields as the data (DESIGN §5)."""

    __slots__ = ()
    name: ClassVar[str]

    def data(self) -> Json:
        """The fields as JSON-able values; optional ones that are None are left out."""
        fields = dataclasses.asdict(self)  # type: ignore[call-overload]  # every event is a dataclass, this class itself is none
        return {key: value for key, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    name: ClassVar[str] = "run"
    run_id: str
    conversation_id: str
    model: str


@dataclass(frozen=True, slots=True)
class Status(Event):
    name: ClassVar[str] = "status"
    text: str


@dataclass(frozen=True, slots=True)
class ContextGiven(Event):
    """What the model was given: ``items`` are ``ContextItem.summary()``; ``chars`` their sum, ``budget`` in chars."""

    name: ClassVar[str] = "context"
    items: tuple[Json, ...]
    chars: int
    budget: int


@dataclass(frozen=True, slots=True)
class Sources(Event):
    """Citable places; on the wire the data is the bare list."""

    name: ClassVar[str] = "sources"
    sources: tuple[Source, ...]

    def data(self) -> Any:
        """The list of sources, optional fields left out."""
        return [
            {key: value for key, value in dataclasses.asdict(source).items() if value is not None}
            for source in self.sources
        ]


@dataclass(frozen=True, slots=True)
class Reasoning(Event):
    name: ClassVar[str] = "reasoning"
    text: str

    def data(self) -> Json:
        """Its text; there are many of these."""
        return {"text": self.text}


@dataclass(frozen=True, slots=True)
class Token(Event):
    name: ClassVar[str] = "token"
    text: str

    def data(self) -> Json:
        """Its text; there are many of these."""
        return {"text": self.text}


@dataclass(frozen=True, slots=True)
class Title(Event):
    name: ClassVar[str] = "title"
    text: str


@dataclass(frozen=True, slots=True)
class Usage(Event):
    """Tokens as the provider counted them; ``seconds`` from the request to the end of the answer."""

    name: ClassVar[str] = "usage"
    input_tokens: int
    output_tokens: int
    seconds: float
    cached_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Failed(Event):
    name: ClassVar[str] = "error"
    code: str
    text: str
    hint: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Done(Event):
    name: ClassVar[str] = "done"
    reason: Reason


@dataclass(frozen=True, slots=True)
class Finish:
    """How a model's answer ended, last in ``Model.stream``; not a run event (the run's own end is ``Done``)."""

    reason: Literal["stop", "length"]


ModelEvent = Token | Reasoning | Sources | Usage | Status | Finish
"""What ``Model.stream`` may yield; ``Finish`` comes last, exactly once, or the stream raised a ``ProviderError``."""

EVENTS: Mapping[str, type[Event]] = {
    event.name: event
    for event in (RunStarted, Status, ContextGiven, Sources, Reasoning, Token, Title, Usage, Failed, Done)
}
