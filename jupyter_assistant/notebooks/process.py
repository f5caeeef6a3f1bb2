"""Work on a large notebook in a process of its own: parsing it here would hold the interpreter lock.

The law: the process gets open files and nothing else (no path, no secret in its arguments or environment); it ends
when it has answered, when it is not wanted any more, or when it takes too long, and is always waited for.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from .cells import Cell, cell
from .entire import TooMuch
from .nbformats import Header, NotANotebook, NotJson
from .rewriting import NotWritten
from .splice import Changed

# `worker` and what it needs, in a package that is only this folder: neither ours nor `site` is imported.
_BOOT = (
    "import sys; package = type(sys)('reading'); package.__path__ = [sys.argv[1]]; "
    "sys.modules['reading'] = package; from reading.worker import main; main()"
)
_COMMAND = ("-I", "-S", "-X", "utf8", "-c", _BOOT, str(Path(__file__).parent))
LONG_LINE = 1 << 18
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class ProcessEnded(Exception):
    """The process was gone before it had answered: killed, or out of memory."""


async def read_in_process(descriptor: int) -> tuple[Header, tuple[Cell, ...], int]:
    """Header, cells and size in bytes of the notebook open at ``descriptor``, which is closed in any case.

    Raises ``NotANotebook``, ``ProcessEnded``, and ``NotImplementedError`` on an event loop that starts no processes.
    """
    header: Any = None
    cells: list[Cell] = []
    cost = 0
    try:
        async with _running(("read",), stdin=descriptor) as process:
            async for line in _answers(process):
                cost += len(line)
                value = json.loads(line)
                if header is None:
                    header = value
                else:
                    cells.append(cell(value, len(cells)))
    finally:
        os.close(descriptor)
    return header, tuple(cells), cost


Threaded = Callable[..., Coroutine[Any, Any, Any]]


async def outputs_in_process(
    descriptor: int, cell_ids: list[str], in_thread: Threaded
) -> dict[str, tuple[dict[str, Any], ...]]:
    """The outputs of some cells of the notebook open at ``descriptor``, which is closed in any case; raises as above.

    ``in_thread`` takes a long line apart.
    """
    found: dict[str, tuple[dict[str, Any], ...]] = {}
    name = ""
    try:
        async with _asked(("outputs", descriptor), cell_ids) as process:
            async for line in _answers(process):
                value = json.loads(line) if len(line) < LONG_LINE else await in_thread(json.loads, line)
                if isinstance(value, str):
                    name, found[value] = value, ()
                else:
                    found[name] += tuple(value)
    finally:
        os.close(descriptor)
    return found


async def entire_in_process(
    descriptor: int, cell_ids: list[str] | None, in_thread: Threaded
) -> tuple[dict[str, Any], list[str]]:
    """``entire.entire`` of the notebook open at ``descriptor``, which is closed in any case; raises as above.

    Raises ``TooMuch`` too.
    """
    answer: Any = None
    try:
        async with _asked(("entire", descriptor), cell_ids) as process:
            async for line in _answers(process):
                answer = json.loads(line) if len(line) < LONG_LINE else await in_thread(json.loads, line)
    finally:
        os.close(descriptor)
    if answer is None:
        raise TooMuch
    return answer[0], answer[1]


async def write_in_process(source: int, target: int, plan: dict[str, Any], in_thread: Threaded) -> dict[str, Any]:
    """``rewriting.rewrite`` done by the process; ``source`` is closed in any case, ``target`` stays open.

    Raises as ``rewrite`` and as above.
    """
    answer: dict[str, Any] = {}
    try:
        async with _asked(("write", source, target), plan, in_thread) as process:
            async for line in _answers(process):
                answer = json.loads(line)[0]
    finally:
        os.close(source)
    failed = answer.get("failed")
    if isinstance(failed, int):
        raise OSError(failed, "in the writing process")
    if failed is not None:
        raise Changed if failed == "Changed" else NotWritten
    return answer


@asynccontextmanager
async def _asked(
    command: tuple[str | int, ...], question: object, in_thread: Threaded | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process with ``question`` on its standard input; the numbers in ``command`` are descriptors it gets."""
    if os.name == "nt":
        raise NotImplementedError
    text = await in_thread(json.dumps, question) if in_thread else json.dumps(question)
    descriptors = tuple(part for part in command if isinstance(part, int))
    async with _running(tuple(map(str, command)), stdin=asyncio.subprocess.PIPE, pass_fds=descriptors) as process:
        assert process.stdin is not None
        with suppress(ConnectionError):
            process.stdin.write(text.encode())
            await process.stdin.drain()
        process.stdin.close()
        yield process


@asynccontextmanager
async def _running(command: tuple[str, ...], **descriptors: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *_COMMAND,
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        **descriptors,
    )
    try:
        yield process
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        raise
    finally:
        await process.communicate()


async def _answers(process: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    """The lines of the answer before the line that ends it; raises what the process says instead."""
    async for line in _lines(process):
        if line == b"true":
            return
        if line.startswith(b'{"why":'):
            value = json.loads(line)
            raise NotJson(value["why"]) if value["torn"] else NotANotebook(value["why"])
        yield line
    raise ProcessEnded


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    """Whole lines of any length, giving way to the loop between pieces."""
    assert process.stdout is not None
    rest: list[bytes] = []
    while piece := await process.stdout.read(1 << 16):
        first, *others = piece.split(b"\n")
        rest.append(first)
        for line in others:
            yield b"".join(rest)
            rest = [line]
        await asyncio.sleep(0)
