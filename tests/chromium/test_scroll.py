"""Where the reader is in the transcript: who follows the end has it in sight, who reads elsewhere is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway, Reply, Request, running_gateway

PART = "## Part {n}\n\nSome **words** about part {n}.\n\n```python\nx = {n}\nprint(x)\n```\n\n"

READ = """log => {
  const { x, y } = log.getBoundingClientRect();
  window.__read = document.elementFromPoint(x + 40, y + 150).closest('.jp-Assistant-markdown > *');
  return window.__read.getBoundingClientRect().y;
}"""
PLACE = "window.__read.isConnected ? window.__read.getBoundingClientRect().y : null"
FROM_END = "log => log.scrollHeight - log.clientHeight - log.scrollTop"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:

        @running.play("river")
        async def river(reply: Reply, request: Request) -> None:
            await reply.head()
            for n in range(400):
                await reply.delta(content=PART.format(n=n))
                await asyncio.sleep(0.05)
            await reply.stall()

        yield running


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    return {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "river"}


def test_who_reads_up_keeps_the_place_while_the_answer_grows_and_when_it_ends(sidebar: Sidebar) -> None:
    root, page = sidebar.root, sidebar.page
    log = root.get_by_role("log")
    sidebar.ask("Flow")
    expect(sidebar.answer).to_contain_text("Part 30")
    root.get_by_role("button", name="New conversation", exact=True).click()
    expect(root.get_by_role("article")).to_have_count(0)
    root.locator(".jp-Assistant-title").click()
    root.get_by_role("button", name="Flow").first.click()
    expect(sidebar.answer).to_contain_text("Part 34")
    log.hover()
    page.mouse.wheel(0, -2_000)
    root.get_by_role("button", name="New", exact=True).wait_for()
    page.wait_for_function("""() => {
      const log = document.querySelector('.jp-Assistant-transcript');
      const still = window.__top === log.scrollTop;
      window.__top = log.scrollTop;
      return still;
    }""")
    place = log.evaluate(READ)
    grown = log.evaluate("log => log.scrollHeight")
    page.wait_for_function(f"document.querySelector('.jp-Assistant-transcript').scrollHeight > {grown + 500}")
    assert page.evaluate(PLACE) == pytest.approx(place, abs=2)
    sidebar.stop.click()
    sidebar.finished()
    expect(sidebar.answer.get_by_role("button", name="Continue")).to_be_attached()
    assert page.evaluate(PLACE) == pytest.approx(place, abs=2)
    assert log.evaluate(FROM_END) > 500
