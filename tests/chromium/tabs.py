"""One window of JupyterLab for a file of tests, in which each opens notebooks of its own.

The law: nobody is ever asked anything: after each test there is no dialog and no script has failed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.chromium.tab import Tab, in_lab, write
from tests.lab import Lab

__all__ = ["OpenTab", "environ", "numbers", "open_tab", "page"]

OpenTab = Callable[..., Tab]


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    """No model is asked here."""
    return {}


@pytest.fixture(scope="module")
def page(lab: Lab, browser: Browser) -> Iterator[Page]:
    """One window for all tests."""
    with in_lab(lab, browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def open_tab(lab: Lab, page: Page, numbers: Iterator[int]) -> Iterator[OpenTab]:
    """Opens a clean notebook of given cells; in the end nobody was asked anything."""
    opened: list[Tab] = []
    problems: list[str] = []

    def note(error: object) -> None:
        problems.append(str(error))

    def opening(*cells: dict[str, object], minor: int = 5) -> Tab:
        tab = Tab(lab, page, f"tab{next(numbers)}.ipynb")
        write(tab.file, *cells, minor=minor)
        opened.append(tab.show())
        tab.save()  # its kernel has written into it
        return tab

    page.on("pageerror", note)
    yield opening
    for tab in opened:
        tab.no_dialog()
        tab.close()
    page.remove_listener("pageerror", note)
    assert not problems, problems
