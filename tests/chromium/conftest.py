"""What every test in a browser may use: a scripted gateway, a real JupyterLab that knows it, Chromium, the sidebar.

A file overrides ``environ`` or ``base_url`` for its own JupyterLab, and plays further models on ``gateway``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser

from tests.chromium.sidebar import Sidebar, chromium
from tests.gateway import Gateway, running_gateway
from tests.lab import Lab, running_lab

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


@pytest.fixture
def open_sidebar(lab: Lab, browser: Browser) -> OpenSidebar:
    """Opens the sidebar in a window of its own and asks in the end: no request left the server, no script failed.

    Words go to Playwright's ``new_context``: ``color_scheme``, ``viewport``, ``reduced_motion``, …
    """

    @contextmanager
    def opening(page: str = "lab/tree/failing-sales.ipynb?reset", **context: object) -> Iterator[Sidebar]:
        window = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **context})  # type: ignore[arg-type]
        try:
            opened = Sidebar(lab, window.new_page())
            opened.watch()
            yield opened.open(page)
            assert opened.strangers == []
            assert opened.problems == []
        finally:
            window.close()

    return opening


@pytest.fixture
def sidebar(open_sidebar: OpenSidebar) -> Iterator[Sidebar]:
    """The sidebar beside the failing example."""
    with open_sidebar(accept_downloads=True, permissions=["clipboard-read", "clipboard-write"]) as opened:
        yield opened
