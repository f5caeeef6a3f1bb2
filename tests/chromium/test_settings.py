"""The settings sheet, and JupyterLab's own settings of the assistant: the off switch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway
from tests.lab import Lab, running_lab

KEY = "sk-canary-settings-0123456789"
TAB = ".jp-SideBar [data-id='jupyter-assistant']"


@pytest.fixture(autouse=True)
def preferences(lab: Lab) -> Iterator[None]:
    """What a test switches off is on again for the next one."""
    yield
    set_preferences(lab)


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    return {"JUPYTER_ASSISTANT_BASE_URL": gateway.url}


@pytest.fixture(scope="module")
def lab(environ: dict[str, str], base_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab whose administrator has chosen the model for everybody."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "etc").mkdir()
    config = {"JupyterAssistant": {"model": "gateway/markdown", "locked": ["model"], "max_tokens": 900}}
    (folder / "etc" / "jupyter_server_config.json").write_text(json.dumps(config))
    with running_lab(folder, environ, base_url=base_url) as running:
        yield running


def opened(sidebar: Sidebar) -> Locator:
    sidebar.root.get_by_role("button", name="Settings", exact=True).click()
    sheet = sidebar.root.get_by_role("dialog", name="Settings")
    expect(sheet.get_by_label("Model", exact=True)).to_be_visible()
    return sheet


def until(holds: Callable[[], bool]) -> None:
    """Wait for something to hold: the panel paints when it has time."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def about(field: Locator) -> str:
    """What a screen reader adds to a field's label."""
    return str(
        field.evaluate(
            "node => node.getAttribute('aria-describedby').split(' ')"
            ".map(id => document.getElementById(id).textContent).join(' ')"
        )
    )


def test_every_field_says_where_its_value_comes_from_and_what_is_locked(sidebar: Sidebar, gateway: Gateway) -> None:
    sheet = opened(sidebar)
    model = sheet.get_by_label("Model", exact=True)
    expect(model).to_be_disabled()
    expect(model).to_have_value("gateway/markdown")
    assert "Set by your administrator" in about(model)
    url = sheet.get_by_label("Base URL")
    expect(url).to_have_value(gateway.url)
    assert "From the environment" in about(url)
    assert "From the administrator" in about(sheet.get_by_label("Longest answer, in tokens"))
    assert "Default" in about(sheet.get_by_label("Context, in tokens"))
    until(lambda: "Not set" in about(sheet.get_by_label("Key", exact=True)))
    sidebar.page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(sidebar.root.get_by_role("button", name="Settings", exact=True)).to_be_focused()


def test_a_wrong_value_is_said_at_its_field_and_nothing_typed_is_lost(sidebar: Sidebar) -> None:
    page = sidebar.page
    sheet = opened(sidebar)
    budget = sheet.get_by_label("Context, in tokens")
    budget.fill("12")
    sheet.get_by_label("Your instructions").fill("Answer in Latin.")
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(sheet.get_by_role("alert")).to_contain_text("less than 500")
    expect(budget).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Escape")
    expect(sheet.get_by_role("alert").last).to_have_text("Not saved yet")
    expect(sheet.get_by_role("button", name="Save and close")).to_be_focused()
    page.keyboard.press("Escape")
    budget.fill("9000")
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(sheet.get_by_role("status")).to_have_text("Saved")
    assert "Yours" in about(budget)
    page.keyboard.press("Escape")
    sheet = opened(sidebar)
    expect(sheet.get_by_label("Your instructions")).to_have_value("Answer in Latin.")
    for name in ("Context, in tokens", "Your instructions"):
        field = sheet.locator(".jp-Assistant-setting").filter(has=page.get_by_label(name))
        field.get_by_role("button", name="Back to the default").click()
        expect(field).to_contain_text("Goes back to its default by Save.")
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(sheet.get_by_role("status")).to_have_text("Saved")
    expect(sheet.get_by_label("Context, in tokens")).to_have_value("16000")
    expect(sheet.get_by_label("Your instructions")).to_have_value("")


def test_a_key_is_set_replaced_and_removed_and_never_shown(sidebar: Sidebar) -> None:
    page = sidebar.page
    sheet = opened(sidebar)
    key = sheet.get_by_label("Key", exact=True)
    save = sheet.get_by_role("button", name="Save", exact=True)
    for value in (KEY, f"{KEY}-2"):
        key.fill(value)
        save.click()
        expect(sheet.get_by_role("status")).to_have_text("Saved")
        expect(key).to_have_value("")
        until(lambda: "Set · Yours" in about(key))
    sheet.get_by_label("Base URL").fill("http://127.0.0.1:9/v1")
    expect(sheet).to_contain_text("The key that is set belongs to the old address")
    sheet.get_by_role("button", name="Close").click()
    sheet.get_by_role("button", name="Discard").click()
    expect(sheet).to_have_count(0)
    sheet = opened(sidebar)
    sheet.get_by_role("button", name="Remove the key").click()
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(sheet.get_by_role("status")).to_have_text("Saved")
    until(lambda: "Not set" in about(sheet.get_by_label("Key", exact=True)))
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.body.outerHTML])")
    assert KEY not in kept + Path(sidebar.lab.log).read_text(errors="replace")


def test_at_250_pixels_every_setting_can_be_read_and_reached(sidebar: Sidebar) -> None:
    sheet = opened(sidebar)
    sidebar.root.evaluate("node => { node.style.width = '250px'; }")
    body = sheet.locator(".jp-Assistant-sheetBody")
    assert body.evaluate("node => node.scrollWidth <= node.clientWidth")
    for field in sheet.locator("input, textarea").all():
        field.scroll_into_view_if_needed()
        expect(field).to_be_in_viewport()


def test_an_mcp_client_is_connected_by_what_the_command_prints(sidebar: Sidebar) -> None:
    page, lab = sidebar.page, sidebar.lab
    sheet = opened(sidebar)
    sheet.get_by_role("button", name="Connect an MCP client").press("Enter")
    first = sheet.get_by_role("tab", name="Claude Code")
    expect(first).to_have_attribute("aria-selected", "true")
    expect(sheet).to_contain_text("A client may do what you may")
    first.press("End")
    expect(sheet.get_by_role("tab", name="Codex")).to_be_focused()
    panel = sheet.get_by_role("tabpanel", name="Codex")
    for form, name in (("stdio", "By a program (stdio)"), ("http", "Over HTTP")):
        group = panel.get_by_role("group", name=name)
        group.get_by_role("button", name="Copy").click()
        expect(group.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == printed(lab, "codex", form)
        assert lab.token not in copied
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)


def printed(lab: Lab, client: str, form: str) -> str:
    """What ``jupyter assistant mcp --print-config`` prints where that server is found."""
    command = [sys.executable, "-m", "jupyter_assistant.cli", "mcp", "--print-config", client, "--form", form]
    environ = {**os.environ, "JUPYTER_RUNTIME_DIR": str(lab.root.parent / "run")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=lab.root, env=environ)
    return done.stdout.rstrip("\n").replace("//localhost:", "//127.0.0.1:")  # as the browser's address is here


def set_preferences(lab: Lab, **values: object) -> None:
    answer = httpx.put(
        f"{lab.url}lab/api/settings/jupyter-assistant:plugin",
        json={"raw": json.dumps(values)},
        headers={"Authorization": f"token {lab.token}"},
        trust_env=False,
    )
    answer.raise_for_status()


def test_switched_off_nothing_of_it_is_seen_and_switched_on_it_is_back(sidebar: Sidebar) -> None:
    page = sidebar.page
    sidebar.question.fill("half a question")
    plain = page.locator(".jp-Notebook .jp-Cell").filter(has_text="import pandas as pd").first
    plain.click()  # a short line, which the cell's toolbar does not cover
    fix = page.locator(".jp-Notebook").get_by_role("button", name="Fix", exact=True).first
    button = page.locator(".jp-cell-toolbar [data-command='jupyter-assistant:ask-cell']")
    expect(fix).to_be_visible()
    expect(button).to_be_visible()

    sheet = opened(sidebar)
    sheet.get_by_role("button", name="JupyterLab’s settings").click()
    switch = page.locator(".jp-SettingsPanel").get_by_label("Show the assistant")
    switch.uncheck()
    expect(sidebar.root).to_have_count(0)
    tabs = page.locator(TAB)
    expect(tabs).to_have_count(0)
    page.get_by_role("tab", name="failing-sales.ipynb").click()
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_be_visible()
    expect(fix).to_be_hidden()
    expect(button).to_be_hidden()
    plain.click(button="right")
    menu = page.locator(".lm-Menu")
    expect(menu).to_be_visible()
    expect(menu.get_by_text("Ask about This Cell")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("assistant")
    palette = page.locator(".lm-CommandPalette")
    expect(palette.locator("input")).to_have_value("assistant")
    expect(palette.locator("[data-command^='jupyter-assistant:']")).to_have_count(0)
    page.keyboard.press("Escape")

    page.get_by_role("tab", name="Settings").first.click()
    switch.check()
    expect(tabs).to_have_count(1)
    page.get_by_role("tab", name="failing-sales.ipynb").click()
    expect(fix).to_be_visible()
    page.keyboard.press("Control+Shift+A")
    expect(sidebar.question).to_have_value("half a question")


def test_switched_off_before_the_page_is_opened_it_does_not_appear(sidebar: Sidebar) -> None:
    set_preferences(sidebar.lab, enabled=False)
    sidebar.page.reload()
    sidebar.page.wait_for_selector("body.jp-mod-assistantOff .jp-Notebook .jp-Cell", timeout=60_000)
    expect(sidebar.page.locator(TAB)).to_have_count(0)
    set_preferences(sidebar.lab)
    sidebar.reload()
    expect(sidebar.page.locator(TAB)).to_have_count(1)
