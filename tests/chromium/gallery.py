"""Pictures of every state of the sidebar, light and dark, narrow and wide, on one page: ``make gallery``.

Give names of states to make only those anew.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chromium.sidebar import chromium
from tests.chromium.stage import WIDTHS, Stage
from tests.chromium.states import STATES, State, play_on
from tests.gateway import running_gateway
from tests.lab import ROOT, running_lab

FOLDER = ROOT / "dist" / "gallery"
LOOKS = [(theme, width) for theme in ("light", "dark") for width in WIDTHS]

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Jupyter Assistant: every state</title>
<style>
body {{ font: 14px system-ui, sans-serif; margin: 24px; background: #ddd; color: #222 }}
section {{ margin-bottom: 40px }}
div {{ display: flex; flex-wrap: wrap; gap: 12px; align-items: flex-start }}
img {{ border: 1px solid #999 }}
</style>
<h1>Every state of the sidebar</h1>
{sections}
</html>
"""


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A JupyterLab, a gateway and a page to play the states on."""
    with running_gateway() as gateway, running_lab(folder) as lab, chromium() as browser:
        play_on(gateway)
        opened = browser.new_page(viewport={"width": 1400, "height": 800}, reduced_motion="reduce")
        opened.set_default_timeout(15_000)
        yield Stage(lab, gateway, opened)


def picture(state: State, theme: str, width: int) -> str:
    """The file of one picture."""
    return f"{state.name}-{theme}-{width}.png"


def draw(stage: Stage, state: State, folder: Path) -> None:
    """Bring a state about and take its pictures."""
    state.reach(stage)
    for theme, width in LOOKS:
        stage.wear(theme)
        stage.widen(width)
        stage.page.locator(state.shows).first.screenshot(path=folder / picture(state, theme, width))


def page(states: Sequence[State]) -> str:
    """The page that shows all the pictures there are."""
    return PAGE.format(sections="\n".join(_section(each) for each in states))


def _section(state: State) -> str:
    name = html.escape(state.name.replace("_", " "))
    pictures = (
        f'<img loading="lazy" src="{picture(state, theme, width)}" alt="{name}, {theme}, {width} pixels wide">'
        for theme, width in LOOKS
    )
    return f"<section><h2>{name}</h2><div>{''.join(pictures)}</div></section>"


def main() -> None:
    """Draw the states that were named, or all of them; say which could not be reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("states", nargs="*", help=", ".join(state.name for state in STATES))
    wanted = parser.parse_args().states
    if unknown := set(wanted) - {state.name for state in STATES}:
        parser.error(f"no such state: {', '.join(sorted(unknown))}")
    chosen = [state for state in STATES if not wanted or state.name in wanted]
    FOLDER.mkdir(parents=True, exist_ok=True)
    missing = []
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder)) as stage:
        for state in chosen:
            try:
                draw(stage, state, FOLDER)
            except Exception:  # the other pictures are wanted all the same; said in the end
                traceback.print_exc()
                missing.append(state.name)
    (FOLDER / "index.html").write_text(page(STATES), "utf-8")
    print(f"{FOLDER / 'index.html'}: {len(chosen) - len(missing)} states")
    if missing:
        raise SystemExit(f"not reached: {', '.join(missing)}")


if __name__ == "__main__":
    main()
