"""``jupyter assistant doctor`` against a real server, with each layer broken in turn."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import proxy
from tests.conftest import Server
from tests.gateway import Gateway

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Report:
    """What the command printed. ``layers`` are in the order in which they were walked."""

    status: int
    out: str
    err: str

    @property
    def layers(self) -> dict[str, str]:
        """How each layer is."""
        return {name: state for state, name in re.findall(r"^(ok|broken|not tried) +(\w+) ", self.out, re.MULTILINE)}

    @property
    def broken(self) -> list[str]:
        """The layers that are broken."""
        return [name for name, state in self.layers.items() if state == "broken"]


async def doctor(url: str, token: str, *arguments: str, runtime: Path) -> Report:
    """Run the command as a person does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "jupyter_assistant.cli", "doctor", "--url", url, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(runtime)},
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    assert b"Traceback" not in err
    assert not token or token.encode() not in out + err
    return Report(process.returncode, out.decode(), err.decode())


def address(server: Server, port: int | None = None) -> str:
    """The server's base URL, or the same behind another port."""
    return f"http://127.0.0.1:{port or server.client.base_url.port}{server.app.base_url}"


def token(server: Server) -> str:
    return str(server.app.identity_provider.token)


async def connect(server: Server, gateway: Gateway, model: str = "paced-30-20", url: str = "") -> None:
    answer = await server.client.patch("settings", json={"base_url": url or gateway.url, "model": model})
    assert answer.status_code == 200


async def test_a_sound_chain_is_walked_whole_and_nothing_is_left(
    server: Server, gateway: Gateway, tmp_path: Path
) -> None:
    await connect(server, gateway)
    report = await doctor(address(server), token(server), runtime=tmp_path)
    assert report.layers == dict.fromkeys(("server", "loop", "stream", "origin", "gateway", "answer", "kernel"), "ok")
    assert (report.status, report.err) == (0, "")
    assert (await server.client.get("conversations")).json()["conversations"] == []
    assert list(server.app.kernel_manager.list_kernel_ids()) == []


async def test_without_a_gateway_the_built_in_responder_is_told(server: Server, tmp_path: Path) -> None:
    report = await doctor(address(server), token(server), "--no-kernel", runtime=tmp_path)
    assert report.status == 0
    assert "the built-in responder answers" in report.out
    assert report.layers["kernel"] == "not tried"


async def test_a_dead_gateway_is_named_with_its_remedy(server: Server, gateway: Gateway, tmp_path: Path) -> None:
    await connect(server, gateway, url="http://127.0.0.1:9/v1")
    report = await doctor(address(server), token(server), "--no-kernel", runtime=tmp_path)
    assert (report.status, report.broken) == (1, ["gateway"])
    assert "First broken layer: gateway." in report.err
    assert "127.0.0.1:9" in report.err


async def test_a_missing_v1_is_named(server: Server, gateway: Gateway, tmp_path: Path) -> None:
    await connect(server, gateway, url=gateway.url.removesuffix("/v1"))
    report = await doctor(address(server), token(server), "--no-kernel", runtime=tmp_path)
    assert (report.status, report.broken) == (1, ["gateway"])
    assert "/v1" in report.err


async def test_a_gateway_that_breaks_off_is_named(server: Server, gateway: Gateway, tmp_path: Path) -> None:
    await connect(server, gateway, "cut-3")
    report = await doctor(address(server), token(server), "--no-kernel", runtime=tmp_path)
    assert report.broken in (["gateway"], ["answer"])
    assert report.status == 1


async def test_a_gateway_that_keeps_its_stream_back_is_named(server: Server, gateway: Gateway, tmp_path: Path) -> None:
    await connect(server, gateway, "whole-9")
    report = await doctor(address(server), token(server), "--no-kernel", runtime=tmp_path)
    assert (report.status, report.broken) == (1, ["answer"])
    assert "in one piece" in report.err


async def test_a_wrong_token_is_named_and_nothing_else_is_tried(server: Server, tmp_path: Path) -> None:
    report = await doctor(address(server), "wrong", runtime=tmp_path)
    assert (report.status, report.layers) == (1, {"server": "broken"})
    assert "--token or JUPYTER_TOKEN" in report.err


async def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    report = await doctor("http://127.0.0.1:9/", "x", runtime=tmp_path)
    assert (report.status, report.layers) == (1, {"server": "broken"})


async def test_a_server_without_the_assistant_is_told_from_a_wrong_token(server: Server, tmp_path: Path) -> None:
    report = await doctor(address(server) + "elsewhere/", token(server), runtime=tmp_path)
    assert report.layers == {"server": "broken"}
    assert "runs without Jupyter Assistant" in report.err


async def test_nginx_set_up_rightly_breaks_nothing(server: Server, gateway: Gateway, tmp_path: Path) -> None:
    await connect(server, gateway)
    with proxy.nginx(tmp_path / "nginx", server.client.base_url.port or 0, proxy.RIGHT) as port:
        report = await doctor(address(server, port), token(server), runtime=tmp_path)
    assert report.broken == []


@pytest.mark.parametrize(
    ("settings", "layer", "remedy"),
    [
        (proxy.BUFFERING, "stream", "proxy_buffering off"),
        (proxy.WITHOUT_HOST, "origin", "proxy_set_header Host"),
        (proxy.WITHOUT_SOCKETS, "kernel", "Upgrade"),
    ],
    ids=["buffering", "without Host", "without Upgrade"],
)
async def test_a_proxy_set_up_wrongly_is_named_with_its_remedy(
    server: Server, tmp_path: Path, settings: str, layer: str, remedy: str
) -> None:
    with proxy.nginx(tmp_path / "nginx", server.client.base_url.port or 0, settings) as port:
        report = await doctor(address(server, port), token(server), "--no-model", runtime=tmp_path)
    assert report.status == 1
    assert report.broken[0] == layer
    assert f"First broken layer: {layer}." in report.err
    assert remedy in report.err
    assert list(server.app.kernel_manager.list_kernel_ids()) == []
