"""A kernel's end, seen soon and said: killed, exited, restarted, shut down; and nothing of ours left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest

from jupyter_assistant.errors import KernelNotFound
from jupyter_assistant.notebooks.kernels import Execution
from tests.kernels import Notebook, Place, jp_asyncio_loop, notebook, over, place, text_of, until

__all__ = ["jp_asyncio_loop", "notebook", "place"]

LONG = "import time\nprint('begun', flush=True)\nfor _ in range(1200): time.sleep(0.05)"


async def begun(notebook: Notebook, *more: str) -> Execution:
    execution = await notebook.start(LONG, *more)
    await until(lambda: execution.cells[0].outputs)
    return execution


async def seen_dead(execution: Execution) -> None:
    """The end is seen within 2 s by the design; waited for longer only so that a loaded machine does not lie."""
    began = time.monotonic()
    await over(execution, 10)
    assert time.monotonic() - began < 10
    assert execution.state == "dead"


def process(notebook: Notebook, kernel: str) -> int:
    manager: Any = notebook.place.kernel_manager.get_kernel(kernel)
    return int(manager.provisioner.pid)


async def test_a_killed_kernel_is_seen_and_the_output_so_far_is_kept(notebook: Notebook) -> None:
    execution = await begun(notebook, "print('never')")
    os.kill(process(notebook, await notebook.place.kernel(notebook.path)), signal.SIGKILL)
    await seen_dead(execution)
    assert [cell.state for cell in execution.cells] == ["dead", "not run"]
    assert "killed" in execution.note
    assert text_of(notebook.stored()[0].outputs) == "begun\n"


async def test_the_next_run_finds_the_kernel_that_was_started_again(notebook: Notebook) -> None:
    await notebook.run("pass")
    kernel = await notebook.place.kernel(notebook.path)
    before = process(notebook, kernel)
    manager: Any = notebook.place.kernel_manager.get_kernel(kernel)
    os.kill(before, signal.SIGKILL)
    await until(lambda: manager.provisioner is not None and manager.provisioner.pid not in (None, before))
    execution = await notebook.run("print('first output')")
    assert (execution.state, text_of(execution.cells[0].outputs)) == ("done", "first output\n")


async def test_the_next_run_tells_that_the_kernel_died_meanwhile(notebook: Notebook) -> None:
    assert (await notebook.run("x = 1")).since == ""
    kernel = await notebook.place.kernel(notebook.path)
    before = process(notebook, kernel)
    manager: Any = notebook.place.kernel_manager.get_kernel(kernel)
    os.kill(before, signal.SIGKILL)
    await until(lambda: manager.provisioner is not None and manager.provisioner.pid not in (None, before))
    told = [(await notebook.run("pass")).since for _ in range(2)]
    assert "kernel" in told[0].lower()
    assert told[1] == ""


async def test_the_next_run_tells_that_the_user_restarted_the_kernel(notebook: Notebook) -> None:
    await notebook.run("x = 1")
    await notebook.place.kernel_manager.restart_kernel(await notebook.place.kernel(notebook.path))
    assert "restarted" in (await notebook.run("pass")).since


async def test_who_restarts_the_kernel_is_not_told_of_it_again(notebook: Notebook) -> None:
    await notebook.run("x = 1")
    await notebook.kernels.restart(notebook.path)
    assert (await notebook.run("pass")).since == ""


async def test_a_run_that_saw_the_kernel_die_is_the_only_one_to_tell(notebook: Notebook) -> None:
    execution = await begun(notebook)
    os.kill(process(notebook, await notebook.place.kernel(notebook.path)), signal.SIGKILL)
    await seen_dead(execution)
    assert (await notebook.run("pass")).since == ""


@pytest.mark.parametrize("code", ["import os; os._exit(1)", "import ctypes; ctypes.string_at(0)"])
def test_a_kernel_that_ends_itself_is_seen(
    notebook: Notebook, code: str, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> None:
    async def scene() -> None:
        await notebook.open("1")
        kernel = await notebook.place.kernels.execute(notebook.path, "1", kernel_name="python3")
        await over(kernel)
        await seen_dead(await notebook.start(code, "print('never')"))
        await notebook.kernels.restart(notebook.path)

    jp_asyncio_loop.run_until_complete(scene())


async def test_a_restart_by_the_user_ends_the_run(notebook: Notebook) -> None:
    execution = await begun(notebook)
    kernel = await notebook.place.kernel(notebook.path)
    await notebook.place.kernel_manager.restart_kernel(kernel)
    await seen_dead(execution)
    assert "restarted" in execution.note or "died" in execution.note or "killed" in execution.note
    assert text_of((await notebook.run("print('again')")).cells[0].outputs) == "again\n"


async def test_a_restart_from_here_ends_the_run_and_empties_the_kernel(notebook: Notebook) -> None:
    await notebook.run("kept = 1")
    execution = await begun(notebook)
    waiting = await notebook.kernels.execute(notebook.path, "2")
    await notebook.kernels.restart(notebook.path)
    await seen_dead(execution)
    await seen_dead(waiting)
    again = await notebook.run("kept")
    assert text_of(again.cells[0].outputs) == "NameError"


async def test_an_interrupt_by_the_user_ends_the_cell(notebook: Notebook) -> None:
    execution = await begun(notebook)
    await notebook.kernels.interrupt(notebook.path)
    await over(execution)
    assert execution.state == "error"
    assert text_of(execution.cells[0].outputs) == "begun\nKeyboardInterrupt"
    assert "interrupted" in execution.note


async def test_an_interrupt_by_the_user_ends_a_cell_that_awaits_at_once(notebook: Notebook) -> None:
    execution = await notebook.start("import asyncio\nprint('begun', flush=True)\nawait asyncio.sleep(600)")
    await until(lambda: execution.cells[0].outputs)
    await notebook.kernels.interrupt(notebook.path)
    await over(execution)
    assert execution.state == "error"
    assert text_of(execution.cells[0].outputs).startswith("begun\n")


async def test_a_shutdown_by_the_user_ends_the_run(place: Place) -> None:
    own = Notebook(place, place.write("pass"))
    execution = await begun(own)
    await place.kernel_manager.shutdown_kernel(await place.kernel(own.path), now=True)
    await seen_dead(execution)
    again = await own.run("print('new kernel')")
    assert text_of(again.cells[0].outputs) == "new kernel\n"


async def test_replies_are_heard_when_requests_are_sent_the_moment_they_arrive(notebook: Notebook) -> None:
    await notebook.run("1")
    async with await notebook.user() as user:
        for channel in ("shell", "control"):
            first = user.client.send("kernel_info_request", {}, channel=channel)
            await asyncio.wait_for(first.reply, 20)
            await asyncio.sleep(0)
            second = user.client.send("kernel_info_request", {}, channel=channel)
            while not user.held_until_heard(channel):
                await asyncio.wait_for(second.reply, 20)
                second = user.client.send("kernel_info_request", {}, channel=channel)
            third = user.client.send("kernel_info_request", {}, channel=channel)
            for request in (second, third):
                assert (await asyncio.wait_for(request.reply, 20))["status"] == "ok"


async def test_a_notebook_without_a_kernel_says_so(place: Place) -> None:
    path = place.write("pass")
    for act in (place.kernels.interrupt, place.kernels.restart, place.kernels.variables):
        with pytest.raises(KernelNotFound, match="no running kernel"):
            await act(path)
