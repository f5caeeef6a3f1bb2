"""axe-core in a page: what it finds against people who see, hear or move differently."""

from __future__ import annotations

from functools import cache

from playwright.sync_api import Page

from tests.lab import ROOT

SOURCE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

RUN = """
async ([selector, tags]) => {
  const found = await axe.run(selector, { runOnly: tags, resultTypes: ['violations'] });
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target}: ${failureSummary.replace(/\\s+/g, ' ')}`));
}
"""


@cache
def _source() -> str:
    return SOURCE.read_text("utf-8")


def violations(page: Page, selector: str) -> list[str]:
    """What axe finds below the elements of a selector, a sentence each; empty when nothing."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(_source())
    found: list[str] = page.evaluate(RUN, [selector, TAGS])
    return found
