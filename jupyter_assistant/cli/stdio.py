"""The bridge's two pipes: lines in, messages out.

The law: standard output carries messages and nothing else; whatever prints, prints to standard error.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator

from .wire import one_line

PIECE = 1 << 16


def claim_output() -> int:
    """Standard output for messages only: its file descriptor; what else is printed goes to standard error."""
    sys.stdout.flush()
    output = os.dup(1)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(output, os.O_BINARY)
    return output


def put(output: int, text: str) -> None:
    """Write one message. Raises OSError when nobody reads any more."""
    left = memoryview(one_line(text))
    while left:
        left = left[os.write(output, left) :]


async def lines(source: int) -> AsyncIterator[bytes]:
    """The lines of a file descriptor until its end. A thread reads, since a loop can wait for no pipe on Windows."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read, args=(source, loop, queue), daemon=True, name="stdin").start()
    while (line := await queue.get()) is not None:
        yield line


def _read(source: int, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[bytes | None]) -> None:
    rest = b""
    try:
        while piece := os.read(source, PIECE):
            whole, _, after = piece.rpartition(b"\n") if b"\n" in piece else (b"", b"", piece)
            if b"\n" in piece:
                for line in (rest + whole).split(b"\n"):
                    loop.call_soon_threadsafe(queue.put_nowait, line)
                rest = after
            else:
                rest += piece
    except (OSError, RuntimeError):  # the pipe broke, or the loop has ended
        pass
    try:
        if rest:
            loop.call_soon_threadsafe(queue.put_nowait, rest)
        loop.call_soon_threadsafe(queue.put_nowait, None)
    except RuntimeError:
        return
