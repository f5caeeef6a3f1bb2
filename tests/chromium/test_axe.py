"""axe finds nothing to mend, in any state of the sidebar, theme or width, nor in what the assistant puts into cells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.chromium.axe import violations
from tests.chromium.stage import Stage
from tests.chromium.states import PANEL, STATES, State, play_on
from tests.gateway import Gateway
from tests.lab import Lab

LOOKS = (("dark", 250), ("light", 600))
CONTRAST = {"answered_with_everything_open", "failed_for_its_key", "history_with_its_actions", "settings_refused"}
"""States that have among them every kind of thing; these are looked at in high contrast too."""

OURS = ".jp-Assistant-panel, .jp-Assistant-errorButtons, [data-jp-item-name=jupyter-assistant-ask]"


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    play_on(gateway)
    return {}


@pytest.fixture(scope="module")
def stage(lab: Lab, gateway: Gateway, browser: Browser) -> Iterator[Stage]:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    page.set_default_timeout(20_000)
    yield Stage(lab, gateway, page)
    page.close()


def test_every_state_that_is_looked_at_in_high_contrast_exists() -> None:
    assert {state.name for state in STATES} >= CONTRAST


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_axe_finds_nothing(stage: Stage, state: State) -> None:
    state.reach(stage)
    found = []
    for theme, width in (*([("contrast", 250)] if state.name in CONTRAST else []), *LOOKS):
        stage.wear(theme)
        stage.widen(width)
        parts = PANEL if state.shows == PANEL else OURS
        found += [f"{theme}, {width} px: {each}" for each in violations(stage.page, parts)]
    assert found == []
