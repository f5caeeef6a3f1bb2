"""``jupyter assistant ask`` as a shell runs it: with a server and without one."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Json, Server, heeds_interrupts
from tests.gateway import Gateway

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "jupyter_assistant.cli", "ask")


@dataclass
class Shell:
    """A folder with a notebook, in which the command is run."""

    folder: Path
    environ: dict[str, str]

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Begin a command."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            cwd=self.folder,
            env=self.environ,
            preexec_fn=heeds_interrupts,
        )

    async def run(self, *arguments: str, given: str = "") -> tuple[int | None, str, str]:
        """A command's exit status and what it printed on both."""
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(given.encode()), 60)
        assert b"Traceback" not in err
        return process.returncode, out.decode(), err.decode()


def shell_in(folder: Path, runtime: Path, **environ: str) -> Shell:
    folder.mkdir(exist_ok=True)
    shutil.copy(ROOT / "examples" / "failing-sales.ipynb", folder)
    return Shell(folder, {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(ROOT), **environ})


@pytest.fixture
def served(server: Server, tmp_path: Path) -> Shell:
    """A folder below the root of a running server."""
    runtime = tmp_path / "told"
    runtime.mkdir()
    told = {
        "hostname": "127.0.0.1",
        "port": server.client.base_url.port,
        "base_url": server.app.base_url,
        "token": server.app.identity_provider.token,
        "root_dir": str(server.root),
        "pid": os.getpid(),
    }
    (runtime / "jpserver-1.json").write_text(json.dumps(told))
    return shell_in(server.root / "sub", runtime)


@pytest.fixture
def alone(tmp_path: Path) -> Shell:
    """A folder that no server has."""
    return shell_in(tmp_path / "alone", tmp_path / "nothing")


async def use(server: Server, gateway: Gateway, model: str) -> None:
    assert (await server.client.patch("settings", json={"base_url": gateway.url, "model": model})).status_code == 200


async def test_the_answer_alone_is_on_standard_output_and_the_conversation_in_the_sidebar(
    served: Shell, server: Server, gateway: Gateway
) -> None:
    await use(server, gateway, "markdown")
    status, out, err = await served.run("what is total?", "failing-sales.ipynb")
    assert (status, err) == (0, "")
    assert out.startswith("## What `total` is")
    assert out.endswith("That is all.\n")
    assert "KeyError" in gateway.posts[-1].body.decode()
    listed = (await server.client.get("conversations")).json()["conversations"]
    assert [each["title"] for each in listed] == ["what is total?"]


async def test_the_question_may_come_from_standard_input(served: Shell, server: Server, gateway: Gateway) -> None:
    await use(server, gateway, "echo")
    status, out, _ = await served.run("-", given="what is\n2 + 2?\n")
    assert status == 0
    assert "what is\n2 + 2?" in out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
@pytest.mark.parametrize("where", [">&-", ">/dev/full"])
async def test_an_output_that_takes_nothing_is_said_and_the_answer_ends(
    alone: Shell, gateway: Gateway, where: str
) -> None:
    alone.environ |= {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "paced-2000-50"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(
        f"{shlex.join(COMMAND)} hello {where}", cwd=alone.folder, env=alone.environ, stdout=pipe, stderr=pipe
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert err.startswith(b"jupyter assistant: The")
    assert err.count(b"\n") == 1
    await gateway.until(lambda g: g.open == 0)


async def test_a_question_that_is_too_long_is_refused_and_not_cut(alone: Shell, gateway: Gateway) -> None:
    alone.environ |= {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "echo"}
    status, out, err = await alone.run("-", given="a" * 32_001)
    assert (status, out) == (1, "")
    assert "more than 32 000 characters" in err
    assert gateway.posts == []


async def test_events_are_printed_one_object_a_line(served: Shell, server: Server, gateway: Gateway) -> None:
    await use(server, gateway, "paced-3-100")
    status, out, err = await served.run("x", "--json")
    events: list[Json] = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["name"], events[-1]["name"]) == ("run", "done")


async def test_a_conversation_is_gone_on_with(served: Shell, server: Server, gateway: Gateway) -> None:
    await use(server, gateway, "paced-3-100")
    _, out, _ = await served.run("first", "--json")
    conversation = json.loads(out.splitlines()[0])["data"]["conversation_id"]
    status, _, _ = await served.run("second", "--conversation", conversation)
    assert status == 0
    assert [message["content"] for message in gateway.posts[-1].json["messages"]][1::2] == ["first", "second"]


async def test_another_model_is_asked_by_its_name(served: Shell, server: Server, gateway: Gateway) -> None:
    await use(server, gateway, "stall")
    status, out, _ = await served.run("x", "--model", "paced-2-100")
    assert (status, gateway.posts[-1].model) == (0, "paced-2-100")
    assert out.strip()


@pytest.mark.parametrize(
    ("model", "status", "said"),
    [("status-401", 1, "jupyter assistant: "), ("finish-length", 3, "incomplete (length)")],
)
async def test_the_exit_status_tells_how_it_ended(
    served: Shell, server: Server, gateway: Gateway, model: str, status: int, said: str
) -> None:
    await use(server, gateway, model)
    found, _, err = await served.run("x")
    assert found == status
    assert said in err


async def test_what_came_before_a_fault_stays_and_the_fault_is_on_a_line_of_its_own(
    served: Shell, server: Server, gateway: Gateway
) -> None:
    await use(server, gateway, "cut-3")
    status, out, err = await served.run("x")
    assert status == 1
    assert out.strip()
    assert out.endswith("\n")
    assert err.startswith("jupyter assistant: ")


async def test_an_interrupt_stops_the_answer_where_it_is_made(served: Shell, server: Server, gateway: Gateway) -> None:
    await use(server, gateway, "paced-999-20")
    process = await served.start("x")
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.read(1), 30)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, err) == (130, b"")
    await gateway.until(lambda g: g.open == 0)


async def test_a_closed_pipe_stops_the_answer_where_it_is_made(served: Shell, server: Server, gateway: Gateway) -> None:
    await use(server, gateway, "paced-999-20")
    command = " ".join((*COMMAND, "x")) + " | head -c 3"
    process = await asyncio.create_subprocess_shell(
        command, stdout=-1, stderr=-1, cwd=served.folder, env=served.environ
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (len(out), err) == (3, b"")
    await gateway.until(lambda g: g.open == 0)


async def test_a_notebook_that_is_not_there_is_named(served: Shell) -> None:
    status, out, err = await served.run("x", "nope.ipynb")
    assert (status, out) == (1, "")
    assert "There is no notebook nope.ipynb." in err


async def test_an_empty_question_and_one_too_long_are_refused(served: Shell) -> None:
    assert (await served.run("  "))[0] == 1
    status, _, err = await served.run("-", given="x" * 40_000)
    assert status == 1
    assert "32 000" in err


async def test_without_a_server_the_built_in_responder_reads_the_notebook(alone: Shell) -> None:
    status, out, err = await alone.run("why does this fail?", "failing-sales.ipynb")
    assert (status, err) == (0, "")
    assert "KeyError: 'price'" in out
    assert "built-in responder" in out


def told(shell: Shell, gateway: Gateway, model: str) -> Shell:
    """The same folder where the environment names a gateway."""
    key = {"JUPYTER_ASSISTANT_API_KEY": "sk-canary-0123456789"}
    names = {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": model}
    return Shell(shell.folder, {**shell.environ, **names, **key})


async def test_without_a_server_the_model_of_the_environment_is_asked(alone: Shell, gateway: Gateway) -> None:
    status, out, err = await told(alone, gateway, "echo").run("what is total?", "failing-sales.ipynb")
    assert (status, err) == (0, "")
    assert "what is total?" in out
    assert "KeyError" in gateway.posts[-1].body.decode()
    assert "sk-canary-0123456789" not in gateway.posts[-1].body.decode() + out
    await gateway.until(lambda g: g.open == 0)


async def test_a_file_that_is_no_notebook_is_refused_and_nothing_is_sent(alone: Shell, gateway: Gateway) -> None:
    (alone.folder / "bad.ipynb").write_text("{")
    status, out, err = await told(alone, gateway, "echo").run("x", "bad.ipynb")
    assert (status, out) == (1, "")
    assert "bad.ipynb" in err
    assert gateway.posts == []


async def test_a_conversation_wants_a_server(alone: Shell) -> None:
    status, _, err = await alone.run("x", "--conversation", "abc")
    assert status == 1
    assert "kept by a server" in err
