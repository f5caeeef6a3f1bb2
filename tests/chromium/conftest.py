"""What every test in a browser may use: a scripted gateway, a real JupyterLab that knows it, Chromium, the sidebar.

A file overrides ``environ`` or ``base_url`` for its own JupyterLab, and plays further models on ``gateway``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.chromium.sidebar import EXAMPLE_PAGE, PERMISSIONS, Sidebar, chromium
from tests.gateway import Gateway, running_gateway
from tests.lab import Lab, running_lab

AS_IT_IS = {"color_scheme": "null", "reduced_motion": "null", "forced_colors": "null"}
"""What ``emulate_media`` takes for no emulation."""

AGAIN = 2
"""Times a test in a browser is tried again when it fails: a frame that a busy machine draws late is no defect. Each
failure is reported (``R``), so that one that comes back is seen.
"""

OpenSidebar = Callable[..., AbstractContextManager[Sidebar]]


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """None: Playwright's own loop is the one of these tests."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Nothing: these tests' servers are processes."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A scripted gateway on loopback that serves a whole file of tests."""
    with running_gateway() as running:
        yield running


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    """What JupyterLab finds in its environment."""
    return {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "markdown"}


@pytest.fixture(scope="module")
def base_url() -> str:
    """Where under its host JupyterLab lives."""
    return "/"


@pytest.fixture(scope="module")
def lab(environ: dict[str, str], base_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab of this file's own."""
    with running_lab(tmp_path_factory.mktemp("lab"), environ, base_url=base_url) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium; every test gets a context of its own, which shares nothing."""
    with chromium() as running:
        yield running


class Window:
    """A window that the tests of a file share, one after the other; each finds it as if it had just been opened.

    To load JupyterLab takes longer than most tests: the page is kept while only the sidebar was used in it.
    """

    def __init__(self, lab: Lab, context: BrowserContext) -> None:
        self._lab = lab
        self._context = context
        self._kept: Sidebar | None = None

    def sidebar(self, **media: object) -> Sidebar:
        """A new panel beside the example, which nobody has touched."""
        kept = self._kept
        if kept and not kept.page.is_closed() and kept.untouched:
            kept.strangers.clear()
            kept.problems.clear()
        else:
            kept = self.page()
        kept.page.emulate_media(**{**AS_IT_IS, **media})  # type: ignore[arg-type]
        return kept.renew()

    def page(self, page: str = EXAMPLE_PAGE) -> Sidebar:
        """The only page from now on, just opened; nothing of the pages before it is remembered."""
        for other in self._context.pages:
            other.close()
        self._kept = opened = Sidebar(self._lab, self._context.new_page())
        opened.page.goto(self._lab.page("api/status"))  # another document of the same origin
        opened.page.evaluate("localStorage.clear()")
        opened.watch()
        return opened.open(page)


@pytest.fixture(scope="module")
def window(lab: Lab, browser: Browser) -> Iterator[Window]:
    """The window of a file's tests."""
    context = browser.new_context(
        viewport={"width": 1400, "height": 900}, accept_downloads=True, permissions=PERMISSIONS
    )
    yield Window(lab, context)
    context.close()


@pytest.fixture
def open_sidebar(window: Window) -> OpenSidebar:
    """Opens the sidebar in a page just loaded and asks in the end: no request left the server, no script failed.

    Words go to Playwright's ``emulate_media``: ``color_scheme``, ``reduced_motion``, ``forced_colors``, …; a page that
    has been loaded will do for these.
    """

    @contextmanager
    def opening(page: str = EXAMPLE_PAGE, **media: object) -> Iterator[Sidebar]:
        opened = window.sidebar(**media) if media else window.page(page)
        yield opened
        assert opened.strangers == []
        assert opened.problems == []

    return opening


@pytest.fixture
def sidebar(window: Window) -> Iterator[Sidebar]:
    """The sidebar beside the failing example; no request of its page leaves the server, no script of it fails."""
    opened = window.sidebar()
    yield opened
    assert opened.strangers == []
    assert opened.problems == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of this folder be tried again."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=AGAIN))
