"""Reading a large notebook in a process of its own: parsing it here would hold the interpreter lock.

The law: the process gets one open file and nothing else (no path, no secret of the environment); it ends when it has
answered, when it is not wanted any more, or when it takes too long, and is always waited for.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .cells import Cell, cell
from .nbformats import Header, NotANotebook, NotJson

# `worker` and what it needs, in a package that is only this folder: neither ours nor `site` is imported.
_BOOT = (
    "import sys; package = type(sys)('reading'); package.__path__ = [sys.argv[1]]; "
    "sys.modules['reading'] = package; from reading.worker import main; main()"
)
_COMMAND = ("-I", "-S", "-X", "utf8", "-c", _BOOT, str(Path(__file__).parent))
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class ProcessEnded(Exception):
    """The process was gone before it had answered: killed, or out of memory."""


async def read_in_process(descriptor: int) -> tuple[Header, tuple[Cell, ...], int]:
    """Header, cells and size in bytes of the notebook open at ``descriptor``, which is closed in any case.

    Raises ``NotANotebook``, ``ProcessEnded``, and ``NotImplementedError`` on an event loop that starts no processes.
    """
    process = await _started(descriptor)
    try:
        return await _received(process)
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        raise
    finally:
        await process.communicate()


async def _started(descriptor: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *_COMMAND,
            stdin=descriptor,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
    finally:
        os.close(descriptor)


async def _received(process: asyncio.subprocess.Process) -> tuple[Header, tuple[Cell, ...], int]:
    header: Any = None
    cells: list[Cell] = []
    cost = 0
    async for line in _lines(process):
        cost += len(line)
        value = json.loads(line)
        if value is True:
            return header, tuple(cells), cost
        if isinstance(value, dict):
            raise NotJson(value["why"]) if value["torn"] else NotANotebook(value["why"])
        if header is None:
            header = value
        else:
            cells.append(cell(value, len(cells)))
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
