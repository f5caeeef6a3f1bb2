"""Our tools end to end: real files, real kernels, and what a model gets to read of them."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_assistant.notebooks.cells import Cell
from jupyter_assistant.tools import Image, Registry, Text, ToolOutput
from jupyter_assistant.tools.notebook import notebook_tools
from jupyter_assistant.tools.text import BUDGET, size
from tests import kernels
from tests.kernels import Notebook, Place, stored, until

Json = dict[str, Any]
LOG = logging.getLogger("tests.tools")
jp_asyncio_loop = kernels.jp_asyncio_loop
place = kernels.place
notebook = kernels.notebook

TABLE = """
| tool | parameters | rights | core |
| list_notebooks | path? pattern? limit? offset? | read | core |
| read_notebook | path detail? offset? limit? | read | core |
| read_cell | path cell_id outputs? | read | |
| search_notebooks | query path? limit? | read | |
| list_variables | path pattern? | read | |
| inspect_variable | path name | read | |
| list_kernels | | read | |
| get_execution | execution_id wait_s? | read | |
| create_notebook | path cells? kernel? | write | |
| insert_cells | path cells after? before? | write | core |
| edit_cell | path cell_id old new source_hash? | write | core |
| replace_cell | path cell_id source source_hash cell_type? | write | |
| move_cell | path cell_id after? before? | write | |
| delete_cells | path cell_ids source_hashes? | write | |
| clear_outputs | path cell_ids? | write | |
| run_cells | path cell_ids? wait_s? timeout_s? | execute | core |
| execute_code | path code wait_s? timeout_s? | execute | core |
| interrupt_kernel | path | execute | |
| restart_kernel | path | execute | |
"""
"""DESIGN §7; ``?`` is optional."""
DEFAULTS = {
    "list_notebooks": {"path": "", "pattern": "*", "limit": 100, "offset": 0},
    "read_notebook": {"detail": "full", "offset": 0, "limit": 50},
    "read_cell": {"outputs": True},
    "search_notebooks": {"path": "", "limit": 10},
    "list_variables": {"pattern": "*"},
    "get_execution": {"wait_s": 0},
    "run_cells": {"wait_s": 50},
    "execute_code": {"wait_s": 50},
}
MAX_LISTING = 13_200
"""Bytes of our tools in ``tools/list``: with ``ask_notebook``, which the endpoint adds, still within 14 kB."""


class Caller:
    """Calls tools as a model does."""

    def __init__(self, place: Place) -> None:
        self.registry = Registry(notebook_tools(place.notebooks, place.kernels), log=LOG)

    async def raw(self, name: str, arguments: object) -> ToolOutput:
        output = await self.registry.call(name, arguments)
        output.text.encode()
        assert "Traceback (most recent call last)\n  File" not in output.text
        return output

    async def ok(self, tool: str, /, **arguments: object) -> str:
        output = await self.raw(tool, arguments)
        assert not output.is_error, output.text
        assert size(output.text) <= BUDGET
        return output.text

    async def error(self, tool: str, /, **arguments: object) -> str:
        output = await self.raw(tool, arguments)
        assert output.is_error, output.text
        assert size(output.text) <= BUDGET
        return output.text


@pytest.fixture
def call(place: Place) -> Caller:
    return Caller(place)


def write(place: Place, name: str, *cells: Any, minor: int = 5, **metadata: Any) -> str:
    made = nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)
    made.nbformat_minor = minor
    for cell in made.cells if minor < 5 else ():
        del cell["id"]
    file = place.root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(nbformat.writes(made), "utf-8")
    return name


def code(source: str, name: str, *outputs: Any, count: int | None = None) -> Any:
    return nbformat.v4.new_code_cell(source, id=name, outputs=list(outputs), execution_count=count)


def markdown(source: str, name: str) -> Any:
    return nbformat.v4.new_markdown_cell(source, id=name)


def printed(text: str) -> Any:
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def hash_of(text: str, cell_id: str) -> str:
    found = re.search(rf'id "{cell_id}" · hash (\w{{12}})', text)
    assert found, text
    return found[1]


# ---------------------------------------------------------------- the list


def test_the_tools_are_those_of_the_design(call: Caller) -> None:
    rows = [[field.strip() for field in line.strip("|").split("|")] for line in TABLE.strip().splitlines()[1:]]
    told = []
    for tool in call.registry:
        schema = tool.parameters
        names = [name if name in schema.get("required", ()) else f"{name}?" for name in schema.get("properties", {})]
        told.append([tool.name, " ".join(names), tool.rights, "core" if tool.core else ""])
    assert told == rows


def test_defaults_are_those_of_the_design(call: Caller) -> None:
    for tool in call.registry:
        properties = tool.parameters.get("properties", {})
        found = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
        assert found == DEFAULTS.get(tool.name, {}), tool.name


def test_every_tool_and_parameter_is_described(call: Caller) -> None:
    for tool in call.registry:
        assert len(tool.description) > 30, tool.name
        assert tool.title
        assert tool.annotations["readOnlyHint"] is (tool.rights == "read")
        for name, schema in tool.parameters.get("properties", {}).items():
            assert schema.get("description"), (tool.name, name)


def test_the_list_of_tools_is_small(call: Caller) -> None:
    listed = [
        {
            "name": tool.name,
            "description": tool.description,
            "inputSchema": tool.parameters,
            "annotations": tool.annotations,
            **({"_meta": {"anthropic/alwaysLoad": True}} if tool.core else {}),
        }
        for tool in call.registry
    ]
    whole = json.dumps({"tools": listed}, separators=(",", ":"), ensure_ascii=False)
    assert len(whole.encode()) <= MAX_LISTING


# ---------------------------------------------------------------- reading


async def test_notebooks_are_listed_with_time_size_and_kernel(call: Caller, place: Place) -> None:
    write(place, "list/a b.ipynb")
    path = write(place, "list/deep/sales.ipynb", code("1", "a"))
    text = await call.ok("list_notebooks", path="list")
    assert re.search(
        r"^notebooks 1-2 of 2\nlist/a b\.ipynb · modified \d{4}-\d\d-\d\d \d\d:\d\d UTC · \d+ bytes · no kernel$",
        text,
        re.MULTILINE,
    )
    assert "notebooks 1-1 of 2; next: offset=1" in await call.ok("list_notebooks", path="list", limit=1)
    assert "list/deep/sales.ipynb" in await call.ok("list_notebooks", pattern="*sales*")
    assert "There are no notebooks" in await call.ok("list_notebooks", pattern="*none such*")
    assert "offset=5 is behind the last" in await call.ok("list_notebooks", path="list", offset=5)
    await call.ok("run_cells", path=path)
    assert re.search(r"sales\.ipynb · .* · kernel idle", await call.ok("list_notebooks", path="list"))
    await place.kernel_manager.shutdown_kernel(await place.kernel(path), now=True)


async def test_a_notebook_is_read_with_what_edits_need(call: Caller, place: Place) -> None:
    path = write(place, "read.ipynb", markdown("# Title", "m"), code("1+1", "c", printed("out\n"), count=3))
    assert await call.ok("read_notebook", path=path) == (
        "read.ipynb · python · no kernel chosen\n"
        "cells 1-2 of 2\n"
        f'[cell 1] id "m" · hash {hash_of(await call.ok("read_notebook", path=path), "m")} · markdown\n'
        "```markdown\n# Title\n```\n"
        '[cell 2] id "c" · hash a6b3a4ed0ca7 · code · run as [3]\n'
        "```python\n1+1\n```\n```output\nout\n\n```"
    ).replace("a6b3a4ed0ca7", hash_of(await call.ok("read_notebook", path=path), "c"))


async def test_an_outline_is_a_line_per_cell(call: Caller, place: Place) -> None:
    failure = nbformat.v4.new_output("error", ename="KeyError", evalue="x", traceback=[])
    cells = [markdown("text\n## Part", "m"), code("# why\n\nload()\nmore()", "c", failure, count=1), code("", "e")]
    path = write(place, "outline.ipynb", *cells)
    _, _, *lines = (await call.ok("read_notebook", path=path, detail="outline")).split("\n")
    assert [re.sub(r"hash \w{12}", "hash", line) for line in lines] == [
        '[cell 1] id "m" · hash · markdown | ## Part',
        '[cell 2] id "c" · hash · code · run as [1] · KeyError | load()',
        '[cell 3] id "e" · hash · code · not run | (empty)',
    ]


async def test_a_long_notebook_is_read_page_by_page_to_its_end(call: Caller, place: Place) -> None:
    path = write(place, "long.ipynb", *(code(f"x = {at}  # " + "ä" * 700, f"c{at}") for at in range(120)))
    seen: list[str] = []
    offset: str | None = "0"
    while offset is not None:
        text = await call.ok("read_notebook", path=path, offset=offset)
        seen += re.findall(r'id "c(\d+)"', text)
        following = re.search(r"cells \d+-\d+ of 120; next: offset=(\d+)", text)
        offset = following[1] if following else None
    assert seen == [str(at) for at in range(120)]
    assert "offset=500 is behind the last" in await call.ok("read_notebook", path=path, offset=500)
    assert "cells 51-60 of 120; next: offset=60" in await call.ok(
        "read_notebook", path=path, detail="outline", offset=50, limit=10
    )


async def test_a_huge_source_is_cut_in_lists_and_whole_when_read_alone(call: Caller, place: Place) -> None:
    source = "\n".join(f"line_{at} = {at}" for at in range(3_000))
    path = write(place, "huge.ipynb", code(source, "c"))
    assert "left out" in await call.ok("read_notebook", path=path)
    assert "read_cell with outputs=false shows more of it" in await call.ok("read_cell", path=path, cell_id="c")
    whole = await call.raw("read_cell", {"path": path, "cell_id": "c", "outputs": "false"})
    assert source in whole.text


async def test_a_cell_is_read_with_its_image(call: Caller, place: Place) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    picture = nbformat.v4.new_output("display_data", data={"image/png": pixel, "text/plain": "<Figure>"})
    path = write(place, "image.ipynb", code("plot()", "c", picture, count=1))
    output = await call.raw("read_cell", {"path": path, "cell_id": "c"})
    assert [type(part) for part in output.content] == [Text, Image]
    assert "[image 1 below: image/png 1x1]" in output.text
    assert pixel not in output.text
    assert pixel not in await call.ok("read_notebook", path=path)
    without = await call.raw("read_cell", {"path": path, "cell_id": "c", "outputs": False})
    assert [type(part) for part in without.content] == [Text]


async def test_an_old_notebook_is_read_and_says_that_it_cannot_be_edited(call: Caller, place: Place) -> None:
    path = write(place, "old.ipynb", code("1+1", "a"), minor=4)
    text = await call.ok("read_notebook", path=path)
    assert "old format nbformat 4.4" in text
    assert 'id "#0"' in text
    assert "1+1" in await call.ok("read_cell", path=path, cell_id="#0")
    assert "JupyterLab" in await call.error("edit_cell", path=path, cell_id="#0", old="1+1", new="2")


async def test_search_finds_a_place_with_its_cell(call: Caller, place: Place) -> None:
    path = write(place, "search/zebra.ipynb", markdown("# Stripes\nA zebra crossing", "m"))
    text = await call.ok("search_notebooks", query="zebra crossing")
    assert re.search(
        r'^search/zebra\.ipynb \[cell 1\] id "m" · markdown · score \d+\.\d\d · Stripes\n```', text, re.MULTILINE
    )
    assert "No cell matches" in await call.ok("search_notebooks", query="xylophonequartz")
    assert path in await call.ok("search_notebooks", query="zebra", path="search")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x.ipynb",
        "a/../../x.ipynb",
        "",
        "x.txt",
        ".hidden/x.ipynb",
        "x" * 5_000 + ".ipynb",
        "none.ipynb",
        "a\nb.ipynb",
        "C:\\x.ipynb",
    ],
)
@pytest.mark.parametrize("tool", ["read_notebook", "list_variables", "run_cells", "restart_kernel", "clear_outputs"])
async def test_a_path_that_leads_to_no_notebook_is_an_error_without_absolute_paths(
    call: Caller, place: Place, tool: str, path: str
) -> None:
    text = await call.error(tool, path=path)
    assert str(place.root) not in text
    assert len(text) < 500


async def test_an_unreadable_notebook_is_an_error_and_stays_as_it_is(call: Caller, place: Place) -> None:
    file = place.root / "broken.ipynb"
    file.write_text('{"cells": [', "utf-8")
    assert "broken.ipynb" in await call.error("read_notebook", path="broken.ipynb")
    await call.error("insert_cells", path="broken.ipynb", cells=[{"cell_type": "code", "source": "1"}])
    assert file.read_text("utf-8") == '{"cells": ['


# ---------------------------------------------------------------- editing


async def test_an_edit_answers_with_its_diff_and_the_hash_of_the_next_one(call: Caller, place: Place) -> None:
    path = write(place, "edit.ipynb", code("a = 1\nb = 2", "c"))
    first = hash_of(await call.ok("read_notebook", path=path), "c")
    text = await call.ok("edit_cell", path=path, cell_id="c", old="b = 2", new="b = 3", source_hash=first)
    assert f"(was {first}) · code" in text
    assert "```diff\n" in text
    assert "-b = 2\n+b = 3" in text
    second = hash_of(text, "c")
    assert second == hash_of(await call.ok("read_notebook", path=path), "c")
    await call.ok("replace_cell", path=path, cell_id="c", source="new", source_hash=second)
    assert [cell.source for cell in stored(place.root / path)] == ["new"]


async def test_a_stale_edit_is_refused_with_the_source_of_now(call: Caller, place: Place) -> None:
    path = write(place, "stale.ipynb", code("mine", "c"))
    edits: list[tuple[str, Json]] = [
        ("edit_cell", {"cell_id": "c", "old": "mine", "new": "x", "source_hash": "0" * 12}),
        ("replace_cell", {"cell_id": "c", "source": "x", "source_hash": "0" * 12}),
        ("delete_cells", {"cell_ids": ["c"], "source_hashes": {"c": "0" * 12}}),
    ]
    for name, fields in edits:
        text = await call.error(name, path=path, **fields)
        assert "now is:\n```text\nmine\n```" in text
        assert hash_of(text, "c") == hash_of(await call.ok("read_notebook", path=path), "c")
    assert [cell.source for cell in stored(place.root / path)] == ["mine"]


async def test_a_text_found_twice_or_not_at_all_is_refused(call: Caller, place: Place) -> None:
    path = write(place, "twice.ipynb", code("x = x", "c"))
    assert "2 times" in await call.error("edit_cell", path=path, cell_id="c", old="x", new="y")
    assert "does not hold" in await call.error("edit_cell", path=path, cell_id="c", old="z", new="y")
    assert "no cell" in await call.error("edit_cell", path=path, cell_id="nope", old="z", new="y")


async def test_cells_are_inserted_moved_retyped_and_deleted(call: Caller, place: Place) -> None:
    path = write(place, "cells.ipynb", code("1", "a"), code("2", "b"))
    file = place.root / path
    new = [{"cell_type": "markdown", "source": "# M"}, {"cell_type": "raw", "source": "r"}]
    text = await call.ok("insert_cells", path=path, cells=json.dumps(new), after="a")
    assert text.startswith("Inserted 2 cells into cells.ipynb.\n[cell 2] id ")
    assert [cell.source for cell in stored(file)] == ["1", "# M", "r", "2"]
    await call.ok("insert_cells", path=path, cells=[{"cell_type": "code", "source": "0"}], before="a")
    await call.ok("insert_cells", path=path, cells=[{"cell_type": "code", "source": "9"}])
    assert [cell.source for cell in stored(file)] == ["0", "1", "# M", "r", "2", "9"]
    assert "Moved to [cell 6]" in await call.ok("move_cell", path=path, cell_id="a")
    assert "Moved to [cell 1]" in await call.ok("move_cell", path=path, cell_id="b", before=stored(file)[0].id)
    assert [cell.source for cell in stored(file)] == ["2", "0", "# M", "r", "9", "1"]
    retyped = await call.ok(
        "replace_cell",
        path=path,
        cell_id="b",
        source="# Two",
        cell_type="markdown",
        source_hash=hash_of(await call.ok("read_notebook", path=path), "b"),
    )
    assert "· markdown" in retyped
    text = await call.ok("delete_cells", path=path, cell_ids=["a", "b"])
    assert text.startswith("Deleted 2 cells from cells.ipynb.\n")
    assert "· code · deleted\n```diff\n--- cell a" in text
    assert "-# Two" in text
    assert [cell.source for cell in stored(file)] == ["0", "# M", "r", "9"]
    assert "Both" in await call.error("insert_cells", path=path, cells=new, after="x", before="y")


async def test_outputs_are_cleared_and_nothing_to_clear_is_no_error(call: Caller, place: Place) -> None:
    path = write(place, "clear.ipynb", code("1", "a", printed("x"), count=1), code("2", "b", printed("y"), count=2))
    assert await call.ok("clear_outputs", path=path, cell_ids='["a"]') == 'Cleared 1 cell of clear.ipynb: "a"'
    assert [len(cell.outputs) for cell in stored(place.root / path)] == [0, 1]
    assert await call.ok("clear_outputs", path=path) == 'Cleared 1 cell of clear.ipynb: "b"'
    assert await call.ok("clear_outputs", path=path) == "There was nothing to clear."


async def test_a_notebook_is_created_once(call: Caller, place: Place) -> None:
    cells = [{"cell_type": "markdown", "source": "# New"}, {"cell_type": "code", "source": "1"}]
    text = await call.ok("create_notebook", path="created.ipynb", cells=cells, kernel="python3")
    assert text.startswith("Created created.ipynb with 2 cells.\n[cell 1] id ")
    file = place.root / "created.ipynb"
    assert [cell.source for cell in stored(file)] == ["# New", "1"]
    assert nbformat.read(file, as_version=4).metadata.kernelspec.name == "python3"
    before = file.read_bytes()
    await call.error("create_notebook", path="created.ipynb")
    assert file.read_bytes() == before
    await call.error("create_notebook", path="no/such/folder/x.ipynb")
    assert "Created alone.ipynb with 0 cells." in await call.ok("create_notebook", path=str(place.root / "alone.ipynb"))


async def test_a_huge_edit_is_answered_within_the_budget(call: Caller, place: Place) -> None:
    path = write(place, "hugeedit.ipynb", code("\n".join(f"old {at}" for at in range(9_000)), "c"))
    source_hash = hash_of(await call.ok("read_notebook", path=path), "c")
    source = "\n".join(f"new {at}" for at in range(9_000))
    assert "left out" in await call.ok("replace_cell", path=path, cell_id="c", source=source, source_hash=source_hash)
    await call.ok("delete_cells", path=path, cell_ids=["c"])


# ---------------------------------------------------------------- running


async def test_a_run_answers_with_each_cells_outputs_and_stores_them(call: Caller, notebook: Notebook) -> None:
    await notebook.open("print('one')", "1+1", "x = 1")
    text = await call.ok("run_cells", path=notebook.path)
    assert re.match(rf"3 cells in {notebook.path}: done after \d+\.\d s\.\n", text)
    assert re.search(r'\[cell 1\] id "cell-0" · hash \w{12} · code · run as \[\d+\]\n```stdout\none\n```', text)
    assert re.search(r'\[cell 2\] id "cell-1" .*\n```result\n2\n```', text)
    assert re.search(r'\[cell 3\] id "cell-2" .*\nNo output\.', text)
    assert [len(cell.outputs) for cell in notebook.stored()] == [1, 1, 0]


async def test_a_chosen_cell_runs_alone_and_text_cells_are_passed_over(call: Caller, notebook: Notebook) -> None:
    await notebook.open("y = 5", "y", "1/0")
    await call.ok("run_cells", path=notebook.path, cell_ids=["cell-0"])
    text = await call.ok("run_cells", path=str(notebook.file), cell_ids='["cell-1"]')
    assert text.startswith(f"1 cell in {notebook.path}: done")
    assert "```result\n5\n```" in text
    write(notebook.place, notebook.path, markdown("# Only text", "m"))
    assert "nothing to run" in await call.ok("run_cells", path=notebook.path)
    assert "no cell" in await call.error("run_cells", path=notebook.path, cell_ids=["m", "nope"])


async def test_a_cell_that_raises_is_an_error_that_keeps_what_there_was(call: Caller, notebook: Notebook) -> None:
    await notebook.open("print('before')", "print('then'); 1/0", "print('never')")
    text = await call.error("run_cells", path=notebook.path)
    assert "failed after" in text
    assert "```stdout\nbefore\n```" in text
    assert "```stdout\nthen\n```\n```error\n" in text
    assert "ZeroDivisionError: division by zero\n```" in text
    assert "\x1b" not in text
    assert '"cell-2"' in text
    assert "not run" in text.splitlines()[-2]
    assert "never" not in text
    assert "edit_cell" in text.splitlines()[-1]


async def test_an_error_inside_a_library_is_told_by_the_users_frames(call: Caller, notebook: Notebook) -> None:
    await notebook.open("import json\njson.loads('{')")
    text = await call.error("run_cells", path=notebook.path)
    assert "----> 2 json.loads" in text
    assert "library frames left out" in text
    assert "raw_decode" not in text
    assert "JSONDecodeError: Expecting" in text


async def test_two_megabytes_of_print_are_answered_in_twenty_kilobytes(call: Caller, notebook: Notebook) -> None:
    await notebook.open("print('first'); print('x' * 2_000_000); print('the end')")
    output = await call.raw("run_cells", {"path": notebook.path})
    assert size(output.text) <= 20_000
    assert "first" in output.text
    assert "the end\n" in output.text
    assert "left out" in output.text
    assert "Not kept, there was too much: 1 0" in output.text


async def test_many_prints_and_many_cells_are_answered_within_the_budget(call: Caller, notebook: Notebook) -> None:
    await notebook.open(*(f"print('{at} ' + 'y' * 3_000)" if at % 2 else "pass" for at in range(60)))
    text = await call.ok("run_cells", path=notebook.path)
    assert "60 cells" in text
    assert "59 yyy" in text
    assert "no output" in text
    await notebook.open(*(["pass"] * 80))
    text = await call.ok("run_cells", path=notebook.path)
    assert "[80 cells: done, no output]" in text


async def test_a_large_plot_comes_as_a_small_image(call: Caller, notebook: Notebook) -> None:
    await notebook.open(
        "import matplotlib.pyplot as plt\nplt.figure(figsize=(30, 20), dpi=100).add_subplot().plot([1, 2])\nplt.show()"
    )
    output = await call.raw("run_cells", {"path": notebook.path})
    [image] = [part for part in output.content if isinstance(part, Image)]
    width, height = (int.from_bytes(image.data[at : at + 4], "big") for at in (16, 20))
    assert max(width, height) == 768
    assert f"shown at {width}x{height}" in output.text
    assert size(output.text) < 1_000


async def test_a_dataframe_comes_as_schema_and_head(call: Caller, notebook: Notebook) -> None:
    await notebook.open("import pandas as pd\npd.DataFrame({'n': range(5000), 's': 'x'})")
    text = await call.ok("run_cells", path=notebook.path)
    assert (
        "DataFrame of 5000 rows x 2 columns\ncolumns: n (number), s (text)\nhead:\n(index) | n | s\n0 | 0 | x" in text
    )


async def test_code_is_executed_without_a_trace_in_the_notebook(call: Caller, notebook: Notebook) -> None:
    await notebook.open("1")
    before = notebook.file.read_bytes()
    await call.ok("execute_code", path=notebook.path, code="scratch = 41")
    text = await call.ok("execute_code", path=notebook.path, code="scratch + 1")
    assert "```result\n42\n```" in text
    assert notebook.file.read_bytes() == before
    assert "NameError" in await call.error("execute_code", path=notebook.path, code="undefined_name")
    assert "42\n```" in text


async def test_work_that_takes_longer_goes_on_under_an_execution_id(call: Caller, notebook: Notebook) -> None:
    gate = notebook.place.root / "gate"
    until_gate = f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    await notebook.open(f"import os, time\nprint('begun', flush=True)\n{until_gate}\nprint('over')")
    text = await call.ok("run_cells", path=notebook.path, wait_s="0.5")
    assert "still running" in text
    found = re.search(r'execution_id "(\w+)"', text)
    assert found
    assert "running" in await call.ok("get_execution", execution_id=found[1])
    gate.touch()
    text = await call.ok("get_execution", execution_id=found[1], wait_s=30)
    assert "done after" in text
    assert "```stdout\nbegun\nover\n```" in text
    assert re.search(r'\[cell 1\] id "cell-0" · hash \w{12} · code · run as', text)
    gate.unlink()
    assert "There is no execution" in await call.error("get_execution", execution_id="nope")


async def test_code_that_takes_too_long_is_interrupted(call: Caller, notebook: Notebook) -> None:
    await notebook.open("1")
    text = await call.error(
        "execute_code", path=notebook.path, code="print('so far')\nwhile True: pass", timeout_s="0.5"
    )
    assert "took too long and was interrupted" in text
    assert "so far" in text
    assert "timeout_s" in text
    assert "2" in await call.ok("execute_code", path=notebook.path, code="1+1")


async def test_a_cancelled_call_stops_what_it_runs(call: Caller, notebook: Notebook) -> None:
    await notebook.open("1")
    mark = notebook.place.root / "mark"
    endless = f"open({str(mark)!r}, 'w').close()\nwhile True: pass"
    running = asyncio.ensure_future(call.raw("execute_code", {"path": notebook.path, "code": endless}))
    await until(mark.exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "```result\n2\n```" in await call.ok("execute_code", path=notebook.path, code="1+1", wait_s=30)


async def test_a_run_behind_the_users_cell_waits_and_does_not_offer_to_interrupt_it(
    call: Caller, notebook: Notebook
) -> None:
    await notebook.open("'mine'")
    await call.ok("run_cells", path=notebook.path)
    gate = notebook.place.root / "users-gate"
    async with await notebook.user() as user:
        request = user.send(f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)")
        await request.begun.wait()
        text = await call.ok("run_cells", path=notebook.path, wait_s=0.5)
        assert "waiting for the kernel" in text
        assert "interrupt_kernel" not in text
        assert "kernel busy" in await call.ok("list_notebooks", pattern=notebook.path)
        gate.touch()
        found = re.search(r'execution_id "(\w+)"', text)
        assert found
        assert "'mine'" in await call.ok("get_execution", execution_id=found[1], wait_s=30)


async def test_input_is_an_error_at_once(call: Caller, notebook: Notebook) -> None:
    await notebook.open("input('name? ')")
    assert "StdinNotImplementedError" in await call.error("run_cells", path=notebook.path)


# ---------------------------------------------------------------- kernels


async def test_of_very_many_variables_the_rest_is_counted(call: Caller, notebook: Notebook) -> None:
    await notebook.open("for at in range(450): globals()[f'many_{at}'] = 'some text ' * 20\n")
    await call.ok("run_cells", path=notebook.path)
    text = await call.ok("list_variables", path=notebook.path, pattern="many_*")
    assert "many_0: str" in text
    assert re.search(r"and \d+ more: narrow it with pattern$", text)


async def test_variables_are_listed_and_looked_into(call: Caller, notebook: Notebook) -> None:
    await notebook.open(
        "import pandas as pd\nframe_a = pd.DataFrame({'n': [1, 2]})\ndef double(x):\n    'Twice x.'\n    return 2 * x"
    )
    await call.ok("run_cells", path=notebook.path)
    text = await call.ok("list_variables", path=notebook.path, pattern="frame_*")
    assert re.fullmatch(r"frame_a: pandas\.DataFrame \(2, 1\) · columns n", text)
    assert "No variable matches" in await call.ok("list_variables", path=notebook.path, pattern="zzz*")
    assert "n: int64" in await call.ok("inspect_variable", path=notebook.path, name="frame_a")
    assert "Twice x." in await call.ok("inspect_variable", path=notebook.path, name="double")
    assert "Docstring" in await call.ok("inspect_variable", path=notebook.path, name="pd.merge")
    text = await call.error("inspect_variable", path=notebook.path, name="frame_b")
    assert "Did you mean frame_a?" in text


async def test_other_languages_say_what_they_cannot_and_show_documentation(call: Caller, place: Place) -> None:
    path = place.write("hello", kernel="echo")
    assert "```stdout\nhello\n```" in await call.ok("run_cells", path=path)
    assert "echo kernel cannot be listed" in await call.error("list_variables", path=path)
    assert "echo says plot" in await call.ok("inspect_variable", path=path, name="plot")
    assert re.search(rf"^{path} · echo · echo · idle · id ", await call.ok("list_kernels"), re.MULTILINE)
    await place.kernel_manager.shutdown_kernel(await place.kernel(path), now=True)


async def test_a_notebook_without_a_kernel_says_how_to_start_one(call: Caller, place: Place) -> None:
    path = place.write("1")
    calls: list[tuple[str, Json]] = [
        ("list_variables", {}),
        ("inspect_variable", {"name": "x"}),
        ("interrupt_kernel", {}),
        ("restart_kernel", {}),
    ]
    for tool, fields in calls:
        assert "Run a cell" in await call.error(tool, path=path, **fields)


async def test_an_interrupt_ends_what_runs_and_a_restart_forgets_it(call: Caller, notebook: Notebook) -> None:
    await notebook.open("1")
    await call.ok("execute_code", path=notebook.path, code="kept = 1")
    text = await call.ok("execute_code", path=notebook.path, code="while True: pass", wait_s=0.3)
    found = re.search(r'execution_id "(\w+)"', text)
    assert found
    assert "was interrupted" in await call.ok("interrupt_kernel", path=notebook.path)
    assert "KeyboardInterrupt" in await call.error("get_execution", execution_id=found[1], wait_s=30)
    assert "kept: int · 1" in await call.ok("list_variables", path=notebook.path, pattern="kept")
    assert "variables are gone" in await call.ok("restart_kernel", path=notebook.path)
    text = await call.ok("execute_code", path=notebook.path, code="'kept' in globals()")
    assert "```result\nFalse\n```" in text


async def test_a_kernel_that_dies_is_an_error_that_says_what_is_lost(call: Caller, notebook: Notebook) -> None:
    await notebook.open("print('last words', flush=True)\nimport os, time; time.sleep(0.3); os._exit(1)")
    text = await call.error("run_cells", path=notebook.path)
    assert "the kernel ended" in text
    assert "last words" in text
    assert "The next run has a new kernel" in text
    await notebook.open("1+1")
    assert "```result\n2\n```" in await call.ok("run_cells", path=notebook.path)


async def test_a_kernel_that_another_restarted_is_told_with_the_next_run(call: Caller, notebook: Notebook) -> None:
    await notebook.open("kept")
    await call.ok("execute_code", path=notebook.path, code="kept = 1")
    await notebook.place.kernel_manager.restart_kernel(await notebook.place.kernel(notebook.path))
    text = await call.error("run_cells", path=notebook.path)
    assert "NameError" in text
    assert "Before this run: The kernel was restarted. The variables of earlier runs are gone." in text


# ---------------------------------------------------------------- anything


texts = st.text(max_size=20) | st.sampled_from(["any.ipynb", "a", "#0", "full", "[]", "true", "*", "../x.ipynb", "."])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
HARMLESS = ["list_notebooks", "read_notebook", "read_cell", "search_notebooks", "list_variables", "inspect_variable",
            "list_kernels", "get_execution", "insert_cells", "edit_cell", "replace_cell", "move_cell", "delete_cells",
            "clear_outputs", "interrupt_kernel", "restart_kernel"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_arguments_end_in_a_result_that_can_be_sent(
    place: Place, jp_asyncio_loop: asyncio.AbstractEventLoop, data: st.DataObject
) -> None:
    call = Caller(place)
    write(place, "any.ipynb", code("a", "a"))
    name = data.draw(st.sampled_from(HARMLESS))
    tool = call.registry.get(name)
    assert tool
    names = list(tool.parameters.get("properties", {}))
    arguments = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, values)))
    if "path" in names:
        arguments["path"] = data.draw(st.just("any.ipynb") | values)
    output = jp_asyncio_loop.run_until_complete(call.raw(name, arguments))
    assert output.text
    assert size(output.text) <= BUDGET
    assert str(place.root) not in output.text
    assert "The tool failed" not in output.text


# ---------------------------------------------------------------- secrets that were not shown


async def test_the_mark_of_a_secret_is_never_written_over_the_secret(call: Caller, place: Place) -> None:
    source = 'key = "sk-live-canary-0123456789"\nrows = load(key)'
    path = write(place, "secret.ipynb", code(source, "a"))
    before = (place.root / path).read_bytes()
    marked = 'key = "[redacted: API key]"\nrows = load(key, limit=5)'
    cell = {"cell_type": "code", "source": marked}
    for name, arguments in (
        ("replace_cell", {"cell_id": "a", "source": marked, "source_hash": Cell("a", 0, "code", source).hash}),
        ("edit_cell", {"cell_id": "a", "old": "sk-live-canary-0123456789", "new": "[redacted: API key]"}),
        ("insert_cells", {"cells": [cell]}),
    ):
        assert "destroy the secret" in await call.error(name, path=path, **arguments), name
    assert (place.root / path).read_bytes() == before
    await call.ok("edit_cell", path=path, cell_id="a", old="load(key)", new="load(key, limit=5)")
    assert "canary" in (place.root / path).read_text()
