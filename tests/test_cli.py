"""The command line: help, ``config``, and configurations that MCP clients read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from jupyter_assistant import __version__
from jupyter_assistant.cli import CLIENTS, main, wire
from jupyter_assistant.server import clients as known
from tests.bridge import ROOT
from tests.conftest import Json

TOKEN = "a-very-secret-token"


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> str:
    """A server that is told of; gives its endpoint."""
    told = {"hostname": "localhost", "port": 8901, "base_url": "/x/", "token": TOKEN, "root_dir": str(tmp_path)}
    (runtime / "jpserver-1.json").write_text(json.dumps({**told, "pid": os.getpid()}))
    return "http://localhost:8901/x/assistant/mcp"


def toml(text: str) -> Any:
    library = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    return library.loads(text)


def entry(client: str, text: str) -> Json:
    """The server's entry in a client's configuration."""
    if client == "codex":
        return dict(toml(text)["mcp_servers"]["jupyter"])
    return dict(json.loads(text)["servers" if client == "vscode" else "mcpServers"]["jupyter"])


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_without_a_command_help_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)
    assert "mcp" in text
    assert "config" in text


def test_jupyter_finds_the_command() -> None:
    scripts = toml((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert scripts == {"jupyter-assistant": "jupyter_assistant.cli:main"}


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_assistant.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == __version__


def test_config_tells_where_things_are_and_no_secret(
    capsys: pytest.CaptureFixture[str], running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_ASSISTANT_API_KEY", "sk-canary")
    text = printed(capsys, "config")
    assert running in text
    assert "JUPYTER_ASSISTANT_API_KEY" in text
    assert str(Path("jupyter_assistant")) in text
    assert TOKEN not in text
    assert "sk-canary" not in text


def test_config_says_what_to_do_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert "No Jupyter server is running. Start one" in printed(capsys, "config")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("form", ["stdio", "http"])
def test_a_configuration_is_whole_and_holds_no_secret(
    capsys: pytest.CaptureFixture[str], running: str, client: str, form: str
) -> None:
    assert main(["mcp", "--print-config", client, "--form", form]) == 0
    out, err = capsys.readouterr()
    assert TOKEN not in out + err
    assert known.CLIENTS[client].file in err
    found = entry(client, out)
    if form == "http":
        assert found["url"] == running
        named = found.get("bearer_token_env_var") or found["headers"]["Authorization"]
        assert ("jupyter-token" if client == "vscode" else "JUPYTER_TOKEN") in named
    else:
        assert found["args"] == ["mcp"]
        assert Path(found["command"]).name.startswith("jupyter-assistant")


@pytest.mark.parametrize("client", CLIENTS)
def test_both_forms_are_printed_unless_one_is_asked_for(
    capsys: pytest.CaptureFixture[str], running: str, client: str
) -> None:
    both = printed(capsys, "mcp", "--print-config", client)
    one, other = (printed(capsys, "mcp", "--print-config", client, "--form", form) for form in ("stdio", "http"))
    assert both == one + other


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_is_named_is_named_to_the_bridge_and_its_token_is_not(
    capsys: pytest.CaptureFixture[str], client: str
) -> None:
    address = f"https://hub.example/user/ann/lab?token={TOKEN}"
    text = printed(capsys, "mcp", "--print-config", client, "--form", "stdio", "--url", address)
    assert TOKEN not in text
    found = entry(client, text)
    assert found["args"] == ["mcp", "--url", "https://hub.example/user/ann/"]
    assert "JUPYTER_TOKEN" in (found.get("env") or found["env_vars"])


def test_vs_code_asks_for_the_token_it_is_told_of(capsys: pytest.CaptureFixture[str], running: str) -> None:
    whole = json.loads(printed(capsys, "mcp", "--print-config", "vscode", "--form", "http"))
    assert [(each["id"], each["password"]) for each in whole["inputs"]] == [("jupyter-token", True)]
    assert "${input:jupyter-token}" in whole["servers"]["jupyter"]["headers"]["Authorization"]


def test_without_a_server_the_usual_address_is_printed_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--print-config", "claude", "--form", "http"]) == 0
    out, err = capsys.readouterr()
    assert "http://localhost:8888/assistant/mcp" in out
    assert "change it to yours" in err


def test_a_wrong_address_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--print-config", "claude", "--url", "ftp://x"]) == 1
    assert "--url: not the address of a server" in capsys.readouterr().err


# ---------------------------------------------------------------- the messages


@pytest.mark.parametrize("name", ["a", "read_notebook", "a b", "~!"])
def test_a_plain_name_is_a_header_as_it_is(name: str) -> None:
    assert wire.header_value(name) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "ä", "a\nb", "=?base64?YQ==?="])
def test_any_other_name_arrives_at_the_server_all_the_same(name: str) -> None:
    from mcp.shared.inbound import decode_header_value

    value = wire.header_value(name)
    assert value.isascii()
    assert value != name
    assert decode_header_value(value) == name


def test_a_line_break_between_tokens_is_none_on_the_line() -> None:
    assert json.loads(wire.one_line('{"a":\r\n"b\\n"}')) == {"a": "b\n"}
    assert wire.one_line('{"a":\n1}').count(b"\n") == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"jsonrpc": "2.0", "id": null, "error": {"code": -32601, "message": "No."}}', (-32601, "No.")),
        ('{"error": {"code": "x", "message": "Large.", "hint": "Send less."}}', (-32000, "Large. Send less.")),
        ("<html>", (-32000, "The Jupyter server answered with HTTP status 418. Its log has the details.")),
        ("[1]", (-32000, "The Jupyter server answered with HTTP status 418. Its log has the details.")),
    ],
)
def test_a_refusal_is_an_answer_to_the_request(body: str, told: tuple[int, str]) -> None:
    answer = json.loads(wire.refusal("seven", 418, body))
    assert (answer["id"], answer["error"]["code"], answer["error"]["message"]) == ("seven", *told)
