"""In a real Jupyter server: what a run leaves behind when the extension stops, which is nothing."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import zmq.asyncio

from jupyter_assistant.notebooks.kernels import Kernels
from tests.conftest import Server
from tests.kernels import over, put, stored, text_of, until

LONG = "import time\nprint('begun', flush=True)\nfor _ in range(1200): time.sleep(0.05)"


async def test_nothing_is_left_when_the_extension_stops_and_the_kernel_goes_on(server: Server) -> None:
    """In a real server: the tasks and sockets of ours are gone, the kernel is the server's as before."""
    app: Any = server.app
    put(server.root / "a.ipynb", ["x = 41", LONG])
    before = sockets()
    kernels = Kernels(
        kernel_manager=app.kernel_manager,
        session_manager=app.session_manager,
        kernel_spec_manager=app.kernel_spec_manager,
        log=app.log,
    )
    document = await server.built.notebooks.open("a.ipynb")
    await over(await kernels.run(document, ["cell-0"]))
    assert [line.name for line in await kernels.variables("a.ipynb")] == ["x"]
    execution = await kernels.run(document, ["cell-1"])
    await until(lambda: execution.cells[0].outputs)
    await kernels.close()
    assert (execution.state, execution.note) == ("cancelled", "The server is stopping.")
    assert text_of(stored(server.root / "a.ipynb")[1].outputs) == "begun\n"
    assert [task for task in asyncio.all_tasks() if "notebooks/kernels" in repr(task.get_coro())] == []
    (kernel,) = app.kernel_manager.list_kernel_ids()
    assert await app.kernel_manager.get_kernel(kernel).is_alive()
    fresh = Kernels(
        kernel_manager=app.kernel_manager,
        session_manager=app.session_manager,
        kernel_spec_manager=app.kernel_spec_manager,
        log=app.log,
    )
    await fresh.interrupt("a.ipynb")
    again = await over(await fresh.execute("a.ipynb", "print(x + 1)"))
    assert text_of(again.cells[0].outputs) == "42\n"
    await fresh.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
    servers_own = app.kernel_manager.get_kernel(kernel)._control_socket
    assert [socket for socket in sockets() if socket is not servers_own] == before


def sockets() -> list[object]:
    """The awaited ZeroMQ sockets of this process that are open."""
    found = [each for each in gc.get_objects() if type(each) is zmq.asyncio.Socket]
    return [socket for socket in found if not socket.closed]
