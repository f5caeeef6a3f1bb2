"""What the front-end weighs, compressed as a server sends it: the page's start, the sidebar, the panel in a cell."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

import jupyter_assistant

LABEXTENSION = Path(jupyter_assistant.__file__).parent / "labextension"
STATIC = Path(jupyter_assistant.__file__).parent / "static"

START_KB = 20
"""What every page of JupyterLab loads, whether the assistant is used or not."""

PANEL_KB = 60
"""What the sidebar loads when it is first shown, and what a panel in a cell is, with its style (DESIGN §14)."""

ALL_KB = 200

Chunks = dict[str, float]

LOADED = re.compile(r"(?:\[\w+\.e\(\d+\)(?:,\w+\.e\(\d+\))*\]|(?<![,\[])\w+\.e\(\d+\))")
"""Scripts that are loaded in one step."""


@pytest.fixture(scope="module")
def chunks() -> Chunks:
    """Every built script and its weight in kB, compressed."""
    scripts = sorted((LABEXTENSION / "static").glob("*.js"))
    assert scripts, "the front-end is not built: run make front-end"
    return {script.name: len(gzip.compress(script.read_bytes(), 9)) / 1000 for script in scripts}


@pytest.fixture(scope="module")
def at_start(chunks: Chunks) -> Chunks:
    """Of these the ones that activating the plugin loads."""
    built = json.loads((LABEXTENSION / "package.json").read_text())["jupyterlab"]["_build"]
    entry = Path(built["load"]).name
    found = re.search(r'"\./extension":(.*?\)\))[,}]', (LABEXTENSION / built["load"]).read_text())
    assert found is not None
    numbers = re.findall(r"\.e\((\d+)\)", found[1])
    assert numbers
    return {name: weight for name, weight in chunks.items() if name == entry or name.split(".")[0] in numbers}


def test_a_page_that_does_not_show_the_sidebar_loads_little(at_start: Chunks) -> None:
    assert len(at_start) >= 2
    assert sum(at_start.values()) <= START_KB, at_start


def test_the_panels_own_code_keeps_within_its_budget(chunks: Chunks, at_start: Chunks) -> None:
    """Of what is loaded later only the scripts that are loaded together with the composer's."""
    groups = [set(re.findall(r"\.e\((\d+)\)", group)) for name in at_start for group in LOADED.findall(read(name))]
    (numbers,) = [group for group in groups if any("jp-Assistant-composer" in read(name) for name in of(group, chunks))]
    panel = {name: chunks[name] for name in of(numbers, chunks) if name not in at_start}
    assert len(panel) >= 1
    assert sum(panel.values()) <= PANEL_KB, panel


def of(numbers: set[str], chunks: Chunks) -> list[str]:
    """The scripts that bear one of the numbers."""
    return [name for name in chunks if name.split(".")[0] in numbers]


def read(name: str) -> str:
    return (LABEXTENSION / "static" / name).read_text("utf-8")


def test_all_scripts_together_keep_within_their_budget(chunks: Chunks) -> None:
    assert sum(chunks.values()) <= ALL_KB, chunks


def test_the_panel_for_cells_is_one_module_and_one_style_sheet_within_its_budget() -> None:
    names = sorted(path.name for path in STATIC.iterdir())
    assert names == ["panel.css", "panel.js"], "the front-end is not built: run make front-end"
    weights = {name: len(gzip.compress((STATIC / name).read_bytes(), 9)) / 1000 for name in names}
    assert sum(weights.values()) <= PANEL_KB, weights


def test_the_panel_for_cells_loads_nothing_else() -> None:
    script, style = ((STATIC / name).read_text("utf-8") for name in ("panel.js", "panel.css"))
    assert re.findall(r"""(?:^|[;}])import[ {*"'(]|[^.\w]import\(""", script) == []
    assert re.search(r"export\s*\{\s*\w+ as default\s*\}|export default", script)
    assert not re.search(r"url\(|@import", style)
