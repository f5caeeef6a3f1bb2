"""The outputs of a few cells, whole, from a notebook's bytes; in a thread, or in the reading process.

The law: only the chosen cells are parsed, and a payload over ``MAX_PAYLOAD`` is a text that says so. Nothing of the
package is imported.
"""

from __future__ import annotations

import json

from .nbformats import NotANotebook, cell_id, older_cells, parsed
from .spans import root, value
from .splice import cells_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

MAX_PAYLOAD = 8_000_000
TAIL = 100_000


def outputs_of(data: bytes, wanted: Sequence[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Id and outputs of each cell that is ``wanted`` and there; raises ``NotANotebook``."""
    chosen, taken = set(wanted), set[str]()
    for index, cell in enumerate(_cells(data)):
        name = cell_id(cell("id"), index, taken)
        if name in chosen:
            outputs = cell("outputs")
            known = [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
            yield name, [bounded(output) for output in known]


def _cells(data: bytes) -> Iterator[Any]:
    """A function of a field's name for each cell."""
    found = root(data).last("nbformat")
    version = value(data, found) if found else 4
    if type(version) is int and version < 4:
        notebook = parsed(data)
        if not isinstance(notebook, dict):
            raise NotANotebook("it holds no JSON object")
        yield from (older.get for older in older_cells(notebook))
        return
    for cell in cells_of(data)[2]:
        yield lambda key, cell=cell: value(data, item) if (item := cell.last(key)) else None


def bounded(output: dict[str, Any], most: int = MAX_PAYLOAD) -> dict[str, Any]:
    """An output without the payloads over ``most`` characters; of a text its end stays."""
    data = output.get("data")
    if isinstance(data, dict):
        kept = {mime: payload for mime, payload in data.items() if _size(payload) <= most}
        notes = [_note(mime, payload) for mime, payload in data.items() if mime not in kept]
        if notes:
            kept["text/plain"] = "\n".join([*notes, *filter(None, [_joined(kept.get("text/plain"))])])
            return {**output, "data": kept}
        return output
    for name in ("text", "traceback"):
        if _size(output.get(name)) > most:
            between = "" if name == "text" else "\n"
            said = f"{_note(name, output[name])}\n{_joined(output[name], between)[-min(TAIL, most) :]}"
            return {**output, name: said if name == "text" else [said]}
    return output


def _size(payload: object) -> int:
    if isinstance(payload, str):
        return len(payload)
    if isinstance(payload, list) and all(isinstance(line, str) for line in payload):
        return sum(map(len, payload))
    return 0 if payload is None else len(json.dumps(payload))


def _joined(payload: object, between: str = "") -> str:
    if isinstance(payload, list):
        return between.join(line for line in payload if isinstance(line, str))
    return payload if isinstance(payload, str) else ""


def _note(mime: str, payload: object) -> str:
    return f"[{mime}: {_size(payload)} characters left out]"
