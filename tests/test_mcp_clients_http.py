"""``mcp/clients``: what the card in the sidebar shows is what ``--print-config`` prints, with no secret in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User

from jupyter_assistant.cli import CLIENTS, main
from jupyter_assistant.server.clients import OTHER_TOKEN
from jupyter_assistant.server.handlers.clients import remark
from tests.conftest import Json, Server

TOKEN = "a-very-secret-token"


@pytest.fixture
def assistant_config() -> Json:
    return {"mcp_tools": "write"}


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command looks for running servers."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


async def listed(server: Server, origin: str) -> Json:
    response = await server.client.get("mcp/clients", params={"origin": origin})
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def forms(found: Json, client: str) -> list[Json]:
    return list(next(each["forms"] for each in found["clients"] if each["name"] == client))


@pytest.mark.parametrize("client", CLIENTS)
async def test_they_are_what_the_command_prints_for_the_same_server(
    server: Server, runtime: Path, capsys: pytest.CaptureFixture[str], client: str
) -> None:
    at = urlsplit(str(server.client.base_url))
    told = {"hostname": "localhost", "port": at.port, "base_url": at.path.removesuffix("assistant/"), "token": TOKEN}
    (runtime / "jpserver-1.json").write_text(json.dumps({**told, "pid": os.getpid(), "root_dir": str(server.root)}))
    found = forms(await listed(server, f"http://localhost:{at.port}"), client)
    capsys.readouterr()
    assert [form["form"] for form in found] == ["stdio", "http"]
    for form in found:
        assert main(["mcp", "--print-config", client, "--form", form["form"]]) == 0
        out, err = capsys.readouterr()
        assert out == form["text"] + "\n"
        assert err == f"# {form['note']}\n"


async def test_it_says_what_rights_a_client_has(server: Server) -> None:
    assert (await listed(server, "http://localhost:8888"))["tools"] == "write"


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_on_another_machine_is_told_of_the_server_and_starts_a_program_of_its_own(
    server: Server, client: str
) -> None:
    found = forms(await listed(server, "https://hub.example"), client)
    base = server.app.base_url
    assert [form["form"] for form in found] == ["http", "stdio"]
    assert f"https://hub.example{base}assistant/mcp" in found[0]["text"]
    assert f"https://hub.example{base}" in found[1]["text"]
    assert '"jupyter-assistant"' in found[1]["text"]
    assert server.app.identity_provider.token not in json.dumps(found)


class Hub(IdentityProvider):
    """Somebody else's, who knows everybody."""

    async def get_user(self, handler: object) -> User:
        return User("ann")


PASSWORD = "argon2:$argon2id$v=19$m=10240,t=10,p=8$c2FsdA$aGFzaA"


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        (IdentityProvider(token="a"), ""),
        (PasswordIdentityProvider(token="a", hashed_password=PASSWORD), ""),
        (PasswordIdentityProvider(token="", hashed_password=PASSWORD), "start it with one"),
        (PasswordIdentityProvider(token="", hashed_password=""), "any token will do"),
        (Hub(token="a"), "the hub"),
    ],
)
def test_what_there_is_to_say_of_a_token_is_said(provider: IdentityProvider, told: str) -> None:
    assert told in remark(provider)
    assert bool(told) is bool(remark(provider))


async def test_where_the_token_is_not_the_servers_own_each_form_says_so(server: Server) -> None:
    server.app.web_app.settings["identity_provider"] = Hub(token="")
    for each in (await listed(server, "http://localhost:8888"))["clients"]:
        assert [form["note"].endswith(OTHER_TOKEN) for form in each["forms"]] == [True, True]


async def test_without_an_origin_it_is_the_address_that_was_asked(server: Server) -> None:
    found = (await server.client.get("mcp/clients")).json()
    assert f"{server.client.base_url}mcp" in forms(found, "claude")[1]["text"]


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "localhost:8888",
        "ftp://h",
        "http://h/lab",
        "http://h?",
        "http://a:b@h",
        'http://h"',
        "http://h:x",
        "http://[h",
    ],
)
async def test_what_is_no_origin_is_refused_by_name(server: Server, origin: str) -> None:
    response = await server.client.get("mcp/clients", params={"origin": origin})
    assert response.status_code == 400
    assert response.json()["error"]["field"] == "origin"


async def test_it_is_for_those_who_may_come_in(server: Server) -> None:
    response = await server.client.get("mcp/clients", headers={"Authorization": "token wrong"})
    assert response.status_code == 403
