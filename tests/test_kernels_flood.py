"""Kernels that say too much: floods, long prints, large images; none holds the loop or fills the notebook."""

from __future__ import annotations

import asyncio
import time

from jupyter_assistant.notebooks.kernels import Execution
from jupyter_assistant.notebooks.kernels.collect import MAX_TEXT
from tests.kernels import Notebook, jp_asyncio_loop, notebook, over, place, text_of, until

__all__ = ["jp_asyncio_loop", "notebook", "place"]


class Pulse:
    """Counts how often the loop gets to others while something goes on."""

    async def __aenter__(self) -> Pulse:
        self.beats = 0
        self.longest = 0.0
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            self.longest = max(self.longest, time.perf_counter() - began)
            self.beats += 1


async def test_a_print_of_100_mb_keeps_both_ends(notebook: Notebook) -> None:
    async with Pulse() as pulse:
        execution = await notebook.run("print('start', 'x' * 100_000_000, 'end')")
    (cell,) = execution.cells
    text = text_of(cell.outputs)
    assert execution.state == "done"
    assert text.startswith("start xxx")
    assert text.endswith("xxx end\n")
    assert len(text) <= MAX_TEXT + 200
    assert cell.left_out.characters > 98_000_000
    assert text_of(notebook.stored()[0].outputs) == text
    assert pulse.beats > 5


async def test_a_million_prints_keep_the_first_and_the_last(notebook: Notebook) -> None:
    execution = await notebook.run("for number in range(1_000_000): print(number)")
    text = text_of(execution.cells[0].outputs)
    assert execution.state == "done"
    assert text.startswith("0\n1\n2\n")
    assert text.endswith("\n999998\n999999\n")
    assert len(text) <= MAX_TEXT + 200


async def test_an_infinite_print_can_be_cancelled_and_its_tail_is_kept(notebook: Notebook) -> None:
    async with Pulse() as pulse:
        execution = await notebook.start("number = 0\nwhile True:\n    number += 1\n    print(number, 'x' * 100)")
        await until(lambda: execution.cells[0].left_out.characters > 2_000_000, 60)
        await execution.cancel()
    assert execution.state == "cancelled"
    assert pulse.beats > 20
    outputs = execution.cells[0].outputs
    assert outputs[-1]["ename"] == "KeyboardInterrupt"
    assert len(text_of(outputs)) <= MAX_TEXT + 500
    assert len(text_of(notebook.stored()[0].outputs)) <= MAX_TEXT + 500


async def test_an_image_of_50_mb_is_named_and_left_out(notebook: Notebook) -> None:
    execution = await notebook.run(
        "from IPython.display import Image, display\nimport os\n"
        "display(Image(data=os.urandom(37_500_000), format='png'))\nprint('after')"
    )
    (cell,) = execution.cells
    assert text_of(cell.outputs) == "[… image/png of 50 MB left out …]after\n"
    assert cell.left_out.bytes > 49_000_000


async def test_an_image_that_fits_is_stored(notebook: Notebook) -> None:
    execution = await notebook.run(
        "from IPython.display import Image, display\nimport os\n"
        "display(Image(data=os.urandom(3_000_000), format='png'))"
    )
    assert len(execution.cells[0].outputs[0]["data"]["image/png"]) >= 4_000_000
    assert len(notebook.stored()[0].outputs[0].data["image/png"]) >= 4_000_000


async def test_ten_thousand_display_updates_end_with_the_last(notebook: Notebook) -> None:
    execution = await notebook.run(
        "from IPython.display import display\nhandle = display(0, display_id=True)\n"
        "for number in range(10_000): handle.update(number)"
    )
    (output,) = execution.cells[0].outputs
    assert (execution.state, output["data"]["text/plain"]) == ("done", "9999")


async def test_a_huge_traceback_is_bounded(notebook: Notebook) -> None:
    execution = await notebook.run("raise ValueError('x' * 5_000_000)")
    (error,) = execution.cells[0].outputs
    assert execution.state == "error"
    assert len(error["evalue"]) + sum(map(len, error["traceback"])) < 300_000


async def test_bundles_that_are_not_valid_are_taken(notebook: Notebook) -> None:
    execution = await notebook.run(
        "from IPython.display import publish_display_data\n"
        "publish_display_data({'text/plain': 5, 'image/png': ['a', 1], 'x/y': None}, metadata={})\nprint('after')"
    )
    assert execution.state == "done"
    assert text_of(execution.cells[0].outputs).endswith("after\n")
    assert notebook.stored()


async def test_a_widget_is_stored_with_its_plain_fallback(notebook: Notebook) -> None:
    execution = await notebook.run("import ipywidgets; ipywidgets.IntSlider(value=3)")
    (output,) = execution.cells[0].outputs
    assert output["data"]["text/plain"].startswith("IntSlider(value=3")
    assert "application/vnd.jupyter.widget-view+json" in output["data"]


async def test_others_are_served_during_a_flood(notebook: Notebook) -> None:
    flood: Execution = await notebook.start("while True: print('x' * 1000)")
    await until(lambda: flood.cells[0].left_out.characters > 1_000_000, 60)
    assert [line.name for line in await notebook.kernels.variables(notebook.path, "no such")] == []
    await flood.cancel()
    assert (await over(flood)).state == "cancelled"
