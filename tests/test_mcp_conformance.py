"""The official conformance suite of the Model Context Protocol, run against a real server's endpoint.

What it finds missing is named here, each with the reason; the suite fails on anything else, and on an entry that is
not true any more.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Json, Server

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
NODE = "node@24"

NO_INPUT = "no tool or prompt of ours asks the client for input: approvals are the chat's, an MCP client asks by itself"
INPUT_REQUIRED = (
    *("basic-elicitation", "basic-sampling", "basic-list-roots", "request-state", "multiple-input-requests"),
    *("multi-round", "non-tool-request", "result-type", "tampered-state", "capability-check"),
    *("missing-input-response", "validate-input"),
)
EXPECTED: dict[str, dict[str, str]] = {
    "2026-07-28": {
        "server-stateless": "two of 25: a tool that needs the client's sampling, which none of ours does",
        **{f"input-required-result-{name}": NO_INPUT for name in INPUT_REQUIRED},
    },
    "2025-11-25": {
        "tools-call-with-logging": "no tool of ours logs to the client; 2026-07-28 drops it",
        "tools-call-sampling": "no tool of ours asks the client's model: the server has its own",
        "tools-call-elicitation": NO_INPUT,
        "elicitation-sep1034-defaults": NO_INPUT,
        "elicitation-sep1330-enums": NO_INPUT,
        "server-sse-polling": "a cut stream is not resumed: get_execution tells the rest",
        "resources-subscribe": "notebooks are not watched for clients: a read gives them as they are",
        "resources-unsubscribe": "as resources-subscribe",
    },
}


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the suite, with a Node.js that it runs on; skips where the packages cannot be had."""
    folder = tmp_path_factory.mktemp("conformance")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm to fetch the conformance suite")
    (folder / "package.json").write_text('{"private": true}')
    fetched = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", SUITE, NODE],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if fetched.returncode:
        pytest.skip(f"the conformance suite cannot be fetched: {fetched.stderr.strip()[-200:]}")
    modules = folder / "node_modules"
    return [str(modules / ".bin" / "node"), str(modules / "@modelcontextprotocol/conformance/dist/index.js")]


@pytest.fixture
def jp_server_config(assistant_config: Json) -> Json:
    """Open to this machine: the suite sends no token where it builds addresses of its own."""
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_assistant": True}, "disable_check_xsrf": True},
        "JupyterAssistant": assistant_config,
    }


@pytest.fixture
def address(server: Server, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    from tests import conformance

    server.app.identity_provider.token = ""  # pytest-jupyter configures one
    endpoint = conformance.conforming(server)
    server.built.mcp = endpoint
    yield f"{server.client.base_url}mcp"
    jp_asyncio_loop.run_until_complete(endpoint.close())


@pytest.mark.network
@pytest.mark.parametrize("revision", sorted(EXPECTED))
async def test_the_endpoint_conforms(suite: list[str], address: str, revision: str, tmp_path: Path) -> None:
    expected = tmp_path / "expected.yml"
    lines = [f"  - {scenario} # {reason}\n" for scenario, reason in EXPECTED[revision].items()]
    expected.write_text("server:" + ("\n" + "".join(lines) if lines else " []\n"))
    chosen = (
        ["--requirements", revision] if revision >= "2026-07-28" else ["--suite", "all", "--spec-version", revision]
    )
    process = await asyncio.create_subprocess_exec(
        *[*suite, "server", "--url", address, *chosen, "--expected-failures", str(expected), "-o", "out"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 540)
    text = re.sub(r"\x1b\[[0-9;]*m", "", said.decode())
    assert process.returncode == 0, f"{text.partition('=== SUMMARY ===')[2]}\n{failures(tmp_path / 'out')}"
    assert re.search(r"Total: \d{2,} passed", text)


def failures(folder: Path) -> str:
    """What the suite found wrong, check by check."""
    checks = [check for file in sorted(folder.rglob("checks.json")) for check in json.loads(file.read_text())]
    return "\n".join(f"{check['id']}: {check.get('errorMessage')}" for check in checks if check["status"] == "FAILURE")
