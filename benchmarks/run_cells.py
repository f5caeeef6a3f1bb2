"""A cell's way through a kernel: ``1+1`` from the call until its output is in the file, and what the kernel knows."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.services.sessions.sessionmanager import SessionManager

from benchmarks.figures import show
from jupyter_assistant.notebooks import Notebooks
from jupyter_assistant.notebooks.kernels import Kernels

RUNS = 50
LOG = logging.getLogger("benchmarks")


async def timed(work: Callable[[], Awaitable[object]]) -> list[float]:
    """Milliseconds of each of ``RUNS``, after one that is not counted."""
    await work()
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        await work()
        took.append(1000 * (time.perf_counter() - began))
    return took


async def measure(folder: Path) -> None:
    """All figures, with the server's own managers over ``folder``."""
    cells = [nbformat.v4.new_code_cell("1+1", id="sum"), *(nbformat.v4.new_code_cell(f"x{i} = {i}") for i in range(9))]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "small.ipynb")
    specs = KernelSpecManager()
    manager = AsyncMappingKernelManager(root_dir=str(folder), kernel_spec_manager=specs, connection_dir=str(folder))
    contents = AsyncLargeFileManager(root_dir=str(folder))
    sessions = SessionManager(kernel_manager=manager, contents_manager=contents)
    notebooks = Notebooks(contents, root_dir=folder, log=LOG)
    kernels = Kernels(kernel_manager=manager, session_manager=sessions, kernel_spec_manager=specs, log=LOG)
    document = await notebooks.open("small.ipynb")

    async def run() -> None:
        execution = await kernels.run(document, ["sum"])
        await execution.wait()
        if execution.state != "done":
            raise RuntimeError(execution.note)

    async def execute() -> None:
        await (await kernels.execute("small.ipynb", "1+1")).wait()

    try:
        show("run_cells of 1+1, its output in the file", await timed(run), "ms", 20)
        show("execute_code of 1+1, nothing stored", await timed(execute), "ms")
        show("list_variables", await timed(lambda: kernels.variables("small.ipynb")), "ms")
    finally:
        await kernels.close()
        await notebooks.close()
        await manager.shutdown_all(now=True)
        contents.notary.store.close()


def main() -> None:
    """Measure in a folder that goes afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
