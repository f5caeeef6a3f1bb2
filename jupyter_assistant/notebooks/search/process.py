"""Notebooks read for the index in a process of its own: thousands of them would hold the interpreter lock for seconds.

The law: the process is started when many notebooks are to be read, never before, and ends when they are; it gets the
root folder open, and paths below it. Where it fails it is left alone for a while, the notebooks are read in the server
meanwhile, and ``note`` says so: no search fails for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from logging import Logger
from pathlib import Path
from typing import Final

from ..process import ENVIRONMENT
from .rows import Row, as_row

TIMEOUT = 60.0
"""Seconds a batch may take: of a file system that hangs nothing else tells."""
PAUSE = 60.0
"""Seconds after a fault until the process is tried again."""
_PIECE: Final = 1 << 16

# `worker` and what it needs, in packages that are only their folders: nothing of ours is imported but what it names.
_BOOT: Final = """import sys
folder, name = sys.argv[1], ""
for part in ("jupyter_assistant", "notebooks", "search"):
    folder, name = (f"{folder}/{part}", f"{name}.{part}") if name else (folder, part)
    sys.modules[name] = package = type(sys)(name)
    package.__path__ = [folder]
from jupyter_assistant.notebooks.search.worker import main
main()"""
_COMMAND: Final = ("-I", "-S", "-X", "utf8", "-c", _BOOT, str(Path(__file__).parents[2]))

Lines = tuple[bytes, ...]
"""What the process says of one notebook."""


class Reading:
    """Reads many notebooks below ``root``, as long as that goes well."""

    def __init__(self, root: Path, log: Logger) -> None:
        self._root = root
        self._log = log
        self._process: Process | None = None
        self._down_until = 0.0
        self._rest = b""
        self.note = ""
        """What is amiss, as a sentence; empty where nothing is."""

    @property
    def is_running(self) -> bool:
        """Whether a process has been started, and not been ended since."""
        return self._process is not None

    async def read(self, paths: Sequence[str]) -> list[Lines | None]:
        """For each notebook what ``taken`` makes rows of; None where the server has to read it itself."""
        if time.monotonic() < self._down_until:
            return [None] * len(paths)
        found: list[Lines | None] = []
        try:
            await asyncio.wait_for(self._read(paths, found), TIMEOUT)
            self.note = ""
        except NotImplementedError:  # Jupyter Server prefers an event loop on Windows that starts no processes
            self._down_until = float("inf")
        except asyncio.TimeoutError:
            await self._failed(f"did not answer within {TIMEOUT:.0f} s")
        except (OSError, EOFError) as error:
            await self._failed("ended" if isinstance(error, EOFError) else "could not be started")
        return [*found, *[None] * (len(paths) - len(found))]

    async def close(self) -> None:
        """End the process; the next batch starts another."""
        process, self._process, self._rest = self._process, None, b""
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    async def _failed(self, what: str) -> None:
        await self.close()
        self._down_until = time.monotonic() + PAUSE
        self.note = f"The process that reads notebooks for the index {what}; they are read more slowly without it."
        self._log.warning("search index: the process that reads notebooks %s", what)

    async def _read(self, paths: Sequence[str], found: list[Lines | None]) -> None:
        """Appends to ``found`` as the answers come; raises ``EOFError`` where the process is gone before the last."""
        process = self._process = self._process or await self._started()
        assert process.stdin is not None
        with suppress(ConnectionError):
            process.stdin.write(json.dumps(paths).encode() + b"\n")
            await process.stdin.drain()
        said: list[bytes] = []
        while len(found) < len(paths):
            for line in await self._lines(process):
                if line not in (b"true", b"null"):
                    said.append(line)
                    continue
                found.append(tuple(said) if line == b"true" else None)
                said = []

    async def _lines(self, process: Process) -> list[bytes]:
        """The lines that have come since; those of a long one when it is whole."""
        assert process.stdout is not None
        pieces = [self._rest]
        while b"\n" not in pieces[-1]:
            piece = await process.stdout.read(_PIECE)
            if not piece:
                raise EOFError
            pieces.append(piece)
        *lines, self._rest = b"".join(pieces).split(b"\n")
        return lines

    async def _started(self) -> Process:
        if os.name == "nt" or os.open not in os.supports_dir_fd:
            raise NotImplementedError
        root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *_COMMAND,
                str(root),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                pass_fds=(root,),
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            )
        finally:
            os.close(root)


def taken(lines: Lines) -> tuple[Row, ...]:
    """The rows the process gave; the work of some milliseconds for a large notebook."""
    return tuple(as_row(row) for line in lines for row in json.loads(line))
