"""``ChatPanel`` on the kernel's side: light, bounded, in a real kernel, and gone when it is closed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from jupyter_assistant.kernel.panel.alone import Alone
from jupyter_assistant.kernel.panel.errands import request_of
from jupyter_assistant.kernel.panel.reach import Reach
from tests.conftest import Server
from tests.gateway import Gateway

Json = dict[str, Any]
JSON = "application/json"
ROOT = Path(__file__).parents[1]


def run(code: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


def test_the_package_is_light_until_a_panel_is_wanted() -> None:
    code = (
        "import sys, jupyter_assistant as j; before = 'anywidget' in sys.modules;"
        "print(before, j.ChatPanel.__name__, 'anywidget' in sys.modules, 'httpx' in sys.modules)"
    )
    assert run(code) == "False ChatPanel True False"


def test_a_height_out_of_bounds_is_refused_with_the_bound() -> None:
    code = (
        "from jupyter_assistant import ChatPanel\n"
        "for height in (199, 4001, 'high'):\n"
        "    try: ChatPanel(height=height)\n"
        "    except Exception as error: print(type(error).__name__, error)"
    )
    said = run(code).splitlines()
    assert [line.split()[0] for line in said] == ["TraitError"] * 3
    assert "200" in said[0]
    assert "4000" in said[1]


def test_a_closed_panel_leaves_no_thread() -> None:
    code = (
        "import threading; from jupyter_assistant import ChatPanel; p = ChatPanel(); p.close();"
        "print([t.name for t in threading.enumerate() if 'assistant' in t.name])"
    )
    assert run(code) == "[]"


def test_panels_share_their_script_and_differ_in_their_state() -> None:
    code = (
        "from jupyter_assistant import ChatPanel; a, b = ChatPanel(), ChatPanel(height=300)\n"
        "print(a.panel != b.panel, a._esm is b._esm or a._esm == b._esm, a.height, b.height, repr(a))"
    )
    assert run(code) == "True True 480 300 <ChatPanel: run this cell to talk with Jupyter Assistant here>"


@pytest.fixture
def client(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingKernelClient]:
    """A real kernel that no Jupyter server started, with the gateway in its environment."""
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    environ = {**os.environ, "OPENAI_BASE_URL": gateway.url, "OPENAI_API_KEY": "k", "JUPYTER_ASSISTANT_MODEL": "echo"}
    manager, connected = start_new_kernel(env=environ, cwd=str(ROOT))
    yield connected
    connected.stop_channels()
    manager.shutdown_kernel(now=True)


def heard(client: BlockingKernelClient, kind: str) -> Json:
    """The next message of a kind on the kernel's own channel."""
    while True:
        message: Json = client.get_iopub_msg(timeout=20)
        if message["msg_type"] == kind:
            return message


def test_a_real_kernel_answers_a_panel_and_closing_it_leaves_no_thread(client: BlockingKernelClient) -> None:
    client.execute("from jupyter_assistant import ChatPanel; panel = ChatPanel()")
    opened = heard(client, "comm_open")
    while opened["content"]["data"]["state"].get("_view_module") != "anywidget":
        opened = heard(client, "comm_open")
    comm = opened["content"]["comm_id"]

    def say(content: Json) -> None:
        data = {"comm_id": comm, "data": {"method": "custom", "content": content}}
        client.shell_channel.send(client.session.msg("comm_msg", data))

    def pieces() -> Iterator[Json]:
        while True:
            data = heard(client, "comm_msg")["content"]["data"]
            if data.get("method") == "custom":
                yield data["content"]

    said = pieces()
    say({"kind": "knock", "id": "k"})
    assert next(said) == {"kind": "taken", "id": "k"}
    body = json.dumps({"question": "Hello kernel"})
    say({"kind": "request", "id": "r", "method": "POST", "path": "chat/stream", "headers": {}, "body": body})
    head = next(said)
    assert (head["kind"], head["status"]) == ("head", 200)
    text = ""
    for piece in said:
        if piece["kind"] == "end":
            break
        text += piece["text"]
    assert 'kernel"}' in text
    assert "event: done" in text
    client.execute("panel.close(); import threading; print([t.name for t in threading.enumerate()])")
    printed = heard(client, "stream")["content"]["text"]
    assert "jupyter-assistant" not in printed


async def test_a_server_with_the_assistant_is_asked_and_one_without_is_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    server.app.write_server_info_file()
    loop = asyncio.get_running_loop()
    reach = Reach()
    door = await loop.run_in_executor(None, reach)
    assert not isinstance(door, Alone)
    reply = await loop.run_in_executor(None, lambda: door.open("GET", "models", None, {}))
    assert reply.status == 200
    reply.close()
    told = {"method": "POST", "path": "preview", "body": '{"question": "x"}', "headers": {"Content-Type": JSON}}
    method, path, body, headers = request_of(told)
    posted = await loop.run_in_executor(None, lambda: door.open(method, path, body, headers))
    assert posted.status == 200
    posted.close()
    assert await loop.run_in_executor(None, reach) is door
    server.app.remove_server_info_file()
    alone = Reach()
    assert isinstance(await loop.run_in_executor(None, alone), Alone)
    alone.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("jupyter-assistant")]
