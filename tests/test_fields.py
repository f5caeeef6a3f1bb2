"""Requests into values: every wrong field is named, unknown ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_assistant.errors import InvalidInput
from jupyter_assistant.messages import NotebookFocus, Question, UnsavedCell
from jupyter_assistant.server import fields
from jupyter_assistant.server.questions import question


def test_a_full_question_is_read() -> None:
    body = {
        "question": "why?",
        "conversation_id": "c",
        "notebook": {
            "path": "a.ipynb",
            "cell_id": "x",
            "selection": "df",
            "unsaved": [{"id": "x", "cell_type": "code", "source": "1", "outputs": [{"output_type": "stream"}]}],
            "order": ["x", "y"],
        },
        "attachments": [],
        "mode": "ask",
        "model": "gateway/m",
        "request_id": "r",
    }
    cell = UnsavedCell("x", "code", "1", ({"output_type": "stream"},))
    focus = NotebookFocus("a.ipynb", "x", "df", (cell,), ("x", "y"))
    assert question(body) == Question("why?", "c", focus, "gateway/m", "r")


def test_the_smallest_question_is_read() -> None:
    assert question({"question": "?"}) == Question("?")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": "  "}, "question"),
        ({"question": 1}, "question"),
        ({"question": "x" * 32_001}, "question"),
        ({"question": "x", "qestion": "y"}, "qestion"),
        ({"question": "x", "model": ""}, "model"),
        ({"question": "x", "model": "a\nb"}, "model"),
        ({"question": "x", "model": "m" * 513}, "model"),
        ({"question": "x", "mode": "agent"}, "mode"),
        ({"question": "x", "mode": "fast"}, "mode"),
        ({"question": "x", "mode": []}, "mode"),
        ({"question": "x", "profile": "p"}, "profile"),
        ({"question": "x", "attachments": [{"kind": "cell"}]}, "attachments[0].kind"),
        ({"question": "x", "attachments": "no"}, "attachments"),
        ({"question": "x", "notebook": "a.ipynb"}, "notebook"),
        ({"question": "x", "notebook": {}}, "notebook.path"),
        ({"question": "x", "notebook": {"path": "a", "cell": "x"}}, "notebook.cell"),
        ({"question": "x", "notebook": {"path": "p" * 5000}}, "notebook.path"),
        ({"question": "x", "notebook": {"path": "a", "selection": ["x"]}}, "notebook.selection"),
        ({"question": "x", "notebook": {"path": "a", "unsaved": [1]}}, "notebook.unsaved[0]"),
        ({"question": "x", "notebook": {"path": "a", "unsaved": [{"id": "x"}]}}, "notebook.unsaved[0].cell_type"),
        (
            {"question": "x", "notebook": {"path": "a", "unsaved": [{"id": "x", "cell_type": "code"}]}},
            "notebook.unsaved[0].source",
        ),
        (
            {
                "question": "x",
                "notebook": {"path": "a", "unsaved": [{"id": "x", "cell_type": "code", "source": "", "outputs": [1]}]},
            },
            "notebook.unsaved[0].outputs",
        ),
        ({"question": "x", "notebook": {"path": "a", "order": ["x", "x"]}}, "notebook.order"),
        ({"question": "x", "notebook": {"path": "a", "order": [1]}}, "notebook.order"),
    ],
)
def test_a_wrong_field_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        question(body)
    assert raised.value.field == field
    assert raised.value.text.startswith(field)


@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b'"x"',
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"a": 1e999}',
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_a_body_that_is_no_strict_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        fields.parse(body)


def test_a_number_too_long_to_convert_is_refused() -> None:
    with pytest.raises(InvalidInput):
        fields.parse(b'{"a": ' + b"9" * 5000 + b"}")


def test_a_name_given_twice_among_very_many_is_found_in_linear_time() -> None:
    names = ",".join(f'"a{number}":1' for number in range(200_000))
    with pytest.raises(InvalidInput, match="a199999: is given twice"):
        fields.parse(f'{{{names},"a199999":2}}'.encode())


def test_a_length_that_is_wrong_is_said_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="must have 1 to 32 000 characters, not 40 000"):
        fields.Fields({"question": "x" * 40_000}).text("question", 32_000, least=1)
