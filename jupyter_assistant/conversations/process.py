"""Which server process a run belongs to, and whether that process is over.

The law: a run is called over only when its process is known to be dead, or cannot be asked and has been silent
for long; the runs of another server that lives are left alone.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

SILENCE: Final = 120.0
"""Seconds without a checkpoint after which a run of a process that cannot be asked counts as over."""

_BORN: Final = os.urandom(8).hex()


@dataclass(frozen=True, slots=True)
class Process:
    """A server process: ``host``; ``space``, which changes with a boot or a container; ``pid``; ``started``.

    ``started`` tells a process from a later one with its pid; ``token`` tells two stores in one process apart.
    """

    host: str
    space: str
    pid: int
    started: str
    token: str

    @classmethod
    def current(cls) -> Process:
        """This process, as a store opened now."""
        pid = os.getpid()
        return cls(platform.node(), _space(), pid, _start_ticks(pid) or _BORN, os.urandom(8).hex())

    @classmethod
    def parse(cls, text: str) -> Process | None:
        """From ``str()`` of one; None where the text is damaged."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def is_over(process: Process | None, here: Process, silent_for: float) -> bool:
    """Whether nobody will end the runs of ``process`` any more, as seen from ``here``.

    ``silent_for`` in seconds; negative when a clock went backwards, which counts as well.
    """
    if process is None:
        return True
    alive = _is_alive(process, here)
    return not alive if alive is not None else abs(silent_for) > SILENCE


def _is_alive(process: Process, here: Process) -> bool | None:
    """None where that cannot be known: another host, or no way to ask."""
    if process.host != here.host:
        return None
    if process.space != here.space:
        return False
    if process.pid == here.pid:
        return process.started == here.started
    if here.started != _BORN:
        return _start_ticks(process.pid) == process.started
    if os.name != "posix" or _exists(process.pid):  # os.kill(pid, 0) would end the process on Windows
        return None
    return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _space() -> str:
    """The boot and the process namespace on Linux; "" elsewhere."""
    boot = _text(Path("/proc/sys/kernel/random/boot_id")).strip()
    try:
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return boot


def _start_ticks(pid: int) -> str:
    """Clock ticks from boot to the start of a process: field 22 of proc(5) ``stat``.

    "" where there is no such process, where it is a zombie nobody reaps, or where there is no ``/proc``.
    """
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
