"""The sidebar for people who hear it, or drive it by keys: what is said and when, where the focus goes and stays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.chromium.axe import violations
from tests.chromium.conftest import OpenSidebar
from tests.chromium.sidebar import Sidebar
from tests.chromium.states import PANEL, play_on
from tests.gateway import Gateway
from tests.lab import Lab

INSIDE = "document.querySelector('.jp-Assistant-panel').contains(document.activeElement)"

REACHABLE = """
root => Array.from(root.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]'))
  .filter(each => !each.disabled && each.tabIndex >= 0 && each.checkVisibility({ visibilityProperty: true }))
"""

NAMED = """
each => each && (each.getAttribute('aria-label') || each.innerText?.trim() || each.placeholder || each.className
  || each.tagName)
"""

HEARD = """
() => {
  window.heard = [];
  for (const role of ['status', 'alert']) {
    const region = document.querySelector(`.jp-Assistant-panel > [role=${role}]`);
    new MutationObserver(() => {
      if (region.textContent) window.heard.push([role, region.textContent]);
    }).observe(region, { childList: true, characterData: true, subtree: true });
  }
}
"""


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    play_on(gateway)
    return {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "markdown"}


@pytest.fixture(autouse=True)
def as_before(lab: Lab) -> Iterator[None]:
    """Model and announcements are the environment's again."""
    yield
    change(lab, model=None)
    announce(lab, "ready")


def change(lab: Lab, **values: str | None) -> None:
    http(lab, "PATCH", "settings", values)


def http(lab: Lab, method: str, path: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"token {lab.token}"}
    url = f"{lab.url}assistant/{path}"
    answer = httpx.request(method, url, json=body, headers=headers, trust_env=False, timeout=30)
    return answer.raise_for_status()


def announce(lab: Lab, how: str) -> None:
    httpx.put(
        f"{lab.url}lab/api/settings/jupyter-assistant:plugin",
        json={"raw": json.dumps({"announce": how})},
        headers={"Authorization": f"token {lab.token}"},
        trust_env=False,
    ).raise_for_status()


def heard(page: Page) -> list[list[str]]:
    """What the live regions have said since ``HEARD`` was evaluated, in order."""
    said: list[list[str]] = page.evaluate("window.heard")
    return said


# ---------------------------------------------------------------- what is said


def test_the_transcript_is_a_silent_log_and_a_region_of_its_own_says_how_it_goes(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="paced-170-20")
    expect(sidebar.root.get_by_role("log")).to_have_attribute("aria-live", "off")
    sidebar.page.evaluate(HEARD)
    sidebar.ask("Count.")
    expect(sidebar.answer).to_have_attribute("aria-busy", "true")
    sidebar.finished()
    expect(sidebar.answer).to_have_attribute("aria-busy", "false")
    sidebar.page.wait_for_function("window.heard.at(-1)?.[1].startsWith('Answer ready')")
    said = heard(sidebar.page)
    assert {role for role, _ in said} == {"status"}
    assert [text for _, text in said] == ["Generating…", "Still working…", "Answer ready, 170 words"]


def test_the_end_names_the_code_blocks(sidebar: Sidebar) -> None:
    sidebar.ask("What is total?")
    status = sidebar.page.locator(f"{PANEL} > [role=status]")
    expect(status).to_have_text(re.compile(r"^Answer ready, \d+ words, 1 code block$"))


def test_an_error_is_said_at_once(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="no-quota")
    sidebar.ask("Anybody there?")
    expect(sidebar.page.locator(f"{PANEL} > [role=alert]")).to_contain_text("quota")
    expect(sidebar.page.locator(f"{PANEL} > [role=status]")).to_have_text("")


def test_a_lost_connection_is_said_at_once_and_the_answer_comes_all_the_same(sidebar: Sidebar) -> None:
    page = sidebar.page

    def cut(route: Route) -> None:
        body = route.fetch().body()
        heard_of = body[: body.index(b"event: token")]
        route.fulfill(status=200, content_type="text/event-stream; charset=utf-8", body=heard_of)

    page.route(re.compile(r"/chat/stream\b"), cut)
    page.route(re.compile("/chat/[^/]+/stream"), lambda route: route.abort())
    sidebar.ask("What is total?")
    expect(page.locator(f"{PANEL} > [role=alert]")).to_contain_text("The connection is lost")
    page.unroute_all()
    expect(sidebar.finished()).to_contain_text("What total is", timeout=20_000)
    expect(page.locator(f"{PANEL} > [role=status]")).to_contain_text("Answer ready")
    expect(page.locator(f"{PANEL} > [role=alert]")).to_have_text("")


def test_who_wants_it_hears_the_whole_answer_in_the_end(open_sidebar: OpenSidebar, lab: Lab) -> None:
    announce(lab, "full")
    change(lab, model="markdown-60")
    with open_sidebar() as sidebar:
        sidebar.page.evaluate(HEARD)
        sidebar.ask("What is total?")
        sidebar.page.wait_for_function("window.heard.at(-1)?.[1].includes('Answer ready')")
        said = heard(sidebar.page)
        assert said[0] == ["status", "Generating…"]
        assert len(said) == 2
        assert said[1][1].startswith("What total is")
        assert "Code block, python, 1 line." in said[1][1]
        assert "|" not in said[1][1]


def test_who_wants_it_hears_sentence_by_sentence_and_never_a_token(open_sidebar: OpenSidebar, lab: Lab) -> None:
    announce(lab, "sentences")
    change(lab, model="markdown-12")
    with open_sidebar() as sidebar:
        sidebar.page.evaluate(HEARD)
        sidebar.ask("What is total?")
        sidebar.page.wait_for_function("window.heard.at(-1)?.[1].includes('Answer ready')", timeout=30_000)
        said = [text for _, text in heard(sidebar.page)]
        assert said[0] == "Generating…"
        assert 3 <= len(said) <= 12
        assert "\n".join(said).count("What total is") == 1
        assert "\n".join(said).count("Code block, python, 1 line.") == 1


# ---------------------------------------------------------------- the focus


def walk(page: Page, key: str, most: int = 200) -> list[str]:
    """The names of what has the focus, from now until it leaves the panel."""
    passed: list[str] = []
    while page.evaluate(INSIDE):
        assert len(passed) < most, f"the focus is caught: {passed[-10:]}"
        passed.append(page.evaluate(f"({NAMED})(document.activeElement)"))
        page.keyboard.press(key)
    return passed


def test_tab_reaches_every_control_and_leaves_at_both_ends(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="showcase")
    page, root = sidebar.page, sidebar.root
    sidebar.ask("Why do the sums differ?")
    sidebar.finished()
    root.evaluate("root => root.querySelectorAll('details').forEach(each => { each.open = true; })")
    names: list[str] = root.evaluate(f"root => ({REACHABLE})(root).map({NAMED})")
    assert len(names) > 20
    root.evaluate(f"root => ({REACHABLE})(root)[0].focus()")
    assert walk(page, "Tab") == names
    root.evaluate(f"root => ({REACHABLE})(root).at(-1).focus()")
    assert walk(page, "Shift+Tab") == names[::-1]


def test_every_control_shows_that_it_has_the_focus(sidebar: Sidebar) -> None:
    page, root = sidebar.page, sidebar.root
    sidebar.ask("What is total?")
    sidebar.finished()
    root.evaluate(f"root => ({REACHABLE})(root)[0].focus()")
    page.keyboard.press("Tab")  # from here on it is the keyboard that moves the focus
    page.keyboard.press("Shift+Tab")
    unseen = []
    while page.evaluate(INSIDE):
        if not shows_its_focus(page):
            unseen.append(page.evaluate(f"({NAMED})(document.activeElement)"))
        page.keyboard.press("Tab")
    assert unseen == []


def shows_its_focus(page: Page) -> bool:
    """Whether the focused element looks different without the focus."""
    focused = page.evaluate_handle("document.activeElement").as_element()
    assert focused is not None
    focused.scroll_into_view_if_needed()
    box = focused.bounding_box()
    assert box is not None
    clip = {"x": box["x"] - 12, "y": box["y"] - 12, "width": box["width"] + 24, "height": box["height"] + 24}
    with_focus = page.screenshot(clip=clip)  # type: ignore[arg-type]
    focused.evaluate("each => each.blur()")
    without = page.screenshot(clip=clip)  # type: ignore[arg-type]
    focused.evaluate("each => each.focus({ preventScroll: true })")
    return with_focus != without


SHEETS = {
    "What leaves this machine": "What leaves this machine",
    "Settings": "Settings",
}


@pytest.mark.parametrize("opener", SHEETS)
def test_a_sheet_keeps_the_focus_and_gives_it_back_at_escape(sidebar: Sidebar, opener: str) -> None:
    page, root = sidebar.page, sidebar.root
    button = root.get_by_role("button", name=opener, exact=True).first
    button.focus()
    page.keyboard.press("Enter")
    sheet = root.get_by_role("dialog", name=SHEETS[opener])
    sheet.wait_for()
    for key in ("Tab", "Shift+Tab"):
        for _ in range(40):
            page.keyboard.press(key)
            assert holds_the_focus(sheet)
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(button).to_be_focused()


@pytest.mark.parametrize("asked_elsewhere", [False, True])
def test_a_conversation_redrawn_under_a_sheet_gives_the_focus_back_to_the_opener_or_the_composer(
    sidebar: Sidebar, asked_elsewhere: bool
) -> None:
    page, root, lab = sidebar.page, sidebar.root, sidebar.lab
    change(lab, model="status-401")
    sidebar.ask("Anybody there?")
    opener = sidebar.finished().get_by_role("button", name="Give a key")
    opener.focus()
    page.keyboard.press("Enter")
    sheet = root.get_by_role("dialog", name="Connect a model")
    expect(sheet.locator("input:focus")).to_have_count(1)
    newest = http(lab, "GET", "conversations").json()["conversations"][0]["id"]
    if asked_elsewhere:
        http(lab, "POST", "chat", {"question": "And now?", "conversation_id": newest, "model": "markdown"})
    http(lab, "PATCH", f"conversations/{newest}", {"title": "Named elsewhere"})
    page.evaluate("window.dispatchEvent(new Event('focus'))")  # a headless window has no focus to lose
    expect(root.locator(".jp-Assistant-title")).to_contain_text("Named elsewhere")
    expect(root.locator("article")).to_have_count(4 if asked_elsewhere else 2)
    assert holds_the_focus(sheet)
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(sidebar.question if asked_elsewhere else opener).to_be_focused()


def holds_the_focus(box: Locator) -> bool:
    return bool(box.evaluate("box => box.contains(document.activeElement)"))


@pytest.mark.parametrize("opener", [re.compile("^Conversations"), re.compile("^Model:")])
def test_a_box_takes_the_focus_and_gives_it_back_at_escape(sidebar: Sidebar, opener: re.Pattern[str]) -> None:
    button = sidebar.root.get_by_role("button", name=opener)
    button.focus()
    sidebar.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(sidebar.root.locator("input:focus")).to_have_count(1)
    sidebar.page.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()


def test_escape_stops_and_the_focus_is_never_taken(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="paced-9999-20")
    page = sidebar.page
    page.evaluate(
        "window.moved = []; document.addEventListener('focusin', event => window.moved.push(event.target.className))"
    )
    sidebar.ask("Count.")
    log = sidebar.root.get_by_role("log")
    log.focus()
    page.evaluate("window.moved.length = 0")
    expect(sidebar.answer).to_contain_text("word30 ", timeout=15_000)
    expect(log).to_be_focused()
    page.locator(".jp-Notebook .jp-Cell .cm-content").last.focus()
    page.evaluate("window.moved.length = 0")
    expect(sidebar.answer).to_contain_text("word60 ", timeout=15_000)
    assert page.evaluate("window.moved") == []
    sidebar.question.focus()
    page.keyboard.press("Escape")
    expect(sidebar.finished()).to_contain_text("Stopped")
    expect(sidebar.question).to_be_focused()


# ---------------------------------------------------------------- the eye


ANIMATIONS = """
() => document.getAnimations().filter(each => each.playState === 'running'
  && each.effect?.target?.closest('.jp-Assistant-panel')).map(each => each.animationName ?? each.transitionProperty)
"""


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_who_wants_no_motion_has_none(open_sidebar: OpenSidebar, lab: Lab, motion: str) -> None:
    change(lab, model="stall")
    with open_sidebar(reduced_motion=motion) as sidebar:
        sidebar.ask("Anybody there?")
        expect(sidebar.root).to_contain_text("Waiting for")
        moving = sidebar.page.evaluate(ANIMATIONS)
        assert (moving == []) == (motion == "reduce")
        sidebar.stop.click()
        sidebar.finished()


def test_in_forced_colours_everything_is_still_there(open_sidebar: OpenSidebar) -> None:
    with open_sidebar(forced_colors="active") as sidebar:
        sidebar.ask("What is total?")
        sidebar.finished()
        assert violations(sidebar.page, PANEL) == []
        faint = sidebar.root.evaluate(
            """root => Array.from(root.querySelectorAll('button svg')).filter(icon => {
              const colour = getComputedStyle(icon).color;
              return colour === getComputedStyle(root).backgroundColor || colour === 'rgba(0, 0, 0, 0)';
            }).map(icon => icon.parentElement.ariaLabel)"""
        )
        assert faint == []
        sidebar.question.focus()
        assert shows_its_focus(sidebar.page)
