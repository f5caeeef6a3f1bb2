"""The other two ways to connect a model, each to an answer: a server on this machine, and a key for a known service."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.chromium.sidebar import Sidebar
from tests.chromium.stage import THEMES
from tests.gateway import Gateway, running_gateway
from tests.lab import Lab

LOCAL = {11434: "ollama", 1234: "lmstudio", 8080: "llamacpp", 8000: "vllm"}
"""Where a local server is looked for, and what a model there is named after."""

KEY = "sk-canary-connect-0123456789"


def free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return tried.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return {}


@pytest.fixture
def local() -> Iterator[Gateway]:
    """A server at one of the usual ports that nobody uses here."""
    port = next((port for port in LOCAL if free(port)), None)
    if port is None:
        pytest.skip("every usual port of a local server is taken on this machine")
    with running_gateway(models=[{"id": "markdown"}], port=port) as running:
        yield running


@pytest.fixture
def service() -> Iterator[Gateway]:
    """An endpoint that wants a key."""
    with running_gateway(key=KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def disconnected(lab: Lab) -> Iterator[None]:
    """The next test finds no model connected."""
    yield
    httpx.patch(
        f"{lab.url}assistant/settings",
        json={"base_url": None, "api_key": None, "model": None},
        headers={"Authorization": f"token {lab.token}"},
        trust_env=False,
    ).raise_for_status()


def test_a_local_server_is_found_tested_and_answers(sidebar: Sidebar, local: Gateway) -> None:
    assert local.requests == []  # nothing is looked for before the user asks
    card = sidebar.root.get_by_role("region", name="Connect a model")
    card.get_by_role("button", name="Look for a local model").click()
    name = f"{LOCAL[local.port]}/markdown"
    card.get_by_label("Model", exact=True).select_option(name)
    card.get_by_role("button", name="Test").click()
    expect(card).to_contain_text("markdown answered in")
    card.get_by_role("button", name="Save").click()
    expect(card).to_have_count(0)
    expect(sidebar.question).to_be_focused()
    sidebar.question.fill("What is total?")
    sidebar.root.get_by_role("button", name="What leaves this machine").click()
    sheet = sidebar.root.get_by_role("dialog", name="What leaves this machine")
    expect(sheet).to_contain_text(f"127.0.0.1:{local.port}, a server on this machine (markdown)")
    sidebar.page.keyboard.press("Escape")
    sidebar.ask("What is total?")
    expect(sidebar.finished()).to_contain_text("What total is")
    assert local.posts[-1].model == "markdown"


def test_a_pasted_key_connects_a_known_service(sidebar: Sidebar, service: Gateway) -> None:
    page = sidebar.page

    def here(route: Route, request: Request) -> None:
        """The service's address stands for one on this machine: no test asks a service in the world."""
        sent = request.post_data or ""
        assert urlsplit(request.url).path.endswith(("models/test", "settings"))
        route.continue_(post_data=sent.replace("https://api.openai.com/v1", service.url))

    page.route(re.compile(r"/assistant/(models/test|settings)(\?|$)"), here)
    card = sidebar.root.get_by_role("region", name="Connect a model")
    card.get_by_role("button", name="Paste a key").click()
    expect(card.get_by_label("Service").locator("option")).to_have_text(["OpenAI", "OpenRouter"])
    test = card.get_by_role("button", name="Test")
    expect(test).to_have_attribute("aria-disabled", "true")
    card.get_by_label("Key", exact=True).fill(KEY)
    test.click()
    card.get_by_label("Models of this endpoint").select_option("markdown")
    test.click()
    expect(card).to_contain_text("markdown answered in")
    card.get_by_role("button", name="Save").click()
    expect(sidebar.root.get_by_role("button", name="Model:")).to_have_text("markdown")
    sidebar.ask("What is total?")
    expect(sidebar.finished()).to_contain_text("What total is")
    assert service.posts[-1].headers["authorization"] == f"Bearer {KEY}"
    page.unroute_all()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_a_narrow_and_low_panel_the_ways_are_read_from_their_beginning(sidebar: Sidebar, theme: str) -> None:
    page, log = sidebar.page, sidebar.root.get_by_role("log")
    wear(page, theme)
    sidebar.root.evaluate("node => { node.style.cssText = 'width: 250px; flex: none; height: 430px'; }")
    expect(sidebar.root.get_by_role("button", name="Look for a local model")).to_be_visible()
    assert log.evaluate("node => node.scrollHeight > node.clientHeight")
    assert log.evaluate("node => node.scrollTop") == 0
    expect(sidebar.root.get_by_role("heading").first).to_be_in_viewport(ratio=1)
    sidebar.root.evaluate("node => { node.style.cssText = 'width: 250px'; }")
    assert log.evaluate("node => node.scrollHeight <= node.clientHeight")
    sidebar.root.evaluate("node => { node.style.cssText = ''; }")
    wear(page, "light")


def wear(page: Page, theme: str) -> None:
    page.evaluate(
        "async theme => void (await window.jupyterapp.commands.execute('apputils:change-theme', {theme}))",
        THEMES[theme],
    )
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=THEMES[theme])
