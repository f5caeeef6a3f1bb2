"""Notebooks, cells and outputs as MCP resources: ``notebook://{path}``, ``…/cells/{id}``, ``…/outputs/{n}``.

The law: what is given is nbformat 4 as a reader of notebooks expects it, with its metadata and nothing added; outputs
that make a notebook or cell too large say so in their place, and what is still too large for a client is refused with
the smaller thing to take instead.
"""

from __future__ import annotations

import json
from copy import deepcopy
from urllib.parse import quote

from ...errors import NotFound, TooLarge
from ...messages import Json
from ...notebooks import Notebooks
from ...notebooks.entire import spelled
from ...tools import Redact

NOTEBOOK_TYPE = "application/x-ipynb+json"
CELL_TYPE = "application/json"
MOST_BYTES = 900_000
"""Of a resource as JSON text: clients take at most 1 MiB in one event, quotation marks escaped once more."""
BINARY = ("image/", "audio/", "video/", "application/pdf", "application/octet-stream")
"""Payloads in base64, which can look like a secret and hold none that could be seen."""


def address(path: str) -> str:
    """The resource of the notebook at ``path``."""
    return f"notebook://{quote(path)}"


async def notebook(notebooks: Notebooks, path: str) -> Json:
    """The notebook; raises ``NotebookError``, ``TooLarge``."""
    return await (await notebooks.open(path)).nbformat()


async def cell(notebooks: Notebooks, path: str, cell_id: str) -> Json:
    """One cell; raises ``CellNotFound`` and as ``notebook``."""
    [found] = (await (await notebooks.open(path)).nbformat([cell_id]))["cells"]
    return dict(found)


async def output(notebooks: Notebooks, path: str, cell_id: str, number: str) -> Json:
    """One output of a cell, counted from 0; raises ``NotFound`` and as ``cell``."""
    outputs = (await (await notebooks.open(path)).outputs([cell_id]))[cell_id]
    if not (number.isascii() and number.isdecimal() and int(number[:9]) < len(outputs)):
        count = f"{len(outputs)} output{'' if len(outputs) == 1 else 's'}"
        raise NotFound(f"The cell {cell_id[:80]!r} has {count}, counted from 0.", "Read the cell to see them.")
    [found] = spelled({"cell_type": "code", "outputs": [deepcopy(outputs[int(number)])]})["outputs"]
    return dict(found)


def text(found: Json, redact: Redact | None) -> str:
    """As JSON text without secrets; raises ``TooLarge``."""
    clean = redacted(found, redact) if redact else found
    made = json.dumps(clean, ensure_ascii=False, separators=(",", ":"))
    size = len(made.encode("utf-8", "replace")) + made.count('"') + made.count("\\")
    if size > MOST_BYTES:
        hint = "Read its cells one by one." if "cells" in found else "Use read_cell, which shows what matters of it."
        raise TooLarge(f"This is too large for one resource ({size:,} bytes).", hint)
    return made


def redacted(value: object, redact: Redact, name: str = "") -> object:
    """JSON in which each text is without its secrets; ``name`` is the key it stands under."""
    if isinstance(value, str):
        return value if _is_binary(name) else _without_secrets(value, redact, name)
    if isinstance(value, dict):
        return {key: redacted(item, redact, key) for key, item in value.items()}
    return [redacted(item, redact, name) for item in value] if isinstance(value, list) else value


def _without_secrets(value: str, redact: Redact, name: str) -> str:
    """Also a value whose key alone tells that it is a secret."""
    found, count = redact(value)
    if count or not name or value != "".join(value.split()):
        return found
    told = redact(f"{json.dumps(name)}: {json.dumps(value)}")[1]
    return "[redacted: secret]" if told else found


def _is_binary(name: str) -> bool:
    return name.startswith(BINARY) and name != "image/svg+xml"
