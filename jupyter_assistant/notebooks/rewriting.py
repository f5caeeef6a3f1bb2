"""One open file's notebook, changed, into another open file; in a thread, or in the writing process.

The law: what was written is read back from the file and must hold the cells that were planned, before anyone puts it
in the notebook's place. No path is known here, and nothing of the package is imported.
"""

from __future__ import annotations

import os

from .apart import taken_apart
from .nbformats import NotANotebook, cell_id, hashed, source_text
from .signing import signature, signed
from .splice import spliced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

BLOCK = 1 << 24


class NotWritten(Exception):
    """What is in the file is not what was planned."""


def rewrite(source: int, target: int, plan: dict[str, Any]) -> dict[str, Any]:
    """The notebook open at ``source`` into ``target``, on the disk when this returns.

    ``plan``: ``known``, ``cells``, ``upgrade`` as ``splice.spliced`` takes them; ``seal`` (the notary's secret in hex,
    and its algorithm) where signatures are wanted, ``signed`` what is known of the old content. Returns ``before`` and
    ``after``: the signature (or None) of each content, and whether it has no outputs.
    Raises ``NotANotebook``, ``Changed``, ``NotWritten``, ``OSError``.
    """
    try:
        return _rewritten(source, target, plan, guess=True)
    except (NotANotebook, NotWritten):
        return _rewritten(source, target, plan, guess=False)


def _rewritten(source: int, target: int, plan: dict[str, Any], *, guess: bool) -> dict[str, Any]:
    seal = (bytes.fromhex(plan["seal"][0]), plan["seal"][1]) if plan.get("seal") else None
    data = contents(source)
    write(target, spliced(data, plan["known"], plan["cells"], plan["upgrade"], guess=guess))
    before = plan.get("signed") or signature(data, seal)
    del data
    return {"before": before, "after": _verified(contents(target), plan, seal, guess=guess)}


def contents(descriptor: int) -> bytes:
    """All bytes of a file, whose descriptor stays open."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return file.read()


def write(descriptor: int, pieces: Iterable[Any]) -> None:
    """``pieces`` as all that the file holds, on the disk."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.ftruncate(descriptor, 0)
    with open(descriptor, "wb", buffering=1 << 20, closefd=False) as file:
        file.writelines(pieces)
    os.fsync(descriptor)


def _verified(
    written: bytes, plan: dict[str, Any], seal: tuple[bytes, str] | None, *, guess: bool
) -> tuple[str | None, bool]:
    """The signature of what was written, if that is what was planned."""
    try:
        rest, cells = taken_apart(written, guess=guess)
        checked = _checked(cells, plan)
        return signed(rest, checked, seal) if seal else (None, _emptied(checked))
    except NotANotebook as error:
        raise NotWritten from error


def _emptied(cells: Iterator[Any]) -> bool:
    for _ in cells:
        pass
    return False


def _checked(cells: Iterator[Any], plan: dict[str, Any]) -> Iterator[Any]:
    """The cells, each of which must be the planned one."""
    taken: set[str] = set()
    wanted = [_wanted(placed, plan["known"]) for placed in plan["cells"]]
    index = -1
    for index, cell in enumerate(cells):
        if not isinstance(cell, dict) or index >= len(wanted):
            raise NotWritten
        if not _is((cell_id(cell.get("id"), index, taken), hashed(source_text(cell.get("source")))), wanted[index]):
            raise NotWritten
        yield cell
    if index + 1 != len(wanted):
        raise NotWritten


def _wanted(placed: Any, known: Any) -> tuple[str, str]:
    name, at, _, source, *_ = placed
    return name, hashed(source) if source is not None else known[at][1]


def _is(found: tuple[str, str], wanted: tuple[str, str]) -> bool:
    """A handle counts from the top, so it may be another one now."""
    return found[1] == wanted[1] and (found[0] == wanted[0] or wanted[0].startswith("#"))
