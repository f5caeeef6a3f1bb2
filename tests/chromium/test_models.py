"""Models in the sidebar as a user has them: connecting one, choosing another, and seeing what would leave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway, running_gateway
from tests.lab import Lab

KEY = "sk-canary-0123456789abcdef"

KEPT = """async () => {
  const found = [{ ...localStorage }, { ...sessionStorage }, document.cookie, document.body.outerHTML];
  const done = request => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  for (const { name } of await indexedDB.databases()) {
    const opened = await done(indexedDB.open(name));
    for (const store of opened.objectStoreNames) {
      const all = opened.transaction(store).objectStore(store);
      found.push(name, store, await done(all.getAllKeys()), await done(all.getAll()));
    }
    opened.close();
  }
  for (const name of await caches.keys()) {
    found.push(name, (await (await caches.open(name)).keys()).map(request => request.url));
  }
  return JSON.stringify(found);
}"""
"""Everything that a page can keep."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway(key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return {}


def log_of(lab: Lab) -> str:
    return Path(lab.log).read_text(errors="replace")


def test_a_gateway_is_connected_in_the_first_minute_and_its_key_stays_on_the_server(
    sidebar: Sidebar, gateway: Gateway
) -> None:
    root, page = sidebar.root, sidebar.page
    picker = root.get_by_role("button", name="Model:")
    expect(picker).to_have_text("Built-in responder")
    card = root.get_by_role("region", name="Connect a model")
    card.get_by_role("button", name="Use a gateway").click()
    card.get_by_label("Base URL").fill(gateway.root)
    key = card.get_by_label("Key (if it wants one)")
    assert (key.get_attribute("type"), key.get_attribute("autocomplete")) == ("password", "off")
    key.fill("sk-another-0123456789")
    card.get_by_label("Model", exact=True).fill("markdown")
    card.get_by_role("button", name="Test").click()
    expect(card).to_contain_text("Key rejected by 127.0.0.1")
    key.fill(KEY)
    card.get_by_role("button", name="Test").click()
    card.get_by_role("button", name="Use …/v1").click()
    expect(card).to_contain_text("markdown answered in")
    expect(card.get_by_label("Base URL")).to_have_value(gateway.url)
    card.get_by_role("button", name="Save").click()
    expect(picker).to_have_text("markdown")
    expect(card).to_have_count(0)
    expect(sidebar.question).to_be_focused()
    sidebar.ask("What is total?")
    expect(sidebar.finished()).to_contain_text("What total is")
    kept = page.evaluate(KEPT)
    assert "failing-sales.ipynb" in kept
    assert KEY not in kept
    assert KEY not in log_of(sidebar.lab)
    assert "sk-another" not in kept + log_of(sidebar.lab)


def test_another_model_is_found_chosen_and_remembered(sidebar: Sidebar, gateway: Gateway) -> None:
    root, page = sidebar.root, sidebar.page
    picker = root.get_by_role("button", name="Model:")
    picker.click()
    popup = root.get_by_role("dialog", name="Choose a model")
    expect(popup.get_by_role("combobox")).to_be_focused()
    popup.get_by_role("button", name="Look for models").click()
    expect(popup.get_by_role("option", name="reasoning")).to_be_visible()
    page.keyboard.press("Escape")
    expect(popup).to_have_count(0)
    expect(picker).to_be_focused()
    picker.click()
    popup.get_by_role("combobox").fill("ech")
    expect(popup.get_by_role("option")).to_have_count(2)  # and the typed name itself
    page.keyboard.press("Enter")
    expect(picker).to_have_text("echo")
    expect(sidebar.question).to_be_focused()
    sidebar.reload()
    expect(picker).to_have_text("echo")
    picker.click()
    popup.get_by_role("combobox").fill("gateway/status-401")
    popup.get_by_role("option", name="Use “gateway/status-401”").click()
    expect(picker).to_have_text("status-401")
    root.get_by_role("button", name="New conversation", exact=True).click()
    sidebar.ask("Anybody there?")
    action = sidebar.finished().get_by_role("button", name="Replace the key")
    action.click()
    sheet = root.get_by_role("dialog", name="Connect a model")
    expect(sheet.get_by_role("button", name="Paste a key")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(action).to_be_focused()
    assert gateway.posts[-1].model == "status-401"


def test_what_leaves_this_machine_can_be_read_before_it_does(sidebar: Sidebar, gateway: Gateway) -> None:
    root, page = sidebar.root, sidebar.page
    asked = len(gateway.posts)
    sidebar.question.fill("Why is revenue_total_x missing?")
    eye = root.get_by_role("button", name="What leaves this machine")
    eye.click()
    sheet = root.get_by_role("dialog", name="What leaves this machine")
    expect(sheet).to_contain_text(gateway.url.split("/")[2])
    expect(sheet).to_contain_text("tokens")
    items = sheet.get_by_role("list", name="What is sent").locator("summary")
    expect(items.first).to_be_visible()
    items.last.click()
    expect(sheet.locator("pre").last).to_contain_text("revenue_total_x")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(eye).to_be_focused()
    expect(sidebar.question).to_have_value("Why is revenue_total_x missing?")
    assert len(gateway.posts) == asked
