"""The signature by which Jupyter knows a trusted notebook, from the file's bytes.

The law: the same digest as ``nbformat.sign.NotebookNotary`` computes for the notebook it would read from these bytes
(a test compares them). Nothing of the package is imported: large files are digested in the writing process.
"""

from __future__ import annotations

from .apart import taken_apart
from .nbformats import NotANotebook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

LONG = 1 << 16
"""Characters of a text beyond which it is fed as soon as it is met, not kept with the short ones."""


def rejoined(notebook: Any) -> Any:
    """A notebook (parsed JSON, nbformat 4) as programs see it: texts that are stored as lists of lines in one."""
    for cell in notebook["cells"]:
        _rejoin(cell)
    return notebook


def _rejoin(cell: dict[str, Any]) -> None:
    _join(cell, "source")
    for attachment in cell.get("attachments", {}).values():
        _join_bundle(attachment)
    if cell.get("cell_type") == "code":
        for output in cell.get("outputs", ()):
            _join_output(output)


def _join_output(output: dict[str, Any]) -> None:
    if output.get("output_type") in ("execute_result", "display_data"):
        _join_bundle(output.get("data", {}))
    elif output.get("output_type"):
        _join(output, "text")


def _join_bundle(bundle: dict[str, Any]) -> None:
    for mime in bundle:
        if mime != "application/json" and not (mime.startswith("application/") and mime.endswith("+json")):
            _join(bundle, mime)


def _join(found: dict[str, Any], key: str) -> None:
    lines = found.get(key)
    if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
        found[key] = "".join(lines)


def signature(data: bytes, seal: tuple[bytes, str] | None, *, guess: bool = True) -> tuple[str | None, bool]:
    """The notary's hex digest (None where it could compute none), and whether no code cell has any output.

    ``seal``: the notary's secret and the name of its hash algorithm; None: no signature is wanted. ``guess`` as
    ``taken_apart`` has it.
    """
    if not seal:
        return None, False
    try:
        return signed(*taken_apart(data, guess=guess), seal)
    except NotANotebook:
        return signature(data, seal, guess=False) if guess else (None, False)


def signed(rest: dict[str, Any], cells: Iterator[Any], seal: tuple[bytes, str]) -> tuple[str | None, bool]:
    """``signature`` of what ``taken_apart`` gave, which is changed by it; ``cells`` are taken to their end."""
    import hashlib
    import hmac

    bare, whole = True, True
    try:
        digest = hmac.new(seal[0], digestmod=getattr(hashlib, seal[1]))
        for name in ("orig_nbformat", "orig_nbformat_minor", "signature"):
            rest["metadata"].pop(name, None)
        for key in sorted(rest):
            digest.update(key.encode())
            if key != "cells":
                _feed(rest[key], digest.update)
                continue
            for cell in cells:
                bare = not _fed(cell, digest.update) and bare
    except NotANotebook:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        whole = False
    for _ in cells:
        pass
    return (digest.hexdigest(), bare) if whole else (None, False)


def _fed(cell: dict[str, Any], update: Callable[[bytes], object]) -> bool:
    """Whether the cell, which is fed to ``update`` without what is never signed, has outputs."""
    _rejoin(cell)
    cell["metadata"].pop("trusted", None)
    _feed(cell, update)
    return bool(cell.get("outputs"))


def _feed(item: object, update: Callable[[bytes], object]) -> None:
    """What the notary takes of it: names and values one behind the other, with nothing between them."""
    pieces: list[str] = []

    def add(text: str) -> None:
        pieces.append(text)
        if len(text) > LONG:
            update("".join(pieces).encode())
            pieces.clear()

    _gather(item, add)
    update("".join(pieces).encode())


def _gather(item: object, add: Callable[[str], object]) -> None:
    if isinstance(item, str):
        add(item)
    elif isinstance(item, dict):
        for key in sorted(item):
            add(key)
            _gather(item[key], add)
    elif isinstance(item, list):
        for element in item:
            _gather(element, add)
    else:
        add(str(item))
