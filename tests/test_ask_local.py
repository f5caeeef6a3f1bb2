"""Without a Jupyter server the process asks the gateway of its environment itself, or the built-in responder."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_assistant.kernel import finding
from jupyter_assistant.kernel.asking import Asked, Session
from jupyter_assistant.kernel.client.stream import Event
from jupyter_assistant.kernel.local import Local
from jupyter_assistant.messages import ContextItem
from tests.gateway import Gateway

PREFIX = "JUPYTER_ASSISTANT_"


def environ(gateway: Gateway | None = None, model: str = "echo", **more: str) -> dict[str, str]:
    """The machine's environment without anybody's server or keys."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("JPY_", "JUPYTER_")) and not k.endswith("_API_KEY")
    }
    if gateway is not None:
        kept |= {PREFIX + "BASE_URL": gateway.url, PREFIX + "MODEL": model, PREFIX + "API_KEY": "sk-canary-of-a-key"}
    return {**kept, **more}


def text(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "token")


def test_the_events_are_those_of_a_server(gateway: Gateway) -> None:
    answer = Local(environ(gateway, "reasoning")).ask({"question": "hello"})
    events = list(answer)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.name for event in events] == ["run", "context", "reasoning", "reasoning", "token", "usage", "done"]
    assert events[0].data == {
        "run_id": answer.run_id,
        "conversation_id": answer.conversation_id,
        "model": "gateway/reasoning",
    }
    assert events[-1].data == {"reason": "stop"}
    assert text(events) == "The answer."
    assert gateway.posts[-1].headers["authorization"] == "Bearer sk-canary-of-a-key"


def test_no_thread_and_no_connection_outlives_an_answer(gateway: Gateway) -> None:
    local = Local(environ(gateway, "paced-5000-50"))
    with local.ask({"question": "left"}) as answer:
        next(answer)
    stopped = local.ask({"question": "stopped"})
    events = []
    for event in stopped:
        events.append(event)
        if event.name == "token":
            stopped.stop()
    assert events[-1].data == {"reason": "cancelled"}
    for thread in threading.enumerate():
        if thread.name.startswith("jupyter-assistant"):
            thread.join(10)  # it may be in the middle of an import
            assert not thread.is_alive()
    gateway.wait(lambda g: g.open == 0)


def test_an_answer_that_is_read_in_one_thread_is_closed_from_another(gateway: Gateway) -> None:
    answer = Local(environ(gateway, "stall")).ask({"question": "x"})
    read: list[Event] = []
    reader = threading.Thread(target=lambda: read.extend(answer))
    reader.start()
    gateway.wait(lambda g: g.open > 0)
    answer.close()
    reader.join(10)
    assert not reader.is_alive()
    gateway.wait(lambda g: g.open == 0)


def test_a_conversation_is_remembered_and_another_is_not(gateway: Gateway) -> None:
    local = Local(environ(gateway))
    first = local.ask({"question": "my name is Ada"})
    list(first)
    list(local.ask({"question": "and now?", "conversation_id": first.conversation_id}))
    said = [(m["role"], m["content"]) for m in gateway.posts[-1].json["messages"]]
    assert said[1:] == [("user", "my name is Ada"), ("assistant", "my name is Ada"), ("user", "and now?")]
    list(local.ask({"question": "who?"}))
    assert len(gateway.posts[-1].json["messages"]) == 2


def test_the_endpoints_come_in_the_order_of_the_design() -> None:
    keys = {"OPENROUTER_API_KEY": "or", "OPENAI_API_KEY": "oa", PREFIX + "API_KEY": "ja"}
    assert [each.name for each in Local(keys).providers()] == ["gateway", "openai", "openrouter"]
    assert Local({"OPENAI_API_KEY": "oa", "OPENAI_BASE_URL": "http://x/v1/"}).providers()[0].base_url == "http://x/v1"
    assert Local({}).providers() == ()


def test_what_is_sent_holds_no_secret_of_the_process(gateway: Gateway) -> None:
    local = Local(environ(gateway, SOME_TOKEN="a-token-of-somebody"))
    item = ContextItem("cell", "In [1]", "key = 'sk-canary-of-a-key' # a-token-of-somebody")
    list(local.ask({"question": "is a-token-of-somebody safe? sk-abcdefghijklmnop"}, [item]))
    body = gateway.posts[-1].body.decode()
    assert "a-token-of-somebody" not in body
    assert "sk-canary" not in body
    assert "sk-abcdef" not in body
    assert "[hidden]" in body


def test_a_large_context_is_left_out_rather_than_sent(gateway: Gateway) -> None:
    local = Local(environ(gateway))
    items = [ContextItem("cell", f"In [{n}]", f"{n} " + "x" * 30_000) for n in range(4)]
    events = list(local.ask({"question": "hello"}, items))
    given = next(event.data for event in events if event.name == "context")
    assert [item["label"] for item in given["items"]] == ["In [0]"]
    assert given["chars"] <= given["budget"]


@pytest.mark.parametrize(("model", "code"), [("status-401", "key_rejected"), ("cut", "gateway_cut")])
def test_an_error_is_an_event_before_done(gateway: Gateway, model: str, code: str) -> None:
    events = list(Local(environ(gateway, model)).ask({"question": "x"}))
    assert (events[0].name, events[-2].data["code"], events[-1].data) == ("run", code, {"reason": "error"})


def test_models_are_those_of_the_gateway(gateway: Gateway) -> None:
    local = Local(environ(gateway))
    assert "gateway/echo" in [model["id"] for model in local.models()["models"]]
    assert [model["id"] for model in local.models_known()["models"]] == [m["id"] for m in local.models()["models"]]
    assert [model["id"] for model in Local({}).models()["models"]] == ["offline/responder"]
    before = len(gateway.requests)
    assert "gateway/echo" in [model["id"] for model in Local(environ(gateway)).models_known()["models"]]
    assert len(gateway.requests) == before


def test_a_process_that_no_server_started_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    for parent in ({}, {finding.PARENT: ""}, {finding.PARENT: "x"}, {finding.PARENT: str(os.getpid())}):
        assert finding.server(parent) is None
    assert finding.path(None) == ""


class _Plain(http.server.BaseHTTPRequestHandler):
    """A Jupyter server without the assistant, as far as it matters here."""

    def do_POST(self) -> None:
        self.send_error(404)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """This process as the kernel of a server without the assistant; gives the server's port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Plain) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        told = {"hostname": "127.0.0.1", "port": server.server_port, "token": "t", "pid": os.getpid(), "base_url": "/"}
        (tmp_path / f"jpserver-{os.getpid()}.json").write_text(json.dumps(told))
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
        monkeypatch.setenv(finding.PARENT, str(os.getpid()))
        yield int(server.server_port)
        server.shutdown()
        thread.join()


def test_a_server_without_the_assistant_is_passed_by(
    elsewhere: int, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ(gateway).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(finding.PARENT, str(os.getpid()))
    found = finding.server()
    assert found is not None
    assert found.url == f"http://127.0.0.1:{elsewhere}/"
    exchange = Session().ask(Asked("hello"))
    assert text(list(exchange)) == "hello"


def test_without_ipython_the_api_asks_all_the_same(gateway: Gateway, tmp_path: Path) -> None:
    code = "from jupyter_assistant import ask, stream; print(ask('hello').text, [e.name for e in stream('x')][-1])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ(gateway), capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "hello done\n"
    assert done.stderr == ""


NOTEBOOK = ["%load_ext jupyter_assistant\ntotal = 41", "%ask what is {total} and $total?"]


@pytest.fixture
def executed(tmp_path: Path, gateway: Gateway) -> Path:
    """A notebook that ``jupyter nbconvert --execute`` has run."""
    cells = [nbformat.v4.new_code_cell(source) for source in NOTEBOOK]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    file = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), file)
    _nbconvert(tmp_path, environ(gateway), "--to", "notebook", "--execute", "--inplace", str(file))
    return file


def _nbconvert(folder: Path, given: dict[str, str], *arguments: str) -> None:
    given = {**given, "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder / "run")}
    command = [sys.executable, "-W", "ignore", "-m", "nbconvert", *arguments]
    subprocess.run(command, check=True, capture_output=True, env=given, cwd=folder, timeout=120)


def test_nbconvert_runs_it_and_what_is_saved_reads_without_us(executed: Path, gateway: Gateway) -> None:
    output = nbformat.read(executed, as_version=4).cells[1].outputs
    assert [kind for one in output for kind in one["data"]] == ["text/markdown", "text/plain"]
    assert "what is 41 and 41?" in output[0]["data"]["text/markdown"]
    for form, suffix in (("markdown", "md"), ("html", "html")):
        _nbconvert(executed.parent, environ(), "--to", form, str(executed))
        page = executed.with_suffix(f".{suffix}").read_text("utf-8")
        assert "what is 41 and 41?" in page
        assert re.search(r"gateway/echo · \d", page)
    assert re.search(r"<em>gateway/echo · [\d.]+ s</em>", page)
