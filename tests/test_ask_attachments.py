"""Values that a kernel sends along with its question: checked, given to the model without secrets, shown beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_assistant.assistant.kernel import joined
from jupyter_assistant.errors import InvalidInput
from jupyter_assistant.messages import KernelView, Variable
from jupyter_assistant.server.questions import question
from tests.conftest import Server
from tests.gateway import Gateway

SALES: dict[str, Any] = {
    "kind": "variable",
    "name": "sales",
    "type": "DataFrame",
    "shape": "40 x 2",
    "digest": "columns: city, total",
}


def test_a_variable_is_taken_as_it_was_sent() -> None:
    asked = question({"question": "x", "attachments": [SALES, {"kind": "variable", "name": "n"}]})
    assert asked.variables == (
        Variable("sales", "DataFrame", "40 x 2", "columns: city, total"),
        Variable("n", "", "", ""),
    )


@pytest.mark.parametrize(
    ("attachment", "field"),
    [
        ({}, "attachments[0].kind"),
        ({"kind": "thing"}, "attachments[0].kind"),
        *(({"kind": kind}, "attachments[0].kind") for kind in ("cell", "file", "output", "image", "notebook")),
        ({"kind": "variable"}, "attachments[0].name"),
        ({**SALES, "digest": 1}, "attachments[0].digest"),
        ({**SALES, "digest": "x" * 20_001}, "attachments[0].digest"),
        ({**SALES, "extra": 1}, "attachments[0].extra"),
        ("sales", "attachments[0]"),
    ],
)
def test_a_wrong_attachment_is_refused_by_name(attachment: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        question({"question": "x", "attachments": [attachment]})
    assert refused.value.field == field


def test_no_more_than_fifty_go_along() -> None:
    with pytest.raises(InvalidInput, match="at most 50"):
        question({"question": "x", "attachments": [SALES] * 51})


def test_what_was_sent_stands_before_what_the_kernel_says_and_in_its_place() -> None:
    sent = (Variable("a", "int", "", "1"),)
    known = KernelView((Variable("a", "int"),), (Variable("a", "int", "", "old"), Variable("b", "int", "", "2")))
    assert joined(None, ()) is None
    assert joined(known, ()) is known
    found = joined(known, sent)
    assert found is not None
    assert [one.digest for one in found.named] == ["1", "2"]
    assert found.variables == known.variables


async def test_it_reaches_the_model_and_the_preview_without_secrets(server: Server, gateway: Gateway) -> None:
    await server.client.patch("settings", json={"base_url": gateway.url, "model": "echo"})
    token = server.app.identity_provider.token
    body = {"question": "what is `sales`?", "attachments": [{**SALES, "digest": f"city\nthe token is {token}"}]}
    shown = (await server.client.post("preview", json=body)).json()["items"]
    item = next(item for item in shown if item["kind"] == "variable")
    assert item["label"] == "sales"
    assert item["redacted"] == 1
    events = await server.ask(body.pop("question"), **body)  # type: ignore[arg-type]
    assert events[-1].data == '{"reason":"stop"}'
    assert "In the kernel now, sales DataFrame 40 x 2:\n```text\ncity" in gateway.posts[-1].question
    assert token not in gateway.posts[-1].body.decode()
