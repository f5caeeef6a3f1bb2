"""A panel without a server: the same routes, answered by the kernel itself, from its own memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_assistant import sse
from jupyter_assistant.kernel.local import Local
from jupyter_assistant.kernel.panel.alone import Alone, Told
from jupyter_assistant.kernel.panel.recorded import THREAD
from tests.gateway import Gateway

Json = dict[str, Any]


@pytest.fixture
def alone(gateway: Gateway) -> Iterator[Alone]:
    environ = {
        "JUPYTER_ASSISTANT_BASE_URL": gateway.url,
        "JUPYTER_ASSISTANT_API_KEY": "sk-secret-canary",
        "JUPYTER_ASSISTANT_MODEL": "echo",
    }
    house = Alone(Local(environ))
    yield house
    house.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == THREAD] == []


def told(house: Alone, method: str, path: str, body: Json | None = None) -> tuple[int, Any]:
    """Status and JSON (or text) of an answer."""
    reply = house.open(method, path, None if body is None else json.dumps(body).encode(), {})
    text = b"".join(reply.chunks()).decode()
    try:
        return reply.status, json.loads(text or "null")
    except ValueError:
        return reply.status, text


def ask(house: Alone, question: str, **more: Any) -> Told:
    return house.open("POST", "chat/stream", json.dumps({"question": question, **more}).encode(), {})


def events(reply: Told) -> list[sse.ServerEvent]:
    decoder = sse.Decoder()
    return [event for chunk in reply.chunks() for event in decoder.feed(chunk)]


def field(event: sse.ServerEvent, name: str) -> Any:
    return json.loads(event.data)[name]


def test_a_question_streams_as_from_the_server(alone: Alone) -> None:
    found = events(ask(alone, "Hello there"))
    assert [event.id for event in found] == [str(number) for number in range(1, len(found) + 1)]
    assert found[0].event == "run"
    assert field(found[0], "model").endswith("echo")
    assert "Hello there" in "".join(field(event, "text") for event in found if event.event == "token")
    assert (found[-1].event, field(found[-1], "reason")) == ("done", "stop")


def test_the_next_question_knows_what_was_said(alone: Alone, gateway: Gateway) -> None:
    conversation = field(events(ask(alone, "My name is Ada"))[0], "conversation_id")
    events(ask(alone, "What is my name?", conversation_id=conversation))
    assert "My name is Ada" in json.dumps(gateway.posts[-1].json["messages"])
    status, whole = told(alone, "GET", f"conversations/{conversation}")
    assert status == 200
    assert [message["role"] for message in whole["messages"]] == ["user", "assistant"] * 2
    assert whole["messages"][0]["parts"] == [{"type": "text", "text": "My name is Ada"}]
    assert whole["messages"][3]["state"] == "done"


def test_a_repeated_request_is_the_same_run(alone: Alone, gateway: Gateway) -> None:
    first, again = (events(ask(alone, "Once", request_id="r-1")) for _ in range(2))
    assert first == again
    assert len(gateway.posts) == 1


def test_a_run_is_read_on_after_the_last_event_seen(alone: Alone) -> None:
    found = events(ask(alone, "Read me twice"))
    run = field(found[0], "run_id")
    rest = events(alone.open("GET", f"chat/{run}/stream", None, {"last-event-id": "2"}))
    assert rest == found[2:]


def test_leaving_stops_nothing_and_stop_does(alone: Alone, gateway: Gateway) -> None:
    told(alone, "PATCH", "settings", {"model": "paced-1000-20"})
    reply = ask(alone, "A long answer")
    chunks = reply.chunks()
    while b"event: token" not in next(chunks):
        pass
    reply.close()
    (listed,) = told(alone, "GET", "conversations")[1]["conversations"]
    assert listed["run_id"]
    assert told(alone, "POST", f"chat/{listed['run_id']}/stop", {})[0] == 200
    rest = events(alone.open("GET", f"chat/{listed['run_id']}/stream", None, {}))
    assert field(rest[-1], "reason") == "cancelled"
    gateway.wait(lambda each: each.open == 0)


def test_close_ends_what_runs(alone: Alone, gateway: Gateway) -> None:
    told(alone, "PATCH", "settings", {"model": "paced-1000-20"})
    chunks = ask(alone, "A long answer").chunks()
    while b"event: token" not in next(chunks):
        pass
    alone.close()
    assert b"event: done" in b"".join(chunks)
    gateway.wait(lambda each: each.open == 0)


def test_the_whole_answer_is_json(alone: Alone) -> None:
    status, answer = told(alone, "POST", "chat", {"question": "All at once"})
    assert status == 200
    assert "All at once" in answer["text"]
    assert (answer["reason"], answer["sources"]) == ("stop", [])
    assert {"run_id", "conversation_id"} <= set(answer)


def test_a_conversation_is_renamed_pinned_exported_and_deleted(alone: Alone) -> None:
    conversation = field(events(ask(alone, "What is\n a mean?"))[0], "conversation_id")
    assert told(alone, "GET", "conversations")[1]["conversations"][0]["title"] == "What is a mean?"
    told(alone, "PATCH", f"conversations/{conversation}", {"title": "Means", "pinned": True})
    (listed,) = told(alone, "GET", "conversations")[1]["conversations"]
    assert (listed["title"], listed["pinned"], listed["run_id"]) == ("Means", True, None)
    reply = alone.open("GET", f"conversations/{conversation}/export?format=md", None, {})
    assert reply.headers["content-disposition"] == 'attachment; filename="Means.md"'
    assert b"".join(reply.chunks()).decode().startswith("# Means\n\n> What is\n>  a mean?\n\n")
    assert told(alone, "GET", f"conversations/{conversation}/export?format=json")[1]["title"] == "Means"
    assert told(alone, "DELETE", f"conversations/{conversation}") == (204, None)
    assert told(alone, "GET", "conversations")[1] == {"conversations": [], "archived": 0}
    assert told(alone, "GET", f"conversations/{conversation}")[0] == 404


def test_models_are_those_of_the_environment_and_one_can_be_chosen(alone: Alone, gateway: Gateway) -> None:
    before = len(gateway.requests)
    status, known = told(alone, "GET", "models")
    assert (status, len(gateway.requests)) == (200, before)
    assert known["default"].endswith("echo")
    chosen = told(alone, "PATCH", "settings", {"model": "markdown"})[1]
    assert chosen["settings"]["model"] == "markdown"
    assert told(alone, "GET", "models")[1]["default"] == "markdown"
    events(ask(alone, "With the other one"))
    assert gateway.posts[-1].model == "markdown"
    assert "canary" not in json.dumps([known, chosen])
    for _ in range(2):  # whoever refreshes again may have started one meanwhile
        before = len(gateway.requests)
        refreshed = told(alone, "POST", "models/refresh", {})[1]["models"]
        assert len(gateway.requests) > before
    assert told(alone, "GET", "models")[1]["models"] == refreshed


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "preview", {"question": "x"}, 409, "not_available"),
        ("POST", "models/test", {}, 409, "not_available"),
        ("PATCH", "settings", {"api_key": "x"}, 409, "not_available"),
        ("GET", "mcp/clients?origin=x", None, 409, "not_available"),
        ("GET", "conversations/none", None, 404, "not_found"),
        ("POST", "chat/none/stop", {}, 404, "not_found"),
        ("GET", "chat/none/stream", None, 404, "not_found"),
        ("POST", "chat/stream", {}, 400, "invalid"),
        ("POST", "chat/stream", {"question": "x" * 32_001}, 400, "invalid"),
    ],
)
def test_what_it_cannot_do_it_says(
    alone: Alone, method: str, path: str, body: Json | None, status: int, code: str
) -> None:
    found, answer = told(alone, method, path, body)
    assert (found, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]
    assert answer["error"]["hint"]


def test_a_body_that_is_no_json_is_refused(alone: Alone) -> None:
    for body in (b"{", b"[]"):
        assert alone.open("POST", "chat/stream", body, {}).status == 400


def test_without_a_model_the_responder_answers() -> None:
    house = Alone(Local({}))
    found = events(ask(house, "What can you do?"))
    assert field(found[0], "model") == "offline/responder"
    assert field(found[-1], "reason") == "stop"
    house.close()
