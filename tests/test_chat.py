"""The chain over HTTP: a question becomes a stream that any reader can join, and an answer that is kept."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest

from jupyter_assistant import sse
from jupyter_assistant.conversations import Conversations
from tests.conftest import Reader, Server, events
from tests.gateway import Gateway

Json = dict[str, Any]


KEY = "sk-canary-0123456789"


@pytest.fixture
def assistant_config(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Json:
    monkeypatch.setenv("JUPYTER_ASSISTANT_API_KEY", KEY)
    return {"base_url": gateway.url, "model": "markdown"}


@pytest.fixture
def notebook(jp_root_dir: Path) -> str:
    cells = [
        nbformat.v4.new_markdown_cell("# Sales", id="title"),
        nbformat.v4.new_code_cell("total = price * count", id="total"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), jp_root_dir / "sales.ipynb")
    return "sales.ipynb"


def names(found: list[sse.ServerEvent]) -> list[str]:
    return [event.event for event in found]


def text(found: list[sse.ServerEvent]) -> str:
    return "".join(json.loads(event.data)["text"] for event in found if event.event == "token")


def first(found: list[sse.ServerEvent], name: str) -> Any:
    return next(json.loads(event.data) for event in found if event.event == name)


async def test_an_answer_streams_in_order_and_ends_with_done(server: Server, notebook: str) -> None:
    found = await server.ask("What is total?", notebook={"path": notebook})
    assert names(found)[0] == "run"
    assert names(found)[-1] == "done"
    assert [event.id for event in found] == [str(number) for number in range(1, len(found) + 1)]
    assert {"status", "context", "token", "title"} <= set(names(found))
    assert first(found, "done") == {"reason": "stop"}
    assert first(found, "run")["model"] == "gateway/markdown"


async def test_the_headers_are_those_of_an_event_stream(server: Server) -> None:
    async with server.client.stream("POST", "chat/stream", json={"question": "hi"}) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert not {"etag", "content-encoding"} & set(response.headers)
        head = await anext(response.aiter_raw())
    assert head.startswith(b":")


async def test_the_model_is_given_the_notebook_with_unsaved_cells(
    server: Server, gateway: Gateway, notebook: str
) -> None:
    focus = {
        "path": notebook,
        "cell_id": "new",
        "unsaved": [{"id": "new", "cell_type": "code", "source": "fresh_name = 41"}],
        "order": ["title", "new"],
    }
    found = await server.ask("What is fresh_name?", notebook=focus)
    sent = json.dumps(gateway.requests[-1].json)
    assert "fresh_name = 41" in sent
    assert "price * count" not in sent
    assert first(found, "context")["items"]
    assert nbformat.read(server.root / notebook, 4).cells[1].source == "total = price * count"


async def test_preview_shows_exactly_what_is_sent(server: Server, gateway: Gateway, notebook: str) -> None:
    asked: Json = {"question": "What is total?", "notebook": {"path": notebook, "cell_id": "total"}}
    preview = (await server.client.post("preview", json=asked)).json()
    assert not [r for r in gateway.requests if r.method == "POST"]
    await server.ask(asked["question"], notebook=asked["notebook"])
    sent = "\n\n".join(message["content"] for message in gateway.requests[-1].json["messages"])
    assert "\n\n".join(item["text"] for item in preview["items"]) == sent
    assert preview["tokens"] <= preview["budget"]
    assert all(item["chars"] == len(item["text"]) for item in preview["items"])


async def test_a_model_that_shall_not_think_is_asked_so_and_preview_shows_it(server: Server, gateway: Gateway) -> None:
    await server.client.patch("settings", json={"no_think": ["mark*"]})
    preview = (await server.client.post("preview", json={"question": "hi"})).json()
    await server.ask("hi")
    assert gateway.requests[-1].json["messages"][0]["content"].startswith("/no_think\n")
    assert preview["items"][0]["text"] == gateway.requests[-1].json["messages"][0]["content"]


async def test_the_next_question_knows_the_first(server: Server, gateway: Gateway) -> None:
    found = await server.ask("Remember the word marmalade.")
    await server.ask("Which word?", conversation_id=first(found, "run")["conversation_id"])
    messages = gateway.requests[-1].json["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "marmalade" in messages[1]["content"]


async def test_a_repeated_request_id_gives_the_same_run(server: Server, gateway: Gateway) -> None:
    request_id = secrets.token_hex(8)
    one, two = await asyncio.gather(*(server.ask("hi", request_id=request_id) for _ in range(2)))
    assert first(one, "run") == first(two, "run")
    assert text(one) == text(two)
    assert len([r for r in gateway.requests if r.method == "POST"]) == 1
    three = await server.ask("hi", request_id=request_id)
    assert first(three, "run") == first(one, "run")


async def test_a_second_question_into_a_busy_conversation_is_refused(server: Server) -> None:
    async with server.client.stream("POST", "chat/stream", json={"question": "x", "model": "paced-400-20"}) as one:
        run = first(await events(one, until="token"), "run")
        again = {"question": "y", "conversation_id": run["conversation_id"]}
        refused = await server.client.post("chat/stream", json=again)
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "conversation_busy"
        assert refused.json()["error"]["run_id"] == run["run_id"]
        await server.client.post(f"chat/{run['run_id']}/stop")


async def test_a_closed_socket_does_not_stop_the_run_and_another_reader_resumes(server: Server) -> None:
    async with server.client.stream("POST", "chat/stream", json={"question": "x", "model": "paced-60-60"}) as response:
        seen = await events(response, until="token")
    run = first(seen, "run")["run_id"]
    async with server.client.stream("GET", f"chat/{run}/stream", headers={"Last-Event-ID": seen[-1].id}) as response:
        rest = await events(response)
    async with server.client.stream("GET", f"chat/{run}/stream") as response:
        whole = await events(response)
    assert seen + rest == whole
    assert names(whole)[-1] == "done"


async def test_two_readers_at_once_see_the_same_events(server: Server) -> None:
    async with server.client.stream("POST", "chat/stream", json={"question": "x", "model": "paced-40-80"}) as response:
        seen = await events(response, until="run")
        run = first(seen, "run")["run_id"]

        async def read() -> list[sse.ServerEvent]:
            async with server.client.stream("GET", f"chat/{run}/stream?after=0") as joined:
                return await events(joined)

        one, two = await asyncio.gather(read(), read())
    assert one == two
    assert names(one)[-1] == "done"


async def test_stop_cancels_the_call_and_closes_the_gateways_connection(server: Server, gateway: Gateway) -> None:
    async with server.client.stream("POST", "chat/stream", json={"question": "x", "model": "paced-999-20"}) as response:
        reader = Reader(response)
        seen = await reader.read("token")
        run = first(seen, "run")
        stopped = await server.client.post(f"chat/{run['run_id']}/stop")
        assert stopped.status_code == 200
        rest = await reader.read()
    assert first(rest, "done") == {"reason": "cancelled"}
    await gateway.wait_disconnected(timeout=1.0)
    conversation = (await server.client.get(f"conversations/{run['conversation_id']}")).json()
    assert [message["state"] for message in conversation["messages"]] == ["done", "cancelled"]
    assert text(seen) in conversation["messages"][1]["parts"][-1]["text"]


async def test_conversations_stream_at_once_and_stopping_one_leaves_the_other(server: Server) -> None:
    async def ask() -> list[sse.ServerEvent]:
        return await server.ask("x", model="paced-40-60")

    async with server.client.stream("POST", "chat/stream", json={"question": "x", "model": "paced-999-20"}) as response:
        reader = Reader(response)
        run = first(await reader.read("token"), "run")["run_id"]
        others = [asyncio.create_task(ask()) for _ in range(3)]
        await server.client.post(f"chat/{run}/stop")
        assert names(await reader.read())[-1] == "done"
    for other in await asyncio.gather(*others):
        assert first(other, "done") == {"reason": "stop"}
        assert len(text(other).split()) == 40


async def test_the_stream_is_there_after_the_end_and_whole_when_asked(server: Server) -> None:
    found = await server.ask("hi")
    run = first(found, "run")["run_id"]
    assert await events(await stream_get(server, run)) == found
    assert await events(await stream_get(server, run, after=found[-2].id)) == found[-1:]
    assert await events(await stream_get(server, run, after=found[-1].id)) == []


async def stream_get(server: Server, run: str, after: str = "0") -> httpx.Response:
    request = server.client.build_request("GET", f"chat/{run}/stream", params={"after": after})
    return await server.client.send(request, stream=True)


@pytest.mark.parametrize(("after", "status"), [("-1", 400), ("x", 400), ("9" * 40, 400), ("99999", 410), ("١", 400)])
async def test_an_odd_last_event_id_is_refused_and_loses_nothing(server: Server, after: str, status: int) -> None:
    found = await server.ask("hi")
    response = await server.client.get(f"chat/{first(found, 'run')['run_id']}/stream", params={"after": after})
    assert response.status_code == status
    if status == 410:
        parts = {part["type"]: part for part in response.json()["snapshot"]["parts"]}
        assert parts["text"]["text"] == text(found)


async def test_an_unknown_run_is_404(server: Server) -> None:
    for response in (await server.client.get("chat/nope/stream"), await server.client.post("chat/nope/stop")):
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"


async def test_the_answer_without_a_stream_is_the_same(server: Server) -> None:
    answer = (await server.client.post("chat", json={"question": "hi"})).json()
    assert answer["reason"] == "stop"
    assert answer["sources"] == []
    assert answer["usage"]["output_tokens"] > 0
    assert text(await events(await stream_get(server, answer["run_id"]))) == answer["text"]
    assert "error" not in answer


async def test_heartbeats_come_by_the_clock(server: Server) -> None:
    server.extension.known.traits.heartbeat = 0.05
    async with server.client.stream("POST", "chat/stream", json={"question": "x", "model": "paced-10-10"}) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert raw.count(b"\n:") >= 5


async def test_a_question_about_a_missing_notebook_is_an_error_event(server: Server) -> None:
    found = await server.ask("why?", notebook={"path": "gone.ipynb"})
    assert first(found, "error")["code"] == "notebook_not_found"
    assert names(found)[-2:] == ["error", "done"]
    assert str(server.root) not in json.dumps([event.data for event in found])


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("status-401", "key_rejected"),
        ("status-500", "gateway_failed"),
        ("html", "not_a_gateway"),
        ("cut", "gateway_cut"),
    ],
)
async def test_what_a_gateway_does_wrong_is_a_sentence_with_a_next_step(
    server: Server, model: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = await server.ask("hi", model=model)
    error = first(found, "error")
    assert error["code"] == code
    assert error["text"]
    assert error["hint"]
    assert first(found, "done") == {"reason": "error"}
    everything = json.dumps([event.data for event in found]) + caplog.text
    assert KEY not in everything
    assert "Traceback" not in everything


async def test_the_text_before_a_cut_is_kept(server: Server) -> None:
    found = await server.ask("hi", model="cut")
    assert text(found)
    run = first(found, "run")
    conversation = (await server.client.get(f"conversations/{run['conversation_id']}")).json()
    kinds = {part["type"]: part for part in conversation["messages"][1]["parts"]}
    assert kinds["text"]["text"] == text(found)
    assert kinds["error"]["code"] == "gateway_cut"


async def test_a_model_that_nobody_listed_is_passed_on_verbatim(server: Server, gateway: Gateway) -> None:
    await server.ask("hi", model="gateway/echo")
    assert gateway.requests[-1].json["model"] == "echo"


async def test_a_reload_finds_the_running_answer(server: Server) -> None:
    async with server.client.stream("POST", "chat/stream", json={"question": "x", "model": "paced-200-50"}) as response:
        seen = await events(response, until="token")
    run = first(seen, "run")
    conversation = (await server.client.get(f"conversations/{run['conversation_id']}")).json()
    assert conversation["run_id"] == run["run_id"]
    assert conversation["messages"][-1]["state"] == "running"
    listed = (await server.client.get("conversations")).json()["conversations"]
    assert listed[0]["run_id"] == run["run_id"]
    await server.client.post(f"chat/{run['run_id']}/stop")


async def test_stopping_the_server_marks_what_was_running_interrupted(server: Server) -> None:
    async with server.client.stream("POST", "chat/stream", json={"question": "x", "model": "paced-400-50"}) as response:
        reader = Reader(response)
        seen = await reader.read("token")
        await server.extension.stop_extension()
        rest = await reader.read()
    assert first(rest, "done") == {"reason": "interrupted"}
    again = Conversations(server.extension.known.data_dir / "conversations.sqlite", log=logging.getLogger())
    await again.open()
    conversation = await again.get("local", first(seen, "run")["conversation_id"])
    await again.close()
    assert conversation["messages"][-1]["state"] == "interrupted"
    assert conversation["run_id"] is None
    parts = {part["type"]: part for part in conversation["messages"][-1]["parts"]}
    assert text(seen + rest) == parts["text"]["text"]


async def test_conversations_are_renamed_pinned_exported_and_deleted(server: Server) -> None:
    conversation_id = first(await server.ask("Where is the beef?"), "run")["conversation_id"]
    url = f"conversations/{conversation_id}"
    assert (await server.client.get(url)).json()["title"] == "Where is the beef?"
    changed = await server.client.patch(url, json={"title": "Beef", "pinned": True})
    assert (changed.json()["title"], changed.json()["pinned"]) == ("Beef", True)
    for form, kind in (("md", "text/markdown"), ("json", "application/json")):
        exported = await server.client.get(f"{url}/export", params={"format": form})
        assert exported.headers["content-type"].startswith(kind)
        assert "attachment" in exported.headers["content-disposition"]
        assert "Where is the beef?" in exported.text
    assert (await server.client.get(f"{url}/export?format=pdf")).status_code == 400
    assert (await server.client.delete(url)).status_code == 204
    assert (await server.client.get(url)).status_code == 404


async def test_a_conversation_made_empty_takes_the_first_question(server: Server) -> None:
    made = await server.client.post("conversations", json={})
    assert made.status_code == 201
    found = await server.ask("First question", conversation_id=made.json()["id"])
    assert first(found, "title") == {"text": "First question"}


async def test_models_and_settings_are_served_without_secrets(server: Server) -> None:
    listing = (await server.client.get("models")).json()
    assert listing["providers"][0]["name"] == "gateway"
    refreshed = (await server.client.post("models/refresh", json={})).json()
    assert "gateway/markdown" in [model["id"] for model in refreshed["models"]]
    tested = (await server.client.post("models/test", json={})).json()
    assert tested["ok"] is True
    assert tested["seconds"] > 0
    shown = (await server.client.get("settings")).json()
    assert shown["settings"]["api_key"] is True
    assert KEY not in json.dumps([listing, refreshed, tested, shown])


async def test_a_changed_setting_is_in_force_at_once(server: Server, gateway: Gateway) -> None:
    changed = await server.client.patch("settings", json={"model": "echo"})
    assert changed.json()["settings"]["model"] == "echo"
    await server.ask("hi")
    assert gateway.requests[-1].json["model"] == "echo"
    wrong = await server.client.patch("settings", json={"context_tokens": "many"})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (400, "context_tokens")


async def test_health_says_how_the_parts_are(server: Server) -> None:
    await server.ask("hi")
    health = (await server.client.get("health")).json()
    assert health["store"]["state"] == "ok"
    assert health["gateway"]["ok"] is True
    assert set(health) == {"version", "gateway", "store", "index", "rtc", "tabs", "mcp"}


async def test_a_deleted_conversations_answer_is_gone_at_once(server: Server) -> None:
    run = first(await server.ask("Forget me"), "run")
    await server.client.delete(f"conversations/{run['conversation_id']}")
    assert (await server.client.get(f"chat/{run['run_id']}/stream")).status_code == 404


async def test_a_repeated_request_id_gives_the_same_run_also_while_the_store_is_down(
    server: Server, gateway: Gateway
) -> None:
    await server.built.assistant.conversations.close()
    one, two = await asyncio.gather(*(server.ask("hi", request_id="r") for _ in range(2)))
    assert first(one, "run") == first(two, "run")
    assert "cannot be saved" in first(one, "status")["text"]
    assert len(gateway.posts) == 1


async def test_preview_asks_for_no_thinking_exactly_where_the_question_does(server: Server, gateway: Gateway) -> None:
    await server.client.patch("settings", json={"no_think": ["vendor/*", "plain"]})
    for model in ("vendor/plain", "other/plain", "gateway/plain"):
        preview = (await server.client.post("preview", json={"question": "hi", "model": model})).json()
        await server.ask("hi", model=model)
        assert gateway.posts[-1].json["messages"][0]["content"] == preview["items"][0]["text"], model


async def test_the_servers_own_token_reaches_no_model(server: Server, gateway: Gateway) -> None:
    token = server.app.identity_provider.token
    await server.ask(f"What is {token}?")
    assert token.encode() not in gateway.posts[-1].body
    assert b"[redacted" in gateway.posts[-1].body


async def test_a_stopped_extension_opens_nothing_again(server: Server) -> None:
    await server.extension.stop_extension()
    answer = await server.client.post("chat/stream", json={"question": "hi"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
    assert server.extension.built is None


class Defective(Conversations):
    """A store with a defect where an answer's end is kept."""

    async def end(self, run_id: str, **_: Any) -> None:
        raise RuntimeError(f"a defect at the end of {run_id}")


async def test_done_comes_also_when_keeping_the_answer_fails_for_no_known_reason(server: Server) -> None:
    assistant = server.built.assistant
    assert assistant is not None
    assistant.conversations = Defective(None, log=logging.getLogger())
    found = await server.ask("hi")
    await assistant.conversations.close()
    assert first(found, "done") == {"reason": "stop"}


async def test_the_default_model_is_listed_before_anybody_was_asked(server: Server) -> None:
    listing = (await server.client.get("models")).json()
    assert listing["default"] in [model["id"] for model in listing["models"]]


async def test_a_preview_of_a_missing_notebook_is_404(server: Server) -> None:
    missing = await server.client.post("preview", json={"question": "x", "notebook": {"path": "gone.ipynb"}})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "notebook_not_found")


async def test_an_answer_that_another_server_writes_is_followed_to_its_end(server: Server) -> None:
    await server.client.get("conversations")  # opens the store
    other = Conversations(server.extension.known.data_dir / "conversations.sqlite", log=server.app.log)
    await other.open()
    await other.begin("local", conversation_id=None, request_id=None, run_id="theirs", model="m", text="a question")
    await other.checkpoint("theirs", [], frame(1, "run", {"run_id": "theirs"}) + frame(2, "token", {"text": "a"}), 2)

    async with server.client.stream("GET", "chat/theirs/stream") as response:
        reader = Reader(response)
        assert [event.event for event in await reader.read("token")] == ["run", "token"]
        refused = await server.client.post("chat/theirs/stop")
        await other.end(
            "theirs",
            parts=[{"type": "text", "text": "ab"}],
            state="done",
            frames=frame(3, "token", {"text": "b"}) + frame(4, "done", {"reason": "stop"}),
            last=4,
        )
        assert [event.id for event in await reader.read()] == ["3", "4"]

    await other.close()
    assert refused.status_code == 409
    assert "Another Jupyter server" in refused.json()["error"]["message"]


def frame(number: int, event: str, data: Json) -> bytes:
    return f"id: {number}\nevent: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
