"""A dataframe's HTML as its schema and head; pure.

The law: only what the output shows is told: the kinds of the columns are read off the rows that are there, and a
table that is not understood is left to its plain text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..notebooks.outputs import html_text

HEAD_ROWS = 5
MOST_ROWS = 60
MOST_COLUMNS = 60
READ_CHARS = 64_000
"""Of the HTML: enough for the head of any table that a notebook shows well."""

_TABLE = re.compile(r"<table\b[^>]{0,300}\bclass=[\"'][^\"'>]{0,300}\bdataframe\b")
_EMPTY = re.compile(r"(<td\b[^>]{0,300}>)\s{0,300}</td>")
_SHAPE = re.compile(r"(\d[\d,]*) rows? [×x] (\d[\d,]*) columns?|shape: \((\d[\d,_]*), (\d[\d,_]*)\)")
_NUMBER = re.compile(r"[-+]?[\d,_]*\.?\d+(?:[eE][-+]?\d+)?%?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d.*)?")
_MISSING = frozenset({"", "''", "NaN", "NaT", "None", "<NA>", "null", "..."})


def table_digest(html: str, plain: str) -> str | None:
    """Shape, columns and first rows of a dataframe given as pandas or polars show it; None for anything else."""
    opening = html.find("<table", 0, READ_CHARS)
    start = html.find("</thead>", opening, READ_CHARS)
    if opening < 0 or start < 0 or not _TABLE.match(html, opening):
        return None
    header = _rows(html[opening:start])
    rows = _rows(html[start : start + READ_CHARS].rpartition("</tr>")[0])
    if not header or not header[0]:
        return None
    columns = header[0].split(" | ")
    cells = [row.split(" | ") for row in rows]
    told = [_shape(html, plain, len(rows), len(columns)), f"columns: {_columns(columns, cells)}"]
    if rows:
        indexed = len(cells[0]) == len(columns) + 1
        first, *others = header
        told += ["head:", f"(index) | {first}" if indexed else first, *others]
    return "\n".join([*told, *rows[:HEAD_ROWS]])


def _rows(html: str) -> list[str]:
    """A line per row, `` | `` between its cells; an empty cell holds its place."""
    rows = (_EMPTY.sub(r"\1''</td>", row) for row in html.split("</tr>", MOST_ROWS) if "<td" in row or "<th" in row)
    return [html_text(" ".join(row.split())).replace("\n", " ") for row in rows]


def _shape(html: str, plain: str, rows: int, columns: int) -> str:
    found = _SHAPE.search(html[-2_000:]) or _SHAPE.search(plain[-200:]) or _SHAPE.search(html[:2_000])
    groups = [group for group in found.groups() if group] if found else [str(rows), str(columns)]
    return f"DataFrame of {groups[0]} rows x {groups[1]} columns"


def _columns(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    told = [f"{name} ({kind})" if (kind := _kind(_values(at, names, rows))) else name for at, name in enumerate(names)]
    more = [f"… and {len(told) - MOST_COLUMNS} more"] if len(told) > MOST_COLUMNS else []
    return ", ".join([*told[:MOST_COLUMNS], *more])


def _values(at: int, names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """What a column shows; rows of another length (cells left empty at an end) say nothing certain."""
    return [row[at - len(names)].strip() for row in rows if len(row) in (len(names), len(names) + 1)]


def _kind(values: Sequence[str]) -> str:
    there = [value for value in values if value not in _MISSING]
    if not there:
        return ""
    if all(_NUMBER.fullmatch(value) for value in there):
        return "number"
    if all(value in ("True", "False", "true", "false") for value in there):
        return "truth value"
    return "date" if all(_DATE.fullmatch(value) for value in there) else "text"
