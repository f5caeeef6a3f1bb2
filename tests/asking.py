"""A real JupyterLab with a real kernel of a notebook, run cell by cell as a front-end runs them."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.gateway import Gateway, Reply, Request, running_gateway
from tests.lab import Lab, running_lab

Json = dict[str, Any]
SECONDS = 60


@dataclass
class Ran:
    """What running a cell gave: each output as it is in the end, and every state of the displays on the way."""

    status: str = ""
    outputs: list[Json] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    next_inputs: list[str] = field(default_factory=list)
    count: int = 0
    _shown: dict[str, Json] = field(default_factory=dict)

    @property
    def markdown(self) -> str:
        """The Markdown outputs, joined."""
        found = [output["data"].get("text/markdown", "") for output in self.outputs if "data" in output]
        return "\n\n".join(text for text in found if text)

    @property
    def text(self) -> str:
        """What was printed."""
        return "".join(output["text"] for output in self.outputs if output["output_type"] == "stream")

    @property
    def errors(self) -> list[str]:
        return [output["ename"] for output in self.outputs if output["output_type"] == "error"]

    def take(self, kind: str, content: Json) -> None:
        """A message on iopub, as a front-end applies it."""
        shown = (content.get("transient") or {}).get("display_id")
        if kind == "update_display_data" and shown in self._shown:
            self._shown[shown]["data"] = content["data"]
        elif kind in ("display_data", "execute_result", "stream", "error"):
            output = {"output_type": kind, **{k: v for k, v in content.items() if k != "transient"}}
            self.outputs.append(output)
            if shown:
                self._shown[shown] = output
        if kind in ("display_data", "update_display_data"):
            self.states.append(content["data"].get("text/markdown", ""))


class Kernel:
    """A notebook's kernel, with a front-end of our own at it."""

    def __init__(self, lab: Lab, kernel_id: str, session_id: str, client: BlockingKernelClient) -> None:
        self.lab = lab
        self.id = kernel_id
        self.session_id = session_id
        self.client = client

    def run(self, code: str, cell_id: str = "", during: Callable[[Ran], bool] | None = None) -> Ran:
        """Run a cell to its end. ``during`` is shown each state until it returns True (to interrupt, say)."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        asked = message["header"]["msg_id"]
        ran = Ran()
        until = time.monotonic() + SECONDS
        while True:
            heard = self.client.get_iopub_msg(timeout=until - time.monotonic())
            if heard["parent_header"].get("msg_id") != asked:
                continue
            ran.take(heard["msg_type"], heard["content"])
            if during and during(ran):
                during = None
            if heard["msg_type"] == "status" and heard["content"]["execution_state"] == "idle":
                break
        while (reply := self.client.get_shell_msg(timeout=SECONDS))["parent_header"].get("msg_id") != asked:
            pass
        ran.status, ran.count = reply["content"]["status"], reply["content"].get("execution_count", 0)
        ran.next_inputs = [p["text"] for p in reply["content"].get("payload", []) if p["source"] == "set_next_input"]
        return ran

    def value(self, expression: str) -> Any:
        """A JSON-able value of the kernel."""
        ran = self.run(f"import json as _json; print(_json.dumps({expression}))")
        assert ran.status == "ok", ran.outputs
        return json.loads(ran.text)

    def complete(self, line: str) -> list[str]:
        """What Tab offers at the end of a line."""
        reply = self.client.complete(line, reply=True, timeout=SECONDS)
        return [str(match) for match in reply["content"]["matches"]]

    def interrupt(self) -> None:
        """As the front-end's button does."""
        call(self.lab, "POST", f"api/kernels/{self.id}/interrupt")


def call(lab: Lab, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """A request to the server with its token; the JSON of its answer."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Authorization": f"token {lab.token}", "Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(f"{lab.url}{path}", data, sent, method=method)
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        text = response.read()
    return json.loads(text) if text else None


@contextmanager
def notebook_kernel(
    lab: Lab, path: str, headers: Mapping[str, str] | None = None, name: str = "python3"
) -> Iterator[Kernel]:
    """The kernel of a notebook, started as a front-end starts it."""
    asked = {"path": path, "name": path, "type": "notebook", "kernel": {"name": name}}
    session = call(lab, "POST", "api/sessions", asked, headers)
    kernel_id = session["kernel"]["id"]
    file = lab.log.parent / "run" / f"kernel-{kernel_id}.json"
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        _wait(client)
        yield Kernel(lab, kernel_id, session["id"], client)
    finally:
        client.stop_channels()
        call(lab, "DELETE", f"api/sessions/{session['id']}", None, headers)


def _wait(client: BlockingKernelClient) -> None:
    """Until the kernel answers; a busy machine's late heartbeat is taken for a death by the client."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            client.wait_for_ready(timeout=SECONDS)
            return
        except RuntimeError:
            if time.monotonic() > until:
                raise


def put(file: Path, *sources: str) -> None:
    """A notebook with these code cells, ``cell-0``, ``cell-1``, …"""
    import nbformat

    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{at}") for at, source in enumerate(sources)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), file)


ANSWERS = {
    "mends": "You divide by zero.\n\n```python\n1 / 1\n```\n",
    "json": 'Here:\n\n```json\n{"cities": ["Rome"]}\n```\n',
    "prose": "No value at all.",
    "mixed": "\n```bash\npip install a\n```\n\n```python\na = 1\n```\n\n```python\nb = 2\n```\n\n```text\n2\n```\n",
    "evil": "Look: ![x](https://evil.example/?q=1) <img src='https://evil.example/'>",
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:
        for name, text in ANSWERS.items():
            running.play(name)(_says(text))
        running.play("cut-code")(_says("```python\nimport os\n", whole=False))
        yield running


def _says(text: str, *, whole: bool = True) -> Any:
    async def say(reply: Reply, request: Request) -> None:
        await reply.head()
        for piece in text.splitlines(keepends=True):
            await reply.delta(content=piece)
        await reply.finish("stop" if whole else "length")

    return say


@pytest.fixture(scope="module")
def lab(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "markdown"}
    environ |= {"JUPYTER_ASSISTANT_API_KEY": "sk-the-gateways-own-key"}
    with running_lab(tmp_path_factory.mktemp("lab"), environ) as running:
        (running.root / "deep").mkdir()
        put(running.root / "deep" / "a.ipynb", "total = 41", "%ask …")
        yield running


@pytest.fixture(scope="module")
def loaded(lab: Lab) -> Iterator[Kernel]:
    with notebook_kernel(lab, "deep/a.ipynb") as kernel:
        assert kernel.run("total = 41\n%load_ext jupyter_assistant", "cell-0").status == "ok"
        yield kernel


@pytest.fixture
def kernel(loaded: Kernel) -> Kernel:
    """The kernel, in a new conversation with no model of its own."""
    loaded.run("from jupyter_assistant.kernel.asking import forget; forget()")
    return loaded
