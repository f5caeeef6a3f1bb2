"""Talking to a real server from a synchronous program: lost connections lose nothing, only a stop stops."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_assistant.errors import (
    ConversationBusy,
    Gone,
    InvalidInput,
    NotFound,
    ServerLost,
    ServerRefused,
    ServerUnreachable,
    TooLarge,
)
from jupyter_assistant.kernel.client import Server
from jupyter_assistant.kernel.client.reply import Length, Pieces
from jupyter_assistant.kernel.client.stream import Event, Talk, refusal
from tests.gateway import Gateway, running_gateway
from tests.lab import Lab, running_lab


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:
        yield running


@pytest.fixture(scope="module")
def lab(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "paced-40-200"}
    with running_lab(tmp_path_factory.mktemp("lab"), environ, base_url="/user/ann/") as running:
        yield running


@pytest.fixture
def talk(lab: Lab) -> Talk:
    return Talk(Server(lab.url, lab.token))


def text(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "token")


WHOLE = "".join(f"word{number} " for number in range(40))


def test_an_answers_events_come_in_order_and_end_with_done(talk: Talk) -> None:
    with talk.ask({"question": "hello"}) as answer:
        events = list(answer)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert (events[0].name, events[-1].name, events[-1].data) == ("run", "done", {"reason": "stop"})
    assert answer.run_id == events[0].data["run_id"]
    assert answer.conversation_id
    assert text(events) == WHOLE


@pytest.mark.parametrize("often", [1, 3])
def test_a_lost_connection_loses_nothing(talk: Talk, gateway: Gateway, often: int) -> None:
    asked = len(gateway.posts)
    events = []
    with talk.ask({"question": "hello"}) as answer:
        for event in answer:
            events.append(event)
            if event.name == "token" and event.number % 9 == 0 and often:
                often -= 1
                assert answer._reply is not None
                answer._reply._line.shutdown(2)
    assert text(events) == WHOLE
    assert len(gateway.posts) == asked + 1


def test_a_question_sent_twice_is_asked_once(talk: Talk, gateway: Gateway) -> None:
    asked = len(gateway.posts)
    with talk.ask({"question": "hello", "request_id": "the-same"}) as one:
        first = next(one).data
        with talk.ask({"question": "hello", "request_id": "the-same"}) as two:
            assert next(two).data == first
            assert text(list(two)) == WHOLE
    assert len(gateway.posts) == asked + 1


def test_a_stop_ends_the_model_and_the_events_go_on_to_done(talk: Talk, gateway: Gateway) -> None:
    with talk.ask({"question": "hello", "model": "paced-5000-50"}) as answer:
        events = []
        for event in answer:
            events.append(event)
            if event.name == "token" and len(text(events)) < 20:
                answer.stop()
    assert events[-1].data == {"reason": "cancelled"}
    gateway.wait(lambda g: g.open == 0)


def test_closing_from_another_thread_ends_the_reader_and_the_run(talk: Talk, gateway: Gateway) -> None:
    answer = talk.ask({"question": "hello", "model": "stall"})
    read: list[Event] = []
    reader = threading.Thread(target=lambda: read.extend(answer))
    reader.start()
    gateway.wait(lambda g: g.open > 0)
    answer.close()
    reader.join(10)
    assert not reader.is_alive()
    assert read[0].name == "run"
    gateway.wait(lambda g: g.open == 0)


def test_a_stop_before_the_first_event_finds_the_run_all_the_same(talk: Talk, gateway: Gateway) -> None:
    answer = talk.ask({"question": "hello", "model": "paced-5000-50"})
    reply = answer._first()
    answer._asked = True
    reply.close()
    assert answer.run_id == reply.headers["x-run-id"]
    answer.run_id = ""
    answer.stop()
    gateway.wait(lambda g: g.open == 0)


class _Broken(http.server.BaseHTTPRequestHandler):
    """Takes every question and ends each stream before its first event."""

    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": \n\n")

    def log_message(self, format: str, *args: Any) -> None:
        return


def test_a_server_that_never_answers_is_given_up_without_haste() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Broken) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with pytest.raises(ServerLost, match="again and again"):
            list(Talk(Server(f"http://127.0.0.1:{server.server_port}/"), patience=1.0).ask({"question": "x"}))
        server.shutdown()
        thread.join()
    assert 1 < _Broken.asked < 10


def test_leaving_lets_the_run_go_on(talk: Talk) -> None:
    answer = talk.ask({"question": "hello"})
    run = next(answer).data["run_id"]
    answer.leave()
    reply = talk.open("GET", f"chat/{run}/stream")
    assert b"word39" in b"".join(reply.chunks())
    reply.close()


def test_what_is_refused_says_why(talk: Talk, lab: Lab) -> None:
    with pytest.raises(InvalidInput, match="question") as wrong:
        list(talk.ask({"question": ""}))
    assert wrong.value.field == "question"
    with pytest.raises(NotFound):
        list(talk.ask({"question": "x", "conversation_id": "nowhere"}))
    with pytest.raises(ServerRefused) as refused:
        list(Talk(Server(lab.url, "wrong")).ask({"question": "x"}))
    assert refused.value.status == 403
    with pytest.raises(ServerRefused, match="does not have Jupyter Assistant") as refused:
        Talk(Server(f"{lab.url}nowhere/", lab.token)).get("health")
    assert refused.value.status == 404
    with pytest.raises(ServerUnreachable):
        list(Talk(Server("http://127.0.0.1:1/")).ask({"question": "x"}))
    with talk.ask({"question": "x", "model": "paced-5000-50"}) as answer:
        next(answer)
        with pytest.raises(ConversationBusy) as busy:
            list(talk.ask({"question": "y", "conversation_id": answer.conversation_id}))
        assert busy.value.run_id == answer.run_id


def test_a_refusal_is_an_error_of_the_tree() -> None:
    def body(**said: Any) -> Any:
        return {"error": {"code": "x", "message": "No.", "hint": "Do.", **said}}

    gone = refusal(410, {**body(), "snapshot": {"a": 1}})
    assert isinstance(gone, Gone)
    assert gone.snapshot == {"a": 1}
    assert isinstance(refusal(413, body()), TooLarge)
    assert isinstance(refusal(500, None), ServerRefused)
    plain = refusal(503, body())
    assert (plain.text, plain.hint) == ("No.", "Do.")


def test_requests_give_status_and_json(talk: Talk) -> None:
    status, listed = talk.request("GET", "models")
    assert status == 200
    assert listed["default"]
    assert talk.request("POST", "chat/none/stop")[0] == 404
    assert talk.get("health")["version"]
    reply = talk.send("GET", "api/status")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["started"]


BODY = b"5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 3, 7, len(BODY)])
def test_chunks_are_read_however_they_are_cut(step: int) -> None:
    pieces = Pieces()
    found = b"".join(pieces.feed(BODY[at : at + step]) for at in range(0, len(BODY), step))
    assert found == b"hello, world"
    assert pieces.ended
    with pytest.raises(ValueError, match="invalid literal"):
        Pieces().feed(b"<html>\r\n")


def test_a_body_of_a_told_length_ends_there() -> None:
    body = Length(5)
    assert body.feed(b"hel") == b"hel"
    assert body.incomplete
    assert body.feed(b"lo, and more") == b"lo"
    assert body.ended
    assert Length(0).ended


def test_what_is_no_stream_is_told_as_such(talk: Talk) -> None:
    from jupyter_assistant.kernel.client.stream import _fed
    from jupyter_assistant.sse import Decoder

    with pytest.raises(ServerLost):
        _fed(Decoder(), b"data: {not json\n\n")
    assert _fed(Decoder(), b'id: 3\nevent: x\ndata: {"a":1}\n\n') == [Event(3, "x", json.loads('{"a":1}'))]
