"""A kernel is let in however people log in: by password, or not at all; and only where its server's secret fits."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jupyter_server.auth.security import passwd

from jupyter_assistant.extension import AssistantExtension
from jupyter_assistant.server.handlers.base import KERNEL_HEADER
from jupyter_assistant.settings import KERNEL_VARIABLE
from tests.asking import call, notebook_kernel, put
from tests.conftest import Server
from tests.gateway import Gateway
from tests.lab import Lab, running_lab

XSRF = {"X-XSRFToken": "0" * 32, "Cookie": f"_xsrf={'0' * 32}"}


@contextmanager
def tokenless_lab(folder: Path, gateway: Gateway, password: str = "") -> Iterator[Lab]:
    """JupyterLab without a token, behind a password or open to all."""
    (folder / "token").write_text("")
    config = {"PasswordIdentityProvider": {"hashed_password": passwd(password, "sha1")}} if password else {}
    (folder / "etc").mkdir()
    (folder / "etc" / "jupyter_server_config.json").write_text(json.dumps(config))
    environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "echo"}
    with running_lab(folder, environ) as lab:
        put(lab.root / "a.ipynb", "total = 41", "%ask …")
        yield lab


def login(lab: Lab, password: str) -> dict[str, str]:
    """The headers of a browser that has logged in."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    browser.open(f"{lab.url}login", timeout=20).close()
    xsrf = next(cookie.value for cookie in jar if cookie.name == "_xsrf")
    form = urllib.parse.urlencode({"password": password, "_xsrf": xsrf}).encode()
    browser.open(f"{lab.url}login", form, timeout=20).close()
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
    xsrf = next(cookie.value for cookie in jar if cookie.name == "_xsrf") or ""
    return {"Cookie": cookies, "X-XSRFToken": xsrf, "Authorization": ""}


@pytest.mark.parametrize("password", ["", "open sesame"])
def test_a_kernel_asks_its_server_without_a_token(tmp_path: Path, gateway: Gateway, password: str) -> None:
    with tokenless_lab(tmp_path, gateway, password) as lab:
        headers = login(lab, password) if password else {**XSRF, "Authorization": ""}
        if password:
            with pytest.raises(urllib.error.HTTPError, match="403"):
                call(lab, "GET", "assistant/health")
        with notebook_kernel(lab, "a.ipynb", headers) as kernel:
            kernel.run("%load_ext jupyter_assistant")
            ran = kernel.run("%ask what is total?", "cell-1")
            assert ran.markdown.rstrip().partition("\n\n*gateway/echo")[0].endswith("what is total?")
            assert "total = 41" in gateway.posts[-1].question
            call(lab, "PATCH", "api/contents/a.ipynb", {"path": "renamed.ipynb"}, headers)
            call(lab, "PATCH", f"api/sessions/{kernel.session_id}", {"path": "renamed.ipynb"}, headers)
            kernel.run("%ask --fresh and now?", "cell-1")
            assert '"renamed.ipynb"' in gateway.posts[-1].question
        listed = call(lab, "GET", "assistant/conversations", None, headers)["conversations"]
        assert [one["title"] for one in listed] == ["and now?", "what is total?"]


async def test_only_this_servers_own_secret_lets_a_kernel_in(server: Server) -> None:
    client = server.client
    client.headers.pop("Authorization")
    secret = server.extension.kernel_secret
    for given, status in ((secret, 200), (secret[:-1], 403), (secret + "0", 403), ("", 403), ("é", 403)):
        headers = [(KERNEL_HEADER.encode(), given.encode("latin-1"))]
        assert (await client.get("health", headers=headers)).status_code == status
        body = {"question": "x"}
        assert (await client.post("chat", headers=headers, json=body)).status_code == status
    client.cookies.clear()
    url = str(client.base_url).removesuffix("assistant/") + "api/sessions"
    assert (await client.get(url, headers={KERNEL_HEADER: secret})).status_code == 403


async def test_a_kernels_conversations_are_the_users(server: Server) -> None:
    asked = await server.client.post("chat", json={"question": "mine"})
    token = server.client.headers.pop("Authorization")
    headers = {KERNEL_HEADER: server.extension.kernel_secret}
    listed = (await server.client.get("conversations", headers=headers)).json()["conversations"]
    assert [one["id"] for one in listed] == [asked.json()["conversation_id"]]
    server.client.headers["Authorization"] = token


async def test_each_server_has_a_secret_of_its_own_and_takes_it_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    secret = server.extension.kernel_secret
    assert os.environ[KERNEL_VARIABLE] == secret
    assert len(secret) >= 32
    other = AssistantExtension(parent=server.app)
    other.serverapp = server.app
    other.initialize_settings()
    assert other.kernel_secret not in ("", secret)
    assert {secret, other.kernel_secret} & set(server.extension.known.secrets()) == {secret}
    await server.extension.stop_extension()
    assert os.environ[KERNEL_VARIABLE] == other.kernel_secret
    await other.stop_extension()
    assert KERNEL_VARIABLE not in os.environ


async def test_a_server_of_many_users_takes_no_kernels_secret(server: Server) -> None:
    from jupyter_server.auth.identity import IdentityProvider

    class OfAHub(IdentityProvider):
        pass

    server.app.web_app.settings["identity_provider"] = OfAHub(parent=server.app, token="other")
    server.client.headers.pop("Authorization")
    headers = {KERNEL_HEADER: server.extension.kernel_secret}
    assert (await server.client.get("health", headers=headers)).status_code == 403
