"""A request's body as a ``Question`` (DESIGN §4); pure.

The law: what is not built yet is refused saying so, never taken and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..messages import Json, NotebookFocus, Question, UnsavedCell, Variable
from .fields import NAME_CHARS, PATH_CHARS, Fields

QUESTION_CHARS = 32_000
SELECTION_CHARS = 200_000
SOURCE_CHARS = 2_000_000
DIGEST_CHARS = 20_000
ATTACHMENTS = 50
KINDS = ("cell", "file", "variable", "output", "image", "notebook")


def question(body: Json) -> Question:
    """The question of a JSON object; raises InvalidInput."""
    fields = Fields(body)
    asked = Question(
        question=fields.required("question", QUESTION_CHARS),
        conversation_id=fields.text("conversation_id", NAME_CHARS, least=1),
        notebook=_focus(fields.object("notebook")),
        model=fields.printable("model", NAME_CHARS),
        request_id=fields.printable("request_id", NAME_CHARS),
        variables=_attachments(fields),
    )
    if fields.choice("mode", ("ask", "agent")) == "agent":
        fields.refuse("mode", "agent is not available yet; use ask")
    if fields.text("profile", NAME_CHARS) is not None:
        fields.refuse("profile", "is not available yet; leave the field out")
    fields.end()
    return asked


def _focus(fields: Fields | None) -> NotebookFocus | None:
    if fields is None:
        return None
    focus = NotebookFocus(
        path=fields.required("path", PATH_CHARS),
        cell_id=fields.text("cell_id", NAME_CHARS, least=1),
        selection=fields.text("selection", SELECTION_CHARS) or "",
        unsaved=tuple(_each(fields, "unsaved", _unsaved) or ()),
        order=_order(fields),
    )
    fields.end()
    return focus


def _attachments(fields: Fields) -> tuple[Variable, ...]:
    """What goes along; of the kinds only ``variable`` is built."""
    values = fields.items("attachments") or []
    if len(values) > ATTACHMENTS:
        fields.refuse("attachments", f"must be at most {ATTACHMENTS}")
    return tuple(_attachment(Fields(value, f"attachments[{at}]")) for at, value in enumerate(values))


def _attachment(fields: Fields) -> Variable:
    kind = fields.choice("kind", KINDS) or fields.refuse("kind", "is required")
    if kind != "variable":
        fields.refuse("kind", f"{kind} is not available yet; leave it out")
    one = Variable(
        name=fields.required("name", NAME_CHARS),
        type=fields.text("type", NAME_CHARS) or "",
        shape=fields.text("shape", NAME_CHARS) or "",
        digest=fields.text("digest", DIGEST_CHARS) or "",
    )
    fields.end()
    return one


def _each(fields: Fields, field: str, read: Callable[[Any, str], UnsavedCell]) -> list[UnsavedCell] | None:
    values = fields.items(field)
    return None if values is None else [read(value, f"{fields.named(field)}[{i}]") for i, value in enumerate(values)]


def _unsaved(value: Any, name: str) -> UnsavedCell:
    fields = Fields(value, name)
    outputs = fields.items("outputs")
    if outputs is not None and not all(isinstance(output, dict) for output in outputs):
        fields.refuse("outputs", "must be a list of nbformat outputs")
    cell = UnsavedCell(
        id=fields.required("id", NAME_CHARS),
        cell_type=fields.choice("cell_type", ("code", "markdown", "raw")) or fields.refuse("cell_type", "is required"),
        source=_source(fields),
        outputs=None if outputs is None else tuple(outputs),
    )
    fields.end()
    return cell


def _source(fields: Fields) -> str:
    source = fields.text("source", SOURCE_CHARS)
    return fields.refuse("source", "is required") if source is None else source


def _order(fields: Fields) -> tuple[str, ...] | None:
    order = fields.items("order")
    if order is None:
        return None
    if not all(isinstance(cell_id, str) and 0 < len(cell_id) <= NAME_CHARS for cell_id in order):
        fields.refuse("order", "must be a list of cell ids")
    if len(set(order)) != len(order):
        fields.refuse("order", "must name each cell once")
    return tuple(order)
