"""What a kernel knows, read without a trace: no name left, nothing of the user's called, no cell disturbed."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from jupyter_assistant.errors import KernelBusy, KernelUnable, VariableNotFound
from jupyter_assistant.notebooks.kernels import Variable
from jupyter_assistant.notebooks.kernels import probe as probed
from tests.kernels import ANOTHER, Notebook, Place, jp_asyncio_loop, notebook, over, place, text_of, until

__all__ = ["jp_asyncio_loop", "notebook", "place"]

BUSY = "import time\nprint('begun', flush=True)\nfor _ in range(600): time.sleep(0.05)"

NAMES = """
import math, sys
import numpy as np, pandas as pd
number, text, nothing = 41, 'hello', None
items, pairs, nested = [1, 2.5, 'x'], {'a': 1}, [[1, [2, [3]]]]
array, floats = np.arange(12).reshape(3, 4), np.array([1.0, np.nan, 3.0])
frame = pd.DataFrame({'city': ['Bern', None], 'people': [134_000, 8]})
series = pd.Series([1.5, 2.5], name='price')
def add(first, /, second=2, *rest, flag=True, **more):
    '''Add them.

    At length.
    '''
class Shape:
    '''A shape.'''
    def __init__(self, width, height=1): pass
_private = 1
"""

HOSTILE = """
touched = []
def touch(name):
    def method(self, *a, **k):
        touched.append(name); raise RuntimeError(name)
    return method
class Meta(type):
    __eq__ = touch('meta eq'); __hash__ = type.__hash__
    __getattr__ = touch('meta getattr'); __repr__ = touch('meta repr')
    __instancecheck__ = touch('instancecheck'); __subclasscheck__ = touch('subclasscheck')
class Hostile(metaclass=Meta):
    for name in ('repr', 'str', 'len', 'eq', 'bool', 'iter', 'getattr', 'getattribute', 'format', 'hash', 'dir',
                 'call', 'getitem', 'contains', 'array', 'int', 'float'):
        locals()[f'__{name}__'] = touch(name)
    shape = dtype = property(touch('property'))
class MyList(list): __len__ = touch('list len'); __iter__ = touch('list iter'); __repr__ = touch('list repr')
class MyDict(dict): __len__ = touch('dict len'); __iter__ = touch('dict iter'); get = touch('dict get')
class MyStr(str): __repr__ = touch('str repr'); __str__ = touch('str str'); __len__ = touch('str len')
hostile, my_list, my_dict, my_str = Hostile(), MyList([1]), MyDict(a=1), MyStr('x')
inside, within = [hostile, my_str, my_list], {'k': hostile}
def function(x=hostile, *, y=my_str): pass
"""


async def known(notebook: Notebook, pattern: str = "*") -> dict[str, Variable]:
    return {line.name: line for line in await notebook.kernels.variables(notebook.path, pattern)}


async def evaluated(notebook: Notebook, code: str) -> str:
    return text_of((await notebook.run(code)).cells[0].outputs)


async def test_names_have_types_shapes_and_a_summary(notebook: Notebook) -> None:
    await notebook.run("%reset -f\n" + NAMES)
    lines = await known(notebook)
    assert set(lines) == {
        *("math", "sys", "np", "pd", "number", "text", "nothing", "items", "pairs", "nested"),
        *("array", "floats", "frame", "series", "add", "Shape"),
    }
    assert (lines["number"].type, lines["number"].summary) == ("int", "41")
    assert (lines["items"].size, lines["items"].summary) == (3, "[1, 2.5, 'x']")
    assert (lines["array"].shape, lines["array"].summary) == ((3, 4), "dtype int64")
    assert lines["frame"].shape == (2, 2)
    assert "city, people" in lines["frame"].summary
    assert lines["series"].shape == (2,)
    assert lines["add"].summary == "add(first, /, second=2, *rest, flag=True, **more)"
    assert lines["Shape"].summary == "class Shape(width, height=1)"
    assert lines["math"].summary == "<module math>"
    assert set(await known(notebook, "n*")) == {"np", "number", "nothing", "nested"}


async def test_a_closer_look(notebook: Notebook) -> None:
    await notebook.run(NAMES)

    async def text(name: str) -> str:
        return (await notebook.kernels.inspect(notebook.path, name)).text

    table = await text("frame")
    assert "2 rows x 2 columns" in table
    assert "people: int64, 0 missing" in table
    assert ", 1 missing" in table
    assert "'Bern'\t134000" in table
    assert "min 1.0, max 3.0, mean 2, 1 missing" in await text("floats")
    assert await text("add") == "add(first, /, second=2, *rest, flag=True, **more)\nAdd them."
    assert "A shape." in await text("Shape")
    assert "1.5" in await text("series")
    assert "number of items" in await text("len")


async def test_a_name_that_is_not_there_is_named_with_its_neighbours(notebook: Notebook) -> None:
    await notebook.run("temperature = 1")
    with pytest.raises(VariableNotFound, match="temperatur'") as caught:
        await notebook.kernels.inspect(notebook.path, "temperatur")
    assert caught.value.hint == "Did you mean temperature?"


async def test_nothing_of_the_users_is_called(notebook: Notebook) -> None:
    await notebook.run("%reset -f\n" + HOSTILE + "touched.clear()")
    lines = await known(notebook)
    assert {"hostile", "my_list", "my_dict", "my_str", "inside", "within", "function", "Hostile"} <= set(lines)
    for name in lines:
        await notebook.kernels.inspect(notebook.path, name)
    assert await evaluated(notebook, "touched") == "[]"


async def test_no_trace_is_left(notebook: Notebook) -> None:
    async with await notebook.user() as user:
        state: dict[str, Any] = {
            "names": "sorted(name for name in globals() if name.strip('_i0123456789'))",
            "modules": "sorted(__import__('sys').modules)",
            "last": "repr(_)",
            "count": "get_ipython().execution_count",
            "history": "len(In)",
            "hooks": "type(get_ipython().events.callbacks['post_execute']).__name__",
        }
        await notebook.run("x = 5", "x + 1")
        await known(notebook)
        before = (await user.run("", user_expressions=state, silent=True))["user_expressions"]
        await known(notebook)
        await notebook.kernels.inspect(notebook.path, "x")
        after = (await user.run("", user_expressions=state, silent=True))["user_expressions"]
    assert before == after
    assert {answer["status"] for answer in after.values()} == {"ok"}


async def test_a_busy_kernel_answers_beside_the_users_cell(notebook: Notebook) -> None:
    await notebook.run("answer = 42")
    async with await notebook.user() as user:
        cell = user.send(BUSY)
        await until(lambda: cell.heard[1:])
        assert (await asyncio.wait_for(known(notebook, "answer"), 10))["answer"].summary == "42"
        assert "Signature" in await asyncio.wait_for(notebook.kernels.documentation(notebook.path, "len"), 10)
        assert not cell.reply.done()
        await user.manager.interrupt_kernel()
        await cell.reply


async def test_the_users_figures_output_and_input_are_not_touched(notebook: Notebook) -> None:
    """A cell draws, prints and asks while its variables are read: all of it stays the cell's own."""
    await notebook.run("%matplotlib inline\nimport matplotlib.pyplot as plt")
    drawing = (
        "import time, pathlib\nplt.plot([1, 2])\nprint('before', flush=True)\n"
        "while not pathlib.Path('looked').exists(): time.sleep(0.01)\n"
        "print('after', flush=True)\nfigures = plt.get_fignums()\nplt.plot([2, 1])\n"
        "try: input('?')\nexcept EOFError: pass"
    )
    (notebook.place.root / "looked").unlink(missing_ok=True)
    async with await notebook.user() as user:
        cell = user.send(drawing, stop_on_error=False)
        await until(lambda: [said for said in cell.heard if said.kind == "stream"])
        for _ in range(3):
            await known(notebook)
        (notebook.place.root / "looked").touch()
        await until(lambda: "after" in "".join(said.content.get("text", "") for said in cell.heard), 10)
        await user.manager.interrupt_kernel()
        assert (await asyncio.wait_for(cell.reply, 10))["ename"] == "KeyboardInterrupt"  # it was asking
        reply = await user.run("", user_expressions={"figures": "figures"})
        assert reply["user_expressions"]["figures"]["data"]["text/plain"] == "[1]"
        await until(lambda: [said for said in cell.heard if said.kind == "display_data"])


async def test_a_python_kernel_that_is_not_ipythons_is_asked_when_it_is_idle(place: Place) -> None:
    place.kernelspec("another", ANOTHER)
    notebook = Notebook(place, place.write("pass", kernel="another"), kernel="another")
    await notebook.run("answer = 42")
    assert set(await known(notebook)) == {"answer"}
    found = await asyncio.gather(*(notebook.kernels.inspect(notebook.path, "answer") for _ in range(3)))
    assert [each.variable.summary for each in found] == ["42"] * 3
    execution = await notebook.start(BUSY)
    await until(lambda: execution.cells[0].outputs)
    with pytest.raises(KernelBusy, match=r"s ago it had: answer \(int\)"):
        await known(notebook)
    with pytest.raises(KernelBusy):
        await notebook.kernels.documentation(notebook.path, "len")
    await execution.cancel()
    assert "answer" in await known(notebook)


async def test_the_output_of_the_users_threads_stays_with_their_cell(notebook: Notebook) -> None:
    await notebook.run("%reset -f\nimport threading, sys, pathlib, concurrent.futures")
    talk = (
        "def talk(tag, stop):\n"
        "    for number in range(1_000_000):\n"
        "        sys.stdout.write(f'{tag}{number};'); sys.stdout.flush()\n"
        "        if pathlib.Path(stop).exists(): break\n"
        "        threading.Event().wait(0.002)\n"
        "    sys.stdout.write(f'end of {tag} {number};'); sys.stdout.flush()\n"
        "threading.Thread(target=talk, args=('thread', 'hush')).start()\n"
        "task = concurrent.futures.ThreadPoolExecutor().submit(talk, 'pool', 'hush')"
    )
    async with await notebook.user() as user:
        cell = user.send(talk)
        await cell.reply

        def said() -> str:
            return "".join(one.content.get("text", "") for one in cell.heard)

        for _ in range(5):
            await known(notebook)
            await notebook.kernels.inspect(notebook.path, "talk")
            await notebook.kernels.documentation(notebook.path, "len")
        (notebook.place.root / "hush").touch()
        await until(lambda: said().count("end of") == 2)
        for tag in ("thread", "pool"):
            last = int(said().split(f"end of {tag} ")[1].split(";")[0])
            assert all(f"{tag}{number};" in said() for number in range(last + 1))


@pytest.mark.parametrize("code", [BUSY, "import asyncio\nprint('begun', flush=True)\nawait asyncio.sleep(30)"])
def test_nobody_is_told_that_a_running_cell_is_over(
    notebook: Notebook, code: str, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> None:
    jp_asyncio_loop.run_until_complete(busy_all_along(notebook, code))


async def busy_all_along(notebook: Notebook, code: str) -> None:
    """JupyterLab's busy sign and the server's, by which it culls kernels, follow the statuses of all requests."""
    await notebook.run("pass")
    async with await notebook.user() as user:
        cell = user.send(code)
        await until(lambda: cell.heard[1:])
        for _ in range(3):
            await known(notebook)
        later = user.client.send("comm_info_request", {}, channel="control")
        await asyncio.wait_for(later.idle.wait(), 20)
        assert user.manager.execution_state == "busy"
        assert user.client.is_busy
        await user.manager.interrupt_kernel()
        user.client.send("kernel_info_request", {})  # wakes a loop that awaits
        await cell.reply
        await until(lambda: user.manager.execution_state == "idle")
        await known(notebook)
        await until(lambda: user.manager.execution_state == "idle")


async def test_variables_are_there_at_once_after_the_users_restart(notebook: Notebook) -> None:
    await notebook.run("before = 1")
    assert "before" in await known(notebook)
    for _ in range(2):
        await notebook.place.kernel_manager.restart_kernel(await notebook.place.kernel(notebook.path), now=True)
        assert await known(notebook) == {}


async def test_a_killed_kernel_is_asked_once_it_has_been_started_again(notebook: Notebook) -> None:
    await notebook.run("before = 1")
    manager: Any = notebook.place.kernel_manager.get_kernel(await notebook.place.kernel(notebook.path))
    before = manager.provisioner.pid
    os.kill(before, signal.SIGKILL)
    await until(lambda: manager.provisioner.process is None or manager.provisioner.process.poll() is not None)
    assert await known(notebook) == {}
    assert manager.provisioner.pid != before


async def test_a_figure_is_measured(notebook: Notebook) -> None:
    await notebook.run("import matplotlib.figure\nfigure = matplotlib.figure.Figure((4, 3)); axes = figure.subplots(2)")
    assert (await known(notebook, "figure"))["figure"].summary == "4 x 3 inches, 2 axes"


async def test_names_of_builtins_that_the_user_took_do_no_harm(notebook: Notebook) -> None:
    await notebook.run("list = dict = exec = eval = len = type = repr = str = sorted = get_ipython = globals = 5")
    assert (await known(notebook, "eval"))["eval"].summary == "5"
    await notebook.run("del list, dict, exec, eval, len, type, repr, str, sorted, globals, get_ipython")


async def test_another_language_says_what_it_cannot_and_documents_what_it_can(place: Place) -> None:
    path = place.write("1", kernel="echo")
    await over(await place.kernels.run(await place.notebooks.open(path), ["cell-0"]))
    with pytest.raises(KernelUnable, match="echo kernel cannot be listed"):
        await place.kernels.variables(path)
    with pytest.raises(KernelUnable):
        await place.kernels.inspect(path, "x")
    assert await place.kernels.documentation(path, "word") == "echo says word"


async def test_documentation_of_nothing_is_an_error(notebook: Notebook) -> None:
    await notebook.run("pass")
    with pytest.raises(VariableNotFound):
        await notebook.kernels.documentation(notebook.path, "no_such_name")


def test_many_and_large_things_are_bounded() -> None:
    names: dict[str, Any] = {f"name_{number}": "x" * 100_000 for number in range(2_000)}
    lines = probed.variables(names, {}, "*")
    assert len(lines) == probed.MAX_NAMES
    assert max(len(line["summary"]) for line in lines) <= probed.MAX_TEXT
    loop: list[Any] = []
    loop.append(loop)
    assert probed.look(loop) == "[[[…]]]"
    assert probed.look(10**100_000).startswith("an int of")
    assert probed.look({"a": {"b": {"c": 1}}}) == "{'a': {'b': {…}}}"
