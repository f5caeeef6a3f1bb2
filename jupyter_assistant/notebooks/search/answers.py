"""What the index answers to words: the cells that hold every one of them, then those with some.

The law: the work for a query is bounded, however many cells hold its words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from .rows import Place
from .words import Query, snippet

CANDIDATES: Final = 10_000
"""Cells that are scored for one query; a word that more cells hold says little beside one that fewer do."""
LAST: Final = 2**63 - 1
SCOPED: Final = "(n.path = ? OR substr(n.path, 1, ?) = ?)"
_FIND: Final = f"""SELECT words.rowid, -words.rank, n.path, c.cell_id, c.place, c.cell_type, c.title, words.source,
    words.outputs FROM words CROSS JOIN cells AS c ON c.id = words.rowid CROSS JOIN notebooks AS n ON n.id = c.notebook
    WHERE words MATCH ? AND words.rowid <= ? AND {SCOPED} ORDER BY words.rank LIMIT ?"""
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
_NTH: Final = "SELECT rowid FROM words WHERE words MATCH ? LIMIT 1 OFFSET ?"


def found(
    connection: sqlite3.Connection, query: Query, scope: str, limit: int, candidates: int = CANDIDATES
) -> list[Place]:
    """Cells with every word first; those with some of them fill up what is left."""
    expressions = _finished(connection, query, limit, candidates)
    telling = [one for one in expressions if 0 < _hits(connection, one, candidates) < candidates] or expressions
    every, some = " AND ".join(expressions), " OR ".join(telling)
    places: dict[int, Place] = {}
    for bonus, expression in ((1, every), (0, some)):
        if len(places) < limit and (bonus or some != every):
            last = _last(connection, expression, candidates) if not scope else LAST
            asked = (expression, last, *inside(scope), limit)
            for row, rank, path, cell_id, index, kind, title, source, outputs in connection.execute(_FIND, asked):
                shown = snippet((source, outputs), query.words)
                score = round(bonus + max(0.0, rank) / (max(0.0, rank) + 10), 6)
                places.setdefault(row, Place(path, cell_id, index, kind, score, title, shown))
    return list(places.values())[:limit]


def _finished(connection: sqlite3.Connection, query: Query, limit: int, candidates: int) -> Sequence[str]:
    """What to look for: the last word as a beginning, unless it is often a word by itself."""
    if not query.unfinished or _hits(connection, query.expressions[-1], candidates) > limit:
        return query.expressions
    return [*query.expressions[:-1], query.unfinished]


def _hits(connection: sqlite3.Connection, expression: str, candidates: int) -> int:
    """How many cells match, counted up to ``candidates``."""
    return int(connection.execute(_COUNT, (expression, candidates)).fetchone()[0])


def _last(connection: sqlite3.Connection, expression: str, candidates: int) -> int:
    """The row after which no more candidates are scored: each costs a microsecond, and some words are everywhere."""
    row = connection.execute(_NTH, (expression, candidates)).fetchone()
    return int(row[0]) if row else LAST


def inside(scope: str) -> tuple[str, int, str]:
    """What ``SCOPED`` is asked with."""
    folder = f"{scope}/" if scope else ""
    return scope, len(folder), folder
