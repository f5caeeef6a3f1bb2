"""Real kernels for tests: the server's own managers over a folder, and ``Kernels`` over them, shared by a file's tests.

A test module takes ``jp_asyncio_loop``, ``place`` and ``notebook`` from here by importing them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import select
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.utils import ensure_event_loop
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.services.sessions.sessionmanager import SessionManager

from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.cells import Cell
from jupyter_assistant.notebooks.kernels import Execution, Kernels
from jupyter_assistant.notebooks.kernels.client import Client

Json = dict[str, Any]
LOG = logging.getLogger("tests.kernels")
_numbers = itertools.count()

ECHO = """
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Echo(Kernel):
    implementation, implementation_version, banner = "echo", "1", "echo"
    language_info = {"name": "echo", "mimetype": "text/plain", "file_extension": ".echo"}

    async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_):
        if not silent:
            self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": code})
        return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

    def do_inspect(self, code, cursor_pos, detail_level=0, omit_sections=()):
        return {"status": "ok", "found": True, "data": {"text/plain": "echo says " + code}, "metadata": {}}

IPKernelApp.launch_instance(kernel_class=Echo)
"""

ANOTHER = """
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

class Another(IPythonKernel):
    implementation = "another"

IPKernelApp.launch_instance(kernel_class=Another)
"""


class Place:
    """A server's managers over a folder, and what of ours is built on them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        specs = KernelSpecManager(kernel_dirs=[str(root / "kernelspecs"), *KernelSpecManager().kernel_dirs])
        self._specs = specs
        self.kernel_manager = AsyncMappingKernelManager(
            root_dir=str(root), kernel_spec_manager=specs, connection_dir=str(root)
        )
        self.contents = AsyncLargeFileManager(root_dir=str(root))
        self.sessions = SessionManager(kernel_manager=self.kernel_manager, contents_manager=self.contents)
        self.notebooks = Notebooks(self.contents, root_dir=root, log=LOG)
        self.kernels = self._made()

    async def close(self) -> None:
        await self.kernels.close()
        await self.notebooks.close()
        await self.kernel_manager.shutdown_all(now=True)
        self.kernel_manager.context.destroy()
        self.sessions.close()
        self.contents.notary.store.close()

    def _made(self, **patience: float) -> Kernels:
        return Kernels(
            kernel_manager=self.kernel_manager,
            session_manager=self.sessions,
            kernel_spec_manager=self._specs,
            log=LOG,
            **patience,
        )

    @asynccontextmanager
    async def other_kernels(self, **patience: float) -> AsyncIterator[Kernels]:
        """Others over the same managers, which wait for another time."""
        made = self._made(**patience)
        try:
            yield made
        finally:
            await made.close()

    def kernelspec(self, name: str, script: str) -> None:
        """Install a kernelspec whose kernel is a Python script; its language is its name."""
        folder = self.root / "kernelspecs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "main.py").write_text(script, "utf-8")
        argv = [sys.executable, str(folder / "main.py"), "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": name.title(), "language": name}
        (folder / "kernel.json").write_text(json.dumps(spec), "utf-8")

    def write(self, *sources: str, kernel: str = "python3") -> str:
        """A new notebook with these code cells, ``cell-0``, ``cell-1``, …; its path."""
        path = f"notebook-{next(_numbers)}.ipynb"
        put(self.root / path, sources, kernel)
        return path

    async def user(self, path: str) -> User:
        """The user's own connection to a notebook's kernel, as a browser has it."""
        return User(self, path, await self.kernel(path))

    async def kernel(self, path: str) -> str:
        found = [model for model in await self.sessions.list_sessions() if model["path"] == path]
        return str(found[0]["kernel"]["id"])


class User:
    """Somebody else at the kernel, with a jupyter_client of their own."""

    def __init__(self, place: Place, path: str, kernel_id: str) -> None:
        self.manager: Any = place.kernel_manager.get_kernel(kernel_id)
        self.path = path
        self.client = Client(self.manager, known=lambda: True, log=LOG)

    async def __aenter__(self) -> User:
        await self.client.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    def send(self, code: str, **content: Any) -> Any:
        """Run code as a front-end does; the request, whose ``heard`` are its messages."""
        flags = {"silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
        heard: list[Any] = []
        asked = {"code": code, "stop_on_error": True, **flags, **content}
        request = self.client.send("execute_request", asked, hear=heard.append)
        request.heard = heard  # type: ignore[attr-defined]  # the test's own mark
        return request

    async def run(self, code: str, **content: Any) -> Json:
        """Run code to its end; the reply."""
        request = self.send(code, **content)
        return await asyncio.wait_for(request.reply, 30)

    def held_until_heard(self, channel: str, seconds: float = 1) -> bool:
        """Keep the loop from turning until something has arrived for this connection; whether it was unseen till then.

        What arrives while a request is being sent is seen by that, and shows no more.
        """
        socket: Any = getattr(self.client._client, f"{channel}_channel").socket
        return bool(select.select([socket.FD], [], [], seconds)[0])


def put(file: Path, sources: Sequence[str], kernel: str = "python3") -> None:
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{at}") for at, source in enumerate(sources)]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), file)


def stored(file: Path) -> list[Any]:
    """The cells on disk, as nbformat reads and validates them."""
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    return list(notebook.cells)


def text_of(outputs: Sequence[Json]) -> str:
    """Streams and plain texts of outputs, joined; errors as their name."""
    found = []
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            found.append(output["text"])
        else:
            found.append(output["ename"] if kind == "error" else output["data"].get("text/plain", ""))
    return "".join(found)


async def until(what: Callable[[], object] | Callable[[], Awaitable[object]], seconds: float = 20) -> None:
    """Wait for the thing."""

    async def look() -> None:
        while True:
            found = what()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), seconds)


async def over(execution: Execution, seconds: float = 30) -> Execution:
    """The execution, ended."""
    assert await execution.wait(seconds), execution.cells
    return execution


@pytest.fixture(scope="module")
def jp_asyncio_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for all tests of a file, since a kernel's managers live on one."""
    loop = ensure_event_loop(prefer_selector_loop=True)
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture(scope="module")
def place(jp_asyncio_loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The managers, for all tests of a file."""
    before = os.environ.get("IPYTHONDIR")
    os.environ["IPYTHONDIR"] = str(tmp_path_factory.mktemp("ipython"))

    async def made() -> Place:
        return Place(tmp_path_factory.mktemp("root"))

    place = jp_asyncio_loop.run_until_complete(made())
    place.kernelspec("echo", ECHO)
    yield place
    jp_asyncio_loop.run_until_complete(place.close())
    os.environ.pop("IPYTHONDIR")
    if before is not None:
        os.environ["IPYTHONDIR"] = before


class Notebook:
    """A notebook whose kernel is shared by a file's tests; its cells are set by each test."""

    def __init__(self, place: Place, path: str, kernel: str = "python3") -> None:
        self.place, self.path, self.file, self.kernel = place, path, place.root / path, kernel

    @property
    def kernels(self) -> Kernels:
        return self.place.kernels

    async def open(self, *sources: str) -> Document:
        """The document with these cells, ``cell-0``, ``cell-1``, …"""
        put(self.file, sources, self.kernel)
        return await self.place.notebooks.open(self.path)

    async def start(self, *sources: str, **options: Any) -> Execution:
        """A run of these cells, begun."""
        document = await self.open(*sources)
        return await self.kernels.run(document, [f"cell-{at}" for at in range(len(sources))], **options)

    async def run(self, *sources: str, **options: Any) -> Execution:
        """A run of these cells, ended."""
        return await over(await self.start(*sources, **options))

    def stored(self) -> list[Any]:
        return stored(self.file)

    async def user(self) -> User:
        return await self.place.user(self.path)

    async def cells(self) -> Sequence[Cell]:
        return (await (await self.place.notebooks.open(self.path)).read()).cells


@pytest.fixture(scope="module")
def notebook(place: Place) -> Notebook:
    return Notebook(place, place.write("pass"))
