"""The ``tab`` socket: who is let in, what it takes, and how a connection ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError

from jupyter_assistant.notebooks.tab import MAX_FRAME, Tabs
from jupyter_assistant.notebooks.tab.window import FRAMES, MISSED, REPLACED, STOPPING, TOO_MUCH, WRONG_FRAME
from tests.conftest import Server
from tests.document import THREE
from tests.kernels import until
from tests.tabs import Window, connected, put
from tests.test_auth import ReadOnly

HELLO = '{"type":"hello","window":"w","protocol":1}'


async def tabs_of(server: Server) -> Tabs:
    return (await server.extension.open()).notebooks.tabs


@asynccontextmanager
async def raw(server: Server, *messages: str | bytes) -> AsyncIterator[WebSocketClientConnection]:
    socket = await connected(server)
    for message in messages:
        await socket.write_message(message, binary=isinstance(message, bytes))
    yield socket
    socket.close()


async def end_of(socket: WebSocketClientConnection) -> tuple[int | None, str]:
    """How the server ended it."""
    while await socket.read_message() is not None:
        pass
    return socket.close_code, socket.close_reason or ""


# ---------------------------------------------------------------- who is let in


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_nobody_comes_in_without_the_token(server: Server, token: str) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await connected(server, token=token)
    assert refused.value.code == 403
    assert (await tabs_of(server)).state == {"windows": 0, "notebooks": 0, "unsaved": 0}


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1.evil.example", "http://127.0.0.1:1", "null"]
)
async def test_no_page_of_another_origin_comes_in_even_with_the_token(server: Server, origin: str) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await connected(server, Origin=origin)
    assert refused.value.code == 403


async def test_a_page_of_this_server_comes_in(server: Server) -> None:
    own = str(server.client.base_url).split("/a%40b")[0]
    socket = await connected(server, Origin=own)
    socket.close()


async def test_the_authorizer_is_asked(server: Server) -> None:
    settings = server.app.web_app.settings
    before = settings["authorizer"]
    settings["authorizer"] = ReadOnly(parent=server.app)
    try:
        with pytest.raises(HTTPClientError) as refused:
            await connected(server)
    finally:
        settings["authorizer"] = before
    assert refused.value.code == 403


async def test_a_plain_request_is_no_window(server: Server) -> None:
    assert (await server.client.get("tab")).status_code == 400


async def test_an_open_window_does_not_keep_the_server_from_being_idle(server: Server) -> None:
    settings = server.app.web_app.settings
    settings.pop("api_last_activity", None)
    (await tabs_of(server)).ping_seconds = 0.01
    async with Window(server) as window:
        await until(lambda: window.pings > 3)
        assert "api_last_activity" not in settings


# ---------------------------------------------------------------- what it takes


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        (["{"], "not JSON"),
        (["[" * 100_000], "nested too deeply"),
        (["[1]"], "must be a JSON object"),
        (['{"type":"other"}'], "no frame of that type"),
        (['{"type":["hello"]}'], "no frame of that type"),
        (['{"type":"documents","documents":[]}'], "must be hello"),
        (['{"type":"hello","window":"","protocol":1}'], "window must be"),
        (['{"type":"hello","window":"w","protocol":2}'], "protocol 1"),
        ([HELLO, HELLO], "already"),
        ([HELLO, '{"type":"documents","documents":{}}'], "must be a list"),
        ([HELLO, '{"type":"documents","documents":[{"document":"d"}]}'], "path must be"),
        ([HELLO, '{"type":"reply","id":"1","ok":true,"result":{}}'], "id must be"),
        ([HELLO, '{"type":"reply","id":1,"ok":true,"result":[]}'], "result must be"),
        ([HELLO, '{"type":"progress","id":1,"cells":[1]}'], "cell must be"),
        ([HELLO, '{"type":"pong","id":-1}'], "id must be"),
        ([HELLO, b"\x00\xff"], "must be text"),
    ],
)
async def test_a_wrong_frame_ends_the_connection_with_a_sentence(
    server: Server, messages: list[str | bytes], told: str
) -> None:
    async with raw(server, *messages) as socket:
        code, reason = await end_of(socket)
    assert code == WRONG_FRAME
    assert told in reason
    assert (await tabs_of(server)).state["windows"] == 0


async def test_a_frame_that_is_too_large_is_not_read(server: Server) -> None:
    async with raw(server, HELLO) as socket:
        tabs = await tabs_of(server)
        await until(lambda: tabs.state["windows"] == 1)
        with suppress(WebSocketClosedError, StreamClosedError):
            await socket.write_message("x" * (MAX_FRAME + 1))
        assert (await end_of(socket))[0] == 1009
        await until(lambda: tabs.state["windows"] == 0)


async def test_a_flood_ends_the_connection(server: Server) -> None:
    async with raw(server, HELLO, *['{"type":"pong","id":1}'] * FRAMES) as socket:
        assert (await end_of(socket))[0] == TOO_MUCH


async def test_a_reply_nobody_waits_for_is_nothing(server: Server) -> None:
    put(server, THREE)
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        window.say(type="reply", id=999, ok=True, result={})
        window.say(type="progress", id=999, cells=[{}])
        document = await (await server.extension.open()).notebooks.open("a.ipynb")
        assert [cell.id for cell in (await document.read()).cells] == [cell["id"] for cell in page.cells]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"revision": "1", "order": ["a"], "cells": [], "metadata": {}},
        {"revision": "1", "order": ["a", "a"], "cells": [], "metadata": {}},
        {"revision": "1", "order": [1], "cells": [{}], "metadata": {}},
        {"revision": 1, "order": [], "cells": [], "metadata": {}},
        {"revision": "1", "order": [], "cells": ["x"], "metadata": {}},
    ],
)
async def test_an_answer_that_is_no_notebook_gives_way_to_the_file(server: Server, answer: dict[str, Any]) -> None:
    put(server, THREE)
    async with Window(server) as window:
        await window.open("a.ipynb")
        window.answers = lambda message: {"type": "reply", "id": message["id"], "ok": True, "result": answer}
        snapshot = await (await (await server.extension.open()).notebooks.open("a.ipynb")).read()
    assert (snapshot.home, [cell.id for cell in snapshot.cells]) == ("file", ["a", "b", "c"])
    assert "saved last" in snapshot.note


# ---------------------------------------------------------------- how a connection ends


async def test_two_missed_pings_end_it(server: Server) -> None:
    tabs = await tabs_of(server)
    tabs.ping_seconds = 0.05
    put(server, THREE)
    async with Window(server) as window:
        await window.open("a.ipynb")
        window.deaf = True
        await until(lambda: window.socket.close_code is not None)
        assert window.socket.close_code == MISSED
        assert tabs.paths() == frozenset()


async def test_a_page_that_connects_again_takes_its_own_place(server: Server) -> None:
    tabs = await tabs_of(server)
    put(server, THREE)
    async with Window(server, "same") as first:
        await first.open("a.ipynb")
        async with Window(server, "same") as second:
            await until(lambda: first.socket.close_code is not None)
            assert first.socket.close_code == REPLACED
            assert tabs.state == {"windows": 1, "notebooks": 0, "unsaved": 0}
            page = await second.open("a.ipynb")
            page.type("a", "second")
            document = await (await server.extension.open()).notebooks.open("a.ipynb")
            assert (await document.read()).cells[0].source == "second"


async def test_the_server_says_goodbye_when_it_stops(server: Server) -> None:
    window = Window(server)
    await window.join()
    tabs = await tabs_of(server)
    await until(lambda: tabs.state["windows"] == 1)
    await server.extension.stop_extension()
    await until(lambda: window.socket.close_code is not None)
    assert window.socket.close_code == STOPPING
    await window.leave()


async def test_health_counts_windows_and_notebooks(server: Server) -> None:
    put(server, THREE)
    put(server, THREE, "b.ipynb")
    async with Window(server) as one, Window(server) as two:
        await one.open("a.ipynb")
        await one.open("b.ipynb")
        page = await two.open("a.ipynb")
        page.type("a", "typed")
        await two.shown()
        tabs = await tabs_of(server)
        health = json.loads((await server.client.get("health")).text)
        assert health["tabs"] == {"windows": 2, "notebooks": 3, "unsaved": 1}
    await until(lambda: tabs.state == {"windows": 0, "notebooks": 0, "unsaved": 0})
