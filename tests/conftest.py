"""What every test may use: a real Jupyter server whose start and stop hooks run, and a scripted gateway."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings
from jupyter_server.serverapp import ServerApp

from jupyter_assistant import sse
from jupyter_assistant.extension import AssistantExtension
from jupyter_assistant.extension.composition import Composition
from tests.gateway import Gateway, running_gateway

pytest_plugins = ["pytest_jupyter.jupyter_server"]

settings.register_profile("unhurried", deadline=None)  # no test asserts a time
settings.load_profile("unhurried")
pytest.register_assert_rewrite("tests.document", "tests.document_outputs")

Json = dict[str, Any]


def heeds_interrupts() -> None:
    """For a new process, as in a terminal: what is started in the background inherits that interrupts are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Server:
    """A running Jupyter server with the extension, and a client that holds its token."""

    app: ServerApp
    extension: AssistantExtension
    client: httpx.AsyncClient
    root: Path

    @property
    def built(self) -> Composition:
        """What answers; a server that was not set up rightly has none."""
        assert self.extension.built is not None
        return self.extension.built

    async def ask(self, question: str, **fields: Any) -> list[sse.ServerEvent]:
        """The events of a whole answer."""
        async with self.client.stream("POST", "chat/stream", json={"question": question, **fields}) as response:
            assert response.status_code == 200, await response.aread()
            return await events(response)


class Reader:
    """Reads a stream's events in pieces."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.aiter_raw()
        self._decoder = sse.Decoder()
        self._events: list[sse.ServerEvent] = []

    async def read(self, until: str | None = None) -> list[sse.ServerEvent]:
        """The events up to the first named ``until`` (it is the last then), or all the rest."""
        found: list[sse.ServerEvent] = []
        while not found or found[-1].event != until:
            while not self._events:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    return found
                self._events = self._decoder.feed(chunk)
            found.append(self._events.pop(0))
        return found


async def events(response: httpx.Response, *, until: str | None = None) -> list[sse.ServerEvent]:
    """The events of a stream, all of them or up to the first named ``until``."""
    return await Reader(response).read(until)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model of the machine's owner is ever asked by a test."""
    for name in list(os.environ):
        if name.startswith("JUPYTER_ASSISTANT_") or name.endswith(("_API_KEY", "_BASE_URL", "_proxy", "_PROXY")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def jp_server_cleanup(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """End the test's server, where it had one; pytest-jupyter's own makes one just to end it."""
    yield
    if not ServerApp.initialized():
        return
    app = ServerApp.instance()
    jp_asyncio_loop.run_until_complete(app._cleanup())
    app.kernel_manager.context.destroy()
    app.contents_manager.notary.store.close()  # it leaves its database to the collector, which 3.13 warns of
    ServerApp.clear_instance()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A scripted gateway on loopback, running in a thread of its own."""
    with running_gateway() as running:
        yield running


@pytest.fixture
def assistant_config() -> Json:
    """``c.JupyterAssistant`` of a test's server; override it."""
    return {}


@pytest.fixture
def jp_server_config(assistant_config: Json) -> Json:
    """The configuration of the server under test."""
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_assistant": True}},
        "JupyterAssistant": assistant_config,
    }


StartServer = Callable[[], Any]


@pytest.fixture
def server(
    jp_serverapp: ServerApp,
    http_server: Any,
    jp_http_port: int,
    jp_base_url: str,
    jp_root_dir: Path,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[Server]:
    """The server, started as a real one is, stopped at the end with nothing left behind."""
    extension = jp_serverapp.extension_manager.extension_apps["jupyter_assistant"].copy().pop()
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.start_all_extensions())
    if extension.wrong is None:
        jp_asyncio_loop.run_until_complete(extension.open())
    client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{jp_http_port}{jp_base_url}assistant/",
        headers={"Authorization": f"token {jp_serverapp.identity_provider.token}"},
        timeout=20,
        trust_env=False,
    )
    yield Server(jp_serverapp, extension, client, jp_root_dir)
    jp_asyncio_loop.run_until_complete(client.aclose())
    jp_asyncio_loop.run_until_complete(extension.stop_extension())
