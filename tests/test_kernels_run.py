"""Cells of a notebook in its real kernel: in order, one run at a time, and never at the cost of the user's cell."""

from __future__ import annotations

import ast
import asyncio

import pytest

from jupyter_assistant.errors import CellNotFound, ExecutionNotFound
from jupyter_assistant.notebooks import Document
from jupyter_assistant.notebooks.edits import Delete, NewCell, Replace
from jupyter_assistant.notebooks.kernels import Kernels
from tests.kernels import Notebook, Place, jp_asyncio_loop, notebook, over, place, text_of, until

__all__ = ["jp_asyncio_loop", "notebook", "place"]

SLEEP = "import time\nprint('begun', flush=True)\nfor _ in range(600): time.sleep(0.05)"


async def test_a_result_is_on_disk_when_the_run_has_ended(notebook: Notebook) -> None:
    execution = await notebook.run("1+1")
    (cell,) = execution.cells
    assert (execution.state, cell.state, text_of(cell.outputs)) == ("done", "done", "2")
    (saved,) = notebook.stored()
    assert saved.outputs == [dict(output) for output in cell.outputs]
    assert saved.execution_count == cell.execution_count == saved.outputs[0].execution_count


async def test_the_first_run_starts_the_notebooks_own_kernel_and_registers_its_session(place: Place) -> None:
    path = place.write("hello", kernel="echo")
    execution = await over(await place.kernels.run(await place.notebooks.open(path), ["cell-0"]))
    assert text_of(execution.cells[0].outputs) == "hello"
    (model,) = [model for model in await place.sessions.list_sessions() if model["path"] == path]
    assert (model["type"], model["kernel"]["name"]) == ("notebook", "echo")
    (state,) = [state for state in await place.kernels.list() if state.path == path]
    assert (state.language, state.ours, state.id) == ("echo", True, model["kernel"]["id"])


async def test_two_runs_at_once_start_one_kernel(place: Place) -> None:
    path = place.write("x = 1", kernel="echo")
    document = await place.notebooks.open(path)
    runs = await asyncio.gather(*(place.kernels.run(document, ["cell-0"]) for _ in range(2)))
    for execution in runs:
        assert (await over(execution)).state == "done"
    assert len([model for model in await place.sessions.list_sessions() if model["path"] == path]) == 1


async def test_the_users_kernel_is_adopted_and_shares_its_names(notebook: Notebook) -> None:
    await notebook.run("pass")
    async with await notebook.user() as user:
        await user.run("made_by_the_user = 42")
        execution = await notebook.run("made_by_the_user")
    assert text_of(execution.cells[0].outputs) == "42"


async def test_an_unknown_kernelspec_says_what_is_installed(place: Place) -> None:
    from jupyter_assistant.errors import KernelUnable

    document = await place.notebooks.open(place.write("1", kernel="julia-9"))
    with pytest.raises(KernelUnable, match=r"'julia-9', which is not installed. Installed: .*echo.*python3"):
        await place.kernels.run(document, ["cell-0"])


async def test_cells_run_in_order_and_an_error_stops_the_rest(notebook: Notebook) -> None:
    execution = await notebook.run("print('a')", "1/0", "print('c')")
    assert execution.state == "error"
    assert [cell.state for cell in execution.cells] == ["done", "error", "not run"]
    assert [text_of(cell.outputs) for cell in notebook.stored()] == ["a\n", "ZeroDivisionError", ""]


async def test_cells_that_are_no_code_are_passed_over(notebook: Notebook) -> None:
    document = await notebook.open("print('a')", "# title")
    await document.apply([Replace("cell-1", "# title", "markdown")])
    execution = await over(await notebook.kernels.run(document, ["cell-1", "cell-0"]))
    assert [cell.cell_id for cell in execution.cells] == ["cell-0"]
    only_text = await over(await notebook.kernels.run(document, ["cell-1"]))
    assert (only_text.state, only_text.cells) == ("done", ())


async def test_a_cell_that_is_not_there_is_refused_before_anything_runs(notebook: Notebook) -> None:
    with pytest.raises(CellNotFound, match="no-such-cell"):
        await notebook.kernels.run(await notebook.open("1"), ["cell-0", "no-such-cell"])


async def test_outputs_land_in_the_notebook_while_the_cell_runs(notebook: Notebook) -> None:
    execution = await notebook.start(SLEEP)
    await until(lambda: text_of(notebook.stored()[0].outputs) == "begun\n")
    assert execution.state == "running"
    await execution.cancel()
    assert text_of(notebook.stored()[0].outputs) == "begun\nKeyboardInterrupt"


async def test_old_outputs_go_when_the_cell_begins(notebook: Notebook) -> None:
    await notebook.run("print('old')")
    document = await place_open(notebook)
    await document.apply([Replace("cell-0", SLEEP.replace("print('begun', flush=True)", ""))])
    execution = await notebook.kernels.run(document, ["cell-0"])
    await until(lambda: not notebook.stored()[0].outputs)
    await execution.cancel()


async def place_open(notebook: Notebook) -> Document:
    return await notebook.place.notebooks.open(notebook.path)


async def test_streams_displays_updates_and_clears_are_stored_as_jupyterlab_would(notebook: Notebook) -> None:
    execution = await notebook.run(
        "from IPython.display import display, clear_output\n"
        "import sys\n"
        "handle = display('one', display_id=True)\nprint('a'); print('b', file=sys.stderr); print('c')",
        "handle.update('two')\nprint('gone'); clear_output(wait=True); print('kept')",
    )
    first, second = notebook.stored()
    assert [output.output_type for output in first.outputs] == ["display_data", "stream", "stream", "stream"] or [
        output.output_type for output in first.outputs
    ] == ["display_data", "stream", "stream"]
    assert first.outputs[0].data["text/plain"] == "'two'"
    assert text_of(second.outputs) == "kept\n"
    assert execution.state == "done"


async def test_help_asked_for_with_a_question_mark_is_an_output_as_in_jupyterlab(notebook: Notebook) -> None:
    execution = await notebook.run("len?", "help = len")
    (page,), rest = notebook.stored()[0].outputs, notebook.stored()[1].outputs
    assert page.output_type == "display_data"
    assert "Return the number of items in a container" in page.data["text/plain"]
    assert (rest, execution.state) == ([], "done")


async def test_a_cell_that_asks_its_kernel_to_end_says_so(place: Place) -> None:
    own = Notebook(place, place.write("pass"))
    kept = await own.run("quit(keep_kernel=True)")
    assert kept.cells[0].note == ""
    execution = await own.run("exit")
    assert "asked the kernel to end" in execution.cells[0].note


async def test_a_cell_edited_while_it_runs_keeps_its_new_source_and_gets_the_outputs(notebook: Notebook) -> None:
    execution = await notebook.start(SLEEP)
    await until(lambda: notebook.stored()[0].outputs)
    await (await place_open(notebook)).apply([Replace("cell-0", "edited = True")])
    await execution.cancel()
    (cell,) = notebook.stored()
    assert (cell.source, text_of(cell.outputs)) == ("edited = True", "begun\nKeyboardInterrupt")
    assert "was edited while it ran" in execution.cells[0].note


async def test_a_cell_deleted_while_it_runs_runs_on_and_says_so(notebook: Notebook) -> None:
    execution = await notebook.start(SLEEP, "print('next')")
    await until(lambda: notebook.stored()[0].outputs)
    await (await place_open(notebook)).apply([Delete(("cell-0",))])
    await execution.cancel()
    assert "was deleted while it ran" in execution.cells[0].note
    assert text_of(execution.cells[0].outputs) == "begun\nKeyboardInterrupt"
    assert [cell.id for cell in notebook.stored()] == ["cell-1"]


async def test_a_notebook_that_is_gone_costs_the_copy_and_not_the_run(notebook: Notebook) -> None:
    execution = await notebook.start(SLEEP)
    await until(lambda: notebook.stored()[0].outputs)
    notebook.file.unlink()
    await execution.cancel()
    assert text_of(execution.cells[0].outputs) == "begun\nKeyboardInterrupt"
    assert "could not be written into the notebook" in execution.cells[0].note


async def test_code_can_be_run_that_no_cell_holds(notebook: Notebook) -> None:
    await notebook.open("untouched")
    before = notebook.file.read_bytes()
    execution = await over(await notebook.kernels.execute(notebook.path, "print(6*7)"))
    assert (execution.cells[0].cell_id, text_of(execution.cells[0].outputs)) == (None, "42\n")
    assert notebook.file.read_bytes() == before


async def test_code_can_be_run_that_starts_the_kernel(place: Place) -> None:
    path = place.write("1", kernel="echo")
    execution = await over(await place.kernels.execute(path, "hello", kernel_name="echo"))
    assert text_of(execution.cells[0].outputs) == "hello"


async def test_a_run_is_found_by_its_id_and_old_ones_are_forgotten(notebook: Notebook) -> None:
    execution = await notebook.run("1")
    assert notebook.kernels.execution(execution.id) is execution
    async with notebook.place.other_kernels(kept_seconds=-1.0) as kernels:
        execution = await kernels.run(await notebook.open(SLEEP), ["cell-0"])
        assert kernels.execution(execution.id) is execution
        await execution.cancel()
        with pytest.raises(ExecutionNotFound):
            kernels.execution(execution.id)


async def test_waiting_for_a_run_has_an_end(notebook: Notebook) -> None:
    execution = await notebook.start(SLEEP)
    assert not await execution.wait(0)
    assert not await execution.wait(0.05)
    await execution.cancel()
    assert await execution.wait(0)


# ---------------------------------------------------------------- timeout, cancel, input, exit


async def test_a_cell_over_its_time_is_interrupted_and_its_output_kept(notebook: Notebook) -> None:
    execution = await notebook.run(SLEEP, "never = 1", timeout_s=0.5)
    assert execution.state == "timeout"
    assert [cell.state for cell in execution.cells] == ["timeout", "not run"]
    assert text_of(notebook.stored()[0].outputs) == "begun\nKeyboardInterrupt"
    assert text_of((await notebook.run("1")).cells[0].outputs) == "1"


async def test_a_cell_that_awaits_is_interrupted_at_once(notebook: Notebook) -> None:
    execution = await notebook.run("import asyncio\nprint('begun', flush=True)\nawait asyncio.sleep(60)", timeout_s=0.5)
    assert (execution.state, execution.cells[0].note) == ("timeout", "Interrupted after 0.5 s.")


async def test_a_cancelled_run_interrupts_its_cell(notebook: Notebook) -> None:
    execution = await notebook.start(SLEEP)
    await until(lambda: execution.cells[0].outputs)
    await execution.cancel()
    assert (execution.state, execution.cells[0].state) == ("cancelled", "cancelled")
    await execution.cancel()
    assert (await notebook.run("1")).state == "done"


async def test_a_run_can_be_cancelled_at_any_moment(notebook: Notebook) -> None:
    for turns in range(12):
        execution = await notebook.start(SLEEP)
        for _ in range(turns * turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(execution.cancel(), 10)
        assert execution.state == "cancelled"
    assert (await notebook.run("1")).state == "done"


async def test_a_cell_that_ignores_the_interrupt_is_said_to_run_on(notebook: Notebook) -> None:
    stubborn = (
        "import signal, time, pathlib\nbefore = signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "while not pathlib.Path('stop').exists(): time.sleep(0.01)\nsignal.signal(signal.SIGINT, before)"
    )
    async with notebook.place.other_kernels(grace=0.3) as kernels:
        document = await notebook.open(stubborn, "1")
        execution = await over(await kernels.run(document, ["cell-0"], timeout_s=0.5))
        assert execution.state == "timeout"
        assert "still running after the interrupt" in execution.note
        waiting = await kernels.run(document, ["cell-1"])
        assert not await waiting.wait(0.2)
        assert waiting.state == "waiting"
        (notebook.place.root / "stop").touch()
        assert (await over(waiting)).state == "done"


@pytest.mark.parametrize("code", ["input('name?')", "import getpass; getpass.getpass()"])
def test_input_fails_at_once(notebook: Notebook, code: str, jp_asyncio_loop: asyncio.AbstractEventLoop) -> None:
    execution = jp_asyncio_loop.run_until_complete(notebook.run(code))
    assert (execution.state, text_of(execution.cells[0].outputs)) == ("error", "StdinNotImplementedError")


async def test_sys_exit_is_an_error_and_the_kernel_lives(notebook: Notebook) -> None:
    execution = await notebook.run("import sys; sys.exit(3)", "1")
    assert (execution.state, execution.cells[1].state) == ("error", "not run")
    assert "SystemExit" in text_of(execution.cells[0].outputs)
    assert (await notebook.run("1")).state == "done"


# ---------------------------------------------------------------- others at the kernel


async def test_runs_wait_for_one_another_and_say_so(notebook: Notebook) -> None:
    first = await notebook.start(SLEEP)
    document = await place_open(notebook)
    second = await notebook.kernels.run(document, ["cell-0"])
    third = await notebook.kernels.execute(notebook.path, "3")
    await until(lambda: first.cells[0].outputs)
    assert (second.state, third.state) == ("waiting", "waiting")
    assert "waits for its turn" in second.note
    await second.cancel()
    assert (second.state, first.state, third.state) == ("cancelled", "running", "waiting")
    await first.cancel()
    assert (await over(third)).state == "done"


async def test_a_run_is_held_while_the_kernel_works_for_the_user(notebook: Notebook) -> None:
    await notebook.run("pass")
    async with await notebook.user() as user:
        cell = user.send("import time\nfor _ in range(600): time.sleep(0.05)")
        await cell.begun.wait()
        execution = await notebook.start("1")
        assert not await execution.wait(0.3)
        assert execution.state == "waiting"
        assert "a cell of the user" in execution.note
        await execution.cancel()
        assert (execution.state, execution.cells[0].state) == ("cancelled", "not run")
        assert not cell.reply.done()
        held = await notebook.start("2")
        await user.manager.interrupt_kernel()
        assert (await cell.reply)["ename"] == "KeyboardInterrupt"
        assert (await over(held)).state == "done"


async def test_the_kernel_is_known_to_be_busy_from_the_first_moment(notebook: Notebook) -> None:
    await notebook.run("pass")
    fresh = Kernels(
        kernel_manager=notebook.place.kernel_manager,
        session_manager=notebook.place.sessions,
        kernel_spec_manager=notebook.place.kernel_manager.kernel_spec_manager,
        log=__import__("logging").getLogger("tests"),
    )
    async with await notebook.user() as user:
        cell = user.send("import time\nfor _ in range(600): time.sleep(0.05)")
        await cell.begun.wait()
        execution = await fresh.run(await notebook.open("1"), ["cell-0"])
        assert not await execution.wait(0.3)
        assert execution.state == "waiting"
        await user.manager.interrupt_kernel()
        await cell.reply
        assert (await over(execution)).state == "done"
    await fresh.close()


async def test_cancelling_what_waits_in_the_kernel_never_interrupts_the_users_cell(notebook: Notebook) -> None:
    """The user presses run in the same instant: our request is sent, and stands behind theirs."""
    await notebook.run("ran = []")
    async with await notebook.user() as user:
        document = await notebook.open("import time\nran.append('ours')\ntime.sleep(20)")
        cells = [user.send(f"import time; time.sleep(0.5); ran.append({number})") for number in range(2)]
        execution = await notebook.kernels.run(document, ["cell-0"])
        await until(lambda: execution.state == "running" or cells[0].begun.is_set())
        await asyncio.wait_for(execution.cancel(), 10)
        assert execution.state == "cancelled"
        for cell in cells:
            assert (await asyncio.wait_for(cell.reply, 20))["status"] == "ok"
        reply = await user.run("pass", user_expressions={"ran": "ran"})
    shown = reply["user_expressions"]["ran"]["data"]["text/plain"]
    assert [number for number in ast.literal_eval(shown) if number != "ours"] == [0, 1]


async def test_a_failing_cell_of_ours_throws_away_nothing_of_the_users(notebook: Notebook) -> None:
    await notebook.run("ran = []")
    async with await notebook.user() as user:
        execution = await notebook.start("import time; print('begun', flush=True); time.sleep(0.5); 1/0")
        await until(lambda: execution.cells[0].outputs)
        reply = await user.run("ran.append(1)")
        assert reply["status"] == "ok"
        await over(execution)


async def test_a_request_the_kernel_throws_away_behind_the_users_failing_cell_is_sent_again(
    notebook: Notebook,
) -> None:
    await notebook.run("pass")
    async with await notebook.user() as user:
        document = await notebook.open("'ours'")
        failing = user.send("import time; time.sleep(0.3); 1/0")
        execution = await notebook.kernels.run(document, ["cell-0"])
        assert (await failing.reply)["status"] == "error"
        await over(execution)
    assert (execution.state, text_of(execution.cells[0].outputs)) == ("done", "'ours'")


async def test_output_of_a_former_request_is_not_taken_for_this_ones(notebook: Notebook) -> None:
    late = (
        "import threading, time, pathlib\n"
        "def talk():\n"
        "    while not pathlib.Path('enough').exists():\n"
        "        print('late', flush=True); time.sleep(0.01)\n"
        "talker = threading.Thread(target=talk); talker.start()"
    )
    await notebook.run(late)
    async with await notebook.user() as user:
        cell = user.send("import time; time.sleep(0.2); print('from the user', flush=True)")
        execution = await notebook.start("print('ours', flush=True)")
        await cell.reply
        await over(execution)
    (notebook.place.root / "enough").touch()
    await notebook.run("talker.join()")
    assert "from the user" not in text_of(execution.cells[0].outputs)
    assert "ours" in text_of(execution.cells[0].outputs)


async def test_new_cells_can_be_made_and_run(notebook: Notebook) -> None:
    from jupyter_assistant.notebooks.edits import Insert

    document = await notebook.open("a = 20")
    change = await document.apply([Insert((NewCell("code", "a + 1"),))])
    execution = await over(await notebook.kernels.run(document, ["cell-0", *change.inserted]))
    assert text_of(execution.cells[1].outputs) == "21"
