"""The versions of nbformat read as one: parsed JSON in, plain records out, a header and one record a cell.

The law: whatever the JSON holds, this answers with records or ``NotANotebook``; it changes nothing and imports
nothing of the package (the reading process starts with it). Formats: nbformat 4 (5.x of the library), and
worksheets of nbformat 2 and 3, as https://nbformat.readthedocs.io/en/latest/format_description.html describes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, takewhile

from .outputs import MAX_MIMES, TEXT_BUDGET, OutputRecord, left_out, output_record

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` costs the reading process a quarter of its start
    from typing import Any

Header = tuple[str, "str | None", tuple[int, int]]
"""Language, kernel name, (major, minor)."""
CellRecord = tuple[str, str, str, "list[OutputRecord]", "int | None", bool, bool]
"""Id, cell type, source, outputs, execution count, whether its source may be edited and whether it may be deleted."""

MAX_OUTPUTS = 40
MAX_ID = 256
NOTEBOOK_BUDGET = 4_000_000
LEAST_BUDGET = 400

_V3_KINDS = {"pyout": "execute_result", "pyerr": "error"}
_V3_MIMES = {
    "text": "text/plain",
    "html": "text/html",
    "latex": "text/latex",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "json": "application/json",
    "javascript": "application/javascript",
    "pdf": "application/pdf",
}


class NotANotebook(ValueError):
    """The file is not a notebook; the message says why, as the end of a sentence, and holds no path."""


class NotJson(NotANotebook):
    """The bytes do not parse: broken for good, or only while a save is writing them."""


# ---------------------------------------------------------------- bytes to JSON


def parsed(data: bytes, hook: Callable[[dict[str, Any]], object] | None = None) -> object:
    """UTF-8 JSON (a byte order mark and ``NaN`` are taken) as Python values; raises ``NotJson``."""
    if not data:
        raise NotJson("it is empty")
    try:
        return json.loads(data.decode("utf-8-sig"), object_hook=hook)
    except UnicodeDecodeError:
        raise NotJson("it is not UTF-8 text") from None
    except RecursionError:
        raise NotANotebook("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"it is not JSON (line {error.lineno}, column {error.colno})") from None
    except ValueError:
        raise NotJson("it holds a number too large to read") from None


# ---------------------------------------------------------------- JSON to records


def records(notebook: object) -> tuple[Header, list[CellRecord]]:
    """The header and the cells, outputs digested; texts may be ``outputs.Excerpt`` where ``scan`` put them."""
    if not isinstance(notebook, dict):
        raise NotANotebook("it holds no JSON object")
    version = _version(notebook)
    cells = older_cells(notebook) if version[0] < 4 else _objects(notebook.get("cells"), "cells")
    budget = _budget(cells)
    taken: set[str] = set()
    return _header(notebook, cells, version), [
        cell_record(cell, index, taken, budget) for index, cell in enumerate(cells)
    ]


def header(notebook: dict[str, object]) -> Header:
    """What a notebook says of itself, whatever its cells are; raises ``NotANotebook``."""
    return _header(notebook, [], _version(notebook))


def _version(notebook: dict[str, object]) -> tuple[int, int]:
    major, minor = notebook.get("nbformat", 4), notebook.get("nbformat_minor", 0)
    if type(major) is not int:
        raise NotANotebook("its nbformat is not a number")
    if not 2 <= major <= 4:
        raise NotANotebook(f"its format is nbformat {str(major)[:12]}, and 2 to 4 can be read")
    return major, minor if type(minor) is int else 0


def _objects(value: object, name: str) -> list[dict[str, object]]:
    if not isinstance(value, list):
        raise NotANotebook(f"it has no {name}")
    if not all(isinstance(item, dict) for item in value):
        raise NotANotebook(f"its {name} are not all JSON objects")
    return value


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _header(notebook: dict[str, object], cells: list[dict[str, object]], version: tuple[int, int]) -> Header:
    metadata = _object(notebook.get("metadata"))
    kernel, language = _object(metadata.get("kernelspec")), _object(metadata.get("language_info"))
    told = (language.get("name"), kernel.get("language"), *(cell.get("language") for cell in cells[:1]))
    return next(filter(None, map(_word, told)), "python"), _word(kernel.get("name")), version


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID else None


def _budget(cells: list[dict[str, object]]) -> int:
    return budget_of(
        sum(min(len(outputs), MAX_OUTPUTS) for cell in cells if isinstance(outputs := cell.get("outputs"), list))
    )


def budget_of(outputs: int) -> int:
    """Characters an output may keep: less where a notebook has very many, so that a digest stays some megabytes."""
    return max(LEAST_BUDGET, min(TEXT_BUDGET, NOTEBOOK_BUDGET // max(1, outputs)))


def cell_record(cell: dict[str, object], index: int, taken: set[str], budget: int) -> CellRecord:
    """A cell of nbformat 4 as a record; ``taken`` are the ids of the cells before it, to which its own is added."""
    kind = cell.get("cell_type")
    count = cell.get("execution_count")
    metadata = _object(cell.get("metadata"))
    return (
        cell_id(cell.get("id"), index, taken),
        str(kind) if kind in ("code", "markdown") else "raw",
        source_text(cell.get("source")),
        output_records(cell.get("outputs"), budget) if kind == "code" else [],
        count if type(count) is int and kind == "code" else None,
        metadata.get("editable") is not False,
        metadata.get("deletable") is not False,
    )


def cell_id(value: object, index: int, taken: set[str]) -> str:
    """The cell's own id; the handle ``#<index>`` where it has none, not a usable one, or an earlier cell's."""
    name = _word(value)
    if name is None or name in taken or name.startswith("#"):
        return f"#{index}"
    taken.add(name)
    return name


def source_text(value: object) -> str:
    if isinstance(value, list):
        return "".join(takewhile(lambda part: isinstance(part, str), value))
    return value if isinstance(value, str) else ""


def hashed(source: str) -> str:
    """The first 12 hex digits of the SHA-256 of a source in UTF-8 (DESIGN §7)."""
    from hashlib import sha256  # the reading process does without it

    return sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def output_records(outputs: object, budget: int = TEXT_BUDGET) -> list[OutputRecord]:
    """Outputs of one cell (nbformat 4), digested; of very many the first and the last, and a line between them."""
    known = [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
    if len(known) <= MAX_OUTPUTS:
        return [output_record(output, budget) for output in known]
    first = MAX_OUTPUTS // 4
    text = left_out(len(known) - MAX_OUTPUTS, "outputs")
    return [
        *(output_record(output, budget) for output in known[:first]),
        ("unknown", text, len(text), (), None),
        *(output_record(output, budget) for output in known[first - MAX_OUTPUTS :]),
    ]


# ---------------------------------------------------------------- nbformat 2 and 3


def older_cells(notebook: dict[str, object]) -> list[dict[str, object]]:
    sheets = _objects(notebook.get("worksheets"), "worksheets")
    return [_v3_cell(cell) for cell in chain.from_iterable(_objects(sheet.get("cells"), "cells") for sheet in sheets)]


def _v3_cell(cell: dict[str, object]) -> dict[str, object]:
    kind = cell.get("cell_type")
    if kind == "code":
        outputs = cell.get("outputs")
        upgraded = (
            [_v3_output(output) for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
        )
        return {**cell, "source": cell.get("input"), "outputs": upgraded, "execution_count": cell.get("prompt_number")}
    if kind == "heading":
        level = cell.get("level")
        depth = min(6, max(1, level)) if type(level) is int else 1
        return {**cell, "cell_type": "markdown", "source": "#" * depth + " " + source_text(cell.get("source"))}
    return {**cell, "cell_type": "markdown"} if kind == "html" else cell


def _v3_output(output: dict[str, object]) -> dict[str, object]:
    kind = output.get("output_type")
    if kind == "stream":
        return output
    data = {_V3_MIMES.get(name, name): value for name, value in output.items() if name in _V3_MIMES or "/" in name}
    named = _V3_KINDS.get(kind, kind) if isinstance(kind, str) else kind
    return {**output, "output_type": named, "data": dict(list(data.items())[:MAX_MIMES])}
