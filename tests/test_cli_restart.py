"""The stdio bridge when its server stops, starts anew with another port and token, or dies in the middle of a call."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bridge import ROOT, Bridge, bridge, call
from tests.mcp_clients import ERAS, LEGACY, texts, until

NONE = ["No kernel is running. run_cells starts one for its notebook."]


@asynccontextmanager
async def jupyter(root: Path, runtime: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Jupyter server in a process of its own, with a token of its own, until it answers."""
    os.makedirs(root, exist_ok=True)
    folders = {f"JUPYTER_{name}_DIR": str(runtime / name) for name in ("CONFIG", "DATA")}
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"],
        f"--ServerApp.root_dir={root}",
        "--ServerApp.jpserver_extensions={'jupyter_assistant': True}",
        *(options if any(".sock=" in option for option in options) else [f"--port={free_port()}", *options]),
        env={**os.environ, **folders, "JUPYTER_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        file = runtime / f"jpserver-{process.pid}.json"
        await until(lambda: process.returncode is not None or read(file), 60)
        await answering(read(file))
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def read(file: Path) -> dict[str, Any]:
    """What a server's runtime file tells; nothing while it is not there or is being written."""
    try:
        return dict(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def answering(told: dict[str, Any]) -> None:
    """Until the server that a runtime file tells of answers."""
    transport = httpx.AsyncHTTPTransport(verify=False, uds=told["sock"] or None)
    url = f"http://localhost{told['base_url']}" if told["sock"] else told["url"]
    async with httpx.AsyncClient(trust_env=False, transport=transport, timeout=30) as client:
        while True:
            try:
                await client.get(f"{url}api")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.02)


async def ready(running: Bridge, era: str) -> None:
    """What the client has to say first has been said, and a call has been answered."""
    if era == LEGACY:
        await running.initialize()
    running.send(call("list_kernels", era=era, number="first"))
    assert texts((await running.answer("first"))["result"]) == NONE


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_waits_for_the_server_that_starts_anew(tmp_path: Path, era: str) -> None:
    root, runtime = tmp_path / "root", tmp_path / "run"
    async with bridge(tmp_path, runtime, "--wait", "60") as running:
        async with jupyter(root, runtime) as first:
            await ready(running, era)
            first.kill()
            await first.wait()
        running.send(call("list_kernels", era=era, number=2))
        async with jupyter(root, runtime):
            assert texts((await running.answer(2))["result"]) == NONE
            assert running.others == []


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks into /proc")
@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_may_have_been_done_is_not_done_again(tmp_path: Path, era: str) -> None:
    root, runtime = tmp_path / "root", tmp_path / "run"
    async with bridge(tmp_path, runtime, "--wait", "60") as running:
        async with jupyter(root, runtime) as first:
            await ready(running, era)
            first.send_signal(signal.SIGSTOP)
            running.send(call("create_notebook", {"path": "new.ipynb"}, era=era, number=3))
            running.send(call("list_kernels", era=era, number=4))
            await received(read(runtime / f"jpserver-{first.pid}.json")["port"])
            first.kill()
            await first.wait()
        assert "may have been done" in (await running.answer(3))["error"]["message"]
        async with jupyter(root, runtime):
            running.send(call("list_kernels", era=era, number=5))
            assert texts((await running.answer(5))["result"]) == NONE
        assert not (root / "new.ipynb").exists()


async def received(port: int) -> None:
    """Until something lies unread in a connection to a server that was stopped."""
    await until(lambda: unread(port))


def unread(port: int) -> bool:
    """Whether bytes that came to a port have not been read (Linux)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "01" and int(row[4].split(":")[1], 16) for row in rows)


async def test_waiting_ends_with_what_to_do(tmp_path: Path) -> None:
    root, runtime = tmp_path / "root", tmp_path / "run"
    async with bridge(tmp_path, runtime, "--wait", "0.5") as running:
        async with jupyter(root, runtime):
            await ready(running, LEGACY)
        answers = [await running.ask("tools/list", era=LEGACY, number=number) for number in (2, 3)]
        for answer in answers:
            assert "Start" in answer["error"]["message"]


async def test_another_server_is_never_taken_for_the_one_that_stopped(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    async with bridge(tmp_path, runtime, "--wait", "0.5") as running:
        async with jupyter(tmp_path / "mine", runtime):
            await ready(running, LEGACY)
        async with jupyter(tmp_path / "other", runtime):
            answer = await running.ask("tools/list", era=LEGACY, number=2)
            assert "has stopped" in answer["error"]["message"]


async def test_a_self_signed_server_on_this_machine_is_asked(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = await asyncio.create_subprocess_exec(
        *["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"],
        *["-keyout", str(key), "-out", str(certificate)],
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    runtime = tmp_path / "run"
    options = [f"--certfile={certificate}", f"--keyfile={key}", "--ServerApp.base_url=/user/ann/"]
    async with jupyter(tmp_path / "root", runtime, *options), bridge(tmp_path, runtime) as running:
        assert (await running.ask("tools/list"))["result"]
        assert "https://localhost:" in await running.hear("/user/ann/")


async def test_a_server_that_wants_no_token_is_asked(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    options = ["--IdentityProvider.token="]
    async with jupyter(tmp_path / "root", runtime, *options), bridge(tmp_path, runtime) as running:
        assert (await running.ask("tools/list"))["result"]


async def test_a_server_with_a_password_only_is_told_as_such(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    options = ["--IdentityProvider.token=", "--PasswordIdentityProvider.hashed_password=sha1:0:0"]
    async with jupyter(tmp_path / "root", runtime, *options), bridge(tmp_path, runtime) as running:
        assert "JUPYTER_TOKEN" in (await running.ask("tools/list"))["error"]["message"]


async def test_a_server_on_a_unix_socket_is_asked(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    async with (
        jupyter(tmp_path / "root", runtime, f"--ServerApp.sock={tmp_path / 's'}"),
        bridge(tmp_path, runtime) as b,
    ):
        assert (await b.ask("tools/list"))["result"]
