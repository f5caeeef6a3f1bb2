"""What a panel's messages ask of its kernel: of the routes in the list only, in threads that end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from jupyter_assistant.errors import ServerLost, ServerUnreachable
from jupyter_assistant.kernel.panel.alone import Told
from jupyter_assistant.kernel.panel.errands import THREAD, Door, Errands, is_listed

Json = dict[str, Any]
ROUTES = Path(__file__).parent / "golden" / "panel-routes.json"


class Page:
    """What the page hears."""

    def __init__(self) -> None:
        self.heard: Queue[Json] = Queue()

    def answer(self, id: str) -> tuple[int, str]:
        """Status and text of a whole answer."""
        status, text = 0, ""
        while True:
            piece = self.heard.get(timeout=10)
            assert piece["id"] == id
            if piece["kind"] == "head":
                status = piece["status"]
            elif piece["kind"] == "chunk":
                text += piece["text"]
            else:
                assert piece["kind"] == "end", piece
                return status, text


class House:
    """A door that answers as the test says, and notes what it was asked."""

    def __init__(self, *pieces: bytes, status: int = 200, lost: Exception | None = None) -> None:
        self.asked: list[tuple[str, str, bytes | None, Mapping[str, str]]] = []
        self.left = threading.Event()
        self.held = threading.Event()
        self._pieces = pieces
        self._status = status
        self._lost = lost

    def open(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Told:
        self.asked.append((method, path, body, headers))
        if isinstance(self._lost, ServerUnreachable):
            raise self._lost
        return Told(self._status, {"Content-Type": "text/plain", "Set-Cookie": "no"}, self._body(), self.left.set)

    def _body(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._lost:
            raise self._lost
        if self.held.is_set():
            self.left.wait(10)


def errands(house: Door) -> tuple[Page, Errands]:
    page = Page()
    return page, Errands(page.heard.put, lambda: house)


def request(path: str = "models", method: str = "GET", **more: Any) -> Json:
    return {"kind": "request", "id": "r1", "method": method, "path": path, "headers": {}, **more}


def until(what: Callable[[], object]) -> None:
    """Wait for the thing."""
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def test_a_knock_is_answered_at_once() -> None:
    page, desk = errands(House())
    desk.take({"kind": "knock", "id": "k"})
    assert page.heard.get_nowait() == {"kind": "taken", "id": "k"}


def test_an_answer_comes_in_pieces_whose_letters_are_whole() -> None:
    text = "naïve — 🙂"
    house = House(*(bytes([byte]) for byte in text.encode()))
    page, desk = errands(house)
    desk.take(request("chat/stream", "POST", body='{"a": 1}', headers={"Accept": "x", "Cookie": "stolen"}))
    assert page.answer("r1") == (200, text)
    assert house.asked == [("POST", "chat/stream", b'{"a": 1}', {"accept": "x"})]


def test_only_the_headers_the_panel_reads_are_told() -> None:
    page, desk = errands(House())
    desk.take(request())
    head = page.heard.get(timeout=10)
    assert head == {"kind": "head", "id": "r1", "status": 200, "headers": {"content-type": "text/plain"}}


@pytest.mark.parametrize("error", [ServerUnreachable("gone"), ServerLost("cut")])
def test_a_lost_server_is_said(error: Exception) -> None:
    page, desk = errands(House(b"x", lost=error))
    desk.take(request())
    kinds = [page.heard.get(timeout=10)["kind"] for _ in range(1 if isinstance(error, ServerUnreachable) else 3)]
    assert kinds[-1] == "lost"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "../api/contents"),
        ("GET", "conversations/../../api/contents"),
        ("GET", "http://evil.example/models"),
        ("GET", "//evil.example/models"),
        ("GET", "mcp"),
        ("POST", "mcp"),
        ("GET", "models?x=1"),
        ("DELETE", "settings"),
        ("PUT", "models"),
        ("GET", "models\n"),
        ("GET", "conversations/a/b"),
        ("POST", "chat/a%2f..%2fb/stop"),
        ("GET", "conversations?archived=2"),
    ],
)
def test_what_is_not_in_the_list_is_never_asked(method: str, path: str) -> None:
    house = House()
    page, desk = errands(house)
    desk.take(request(path, method))
    status, text = page.answer("r1")
    assert (status, json.loads(text)["error"]["code"]) == (400, "invalid")
    assert house.asked == []


def test_every_request_of_the_panel_is_in_the_list() -> None:
    """The golden file is what vitest sees each function of the transport ask for."""
    told = json.loads(ROUTES.read_text("utf-8"))
    assert len(told) > 15
    assert [each for each in told if not is_listed(*each.split(" ", 1))] == []


@pytest.mark.parametrize("message", [None, 7, [], {}, {"kind": "request"}, {"kind": "request", "id": 7}, {"id": "x"}])
def test_messages_of_other_shapes_are_passed_over(message: object) -> None:
    page, desk = errands(House())
    desk.take(message)
    assert page.heard.empty()
    assert ours() == []


@pytest.mark.parametrize("field", [{"method": 7}, {"path": None}, {"body": {"a": 1}}, {"body": "x" * (10 * 2**20 + 1)}])
def test_a_request_of_a_wrong_shape_is_refused(field: Json) -> None:
    house = House()
    page, desk = errands(house)
    desk.take({**request(), **field})
    assert page.answer("r1")[0] == 400
    assert house.asked == []


def test_leaving_an_answer_closes_it_and_its_thread_ends() -> None:
    house = House(b"first")
    house.held.set()
    page, desk = errands(house)
    desk.take(request())
    assert [page.heard.get(timeout=10)["kind"] for _ in range(2)] == ["head", "chunk"]
    desk.take({"kind": "cancel", "id": "r1"})
    assert house.left.wait(10)
    until(lambda: ours() == [])
    assert page.heard.empty()


def test_close_leaves_all_and_takes_no_more() -> None:
    house = House(b"first")
    house.held.set()
    page, desk = errands(house)
    for number in range(3):
        desk.take({**request(), "id": f"r{number}"})
    until(lambda: len(house.asked) == 3)
    desk.close()
    assert ours() == []
    desk.take({**request(), "id": "late"})
    assert len(house.asked) == 3
    assert not [piece for piece in page.heard.queue if piece["id"] == "late"]
