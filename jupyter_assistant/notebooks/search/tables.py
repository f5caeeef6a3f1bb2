"""The tables of the search index, and a notebook's rows put into them.

The law: a notebook is replaced as a whole, and only if the file does not hold that content already.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Final

from .rows import Counts, Page, Row

SCHEMA: Final = (
    "CREATE TABLE notebooks (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL)",
    """CREATE TABLE cells (id INTEGER PRIMARY KEY, notebook INTEGER NOT NULL, cell_id TEXT NOT NULL,
       place INTEGER NOT NULL, cell_type TEXT NOT NULL, title TEXT NOT NULL, digest BLOB NOT NULL)""",
    "CREATE INDEX cells_of_notebook ON cells (notebook)",
    "CREATE INDEX cells_of_digest ON cells (digest)",
    "CREATE TABLE vectors (digest BLOB PRIMARY KEY, signs BLOB NOT NULL, vector BLOB NOT NULL)",
    "CREATE TABLE embedder (name TEXT NOT NULL)",
    """CREATE VIRTUAL TABLE words USING fts5 (name, title, source, parts, outputs,
       tokenize = 'porter unicode61 remove_diacritics 2')""",
    "INSERT INTO words (words, rank) VALUES ('rank', 'bm25(0.3, 2.0, 2.0, 1.0, 0.5)')",
)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what is written inside."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def put(connection: sqlite3.Connection, page: Page) -> None:
    """Put a notebook in the place of what was known of it."""
    path, stamp = page.sighting.path, json.dumps(page.sighting.stamp)
    row = connection.execute("SELECT stamp FROM notebooks WHERE path = ?", (path,)).fetchone()
    if row == (stamp,) and page.sighting.stamp:
        return  # another server was faster
    forget(connection, path)
    notebook = connection.execute("INSERT INTO notebooks (path, stamp) VALUES (?, ?)", (path, stamp)).lastrowid
    name = path.removesuffix(".ipynb")
    for row in page.rows:
        _put_cell(connection, notebook, name, row)


def _put_cell(connection: sqlite3.Connection, notebook: int | None, name: str, row: Row) -> None:
    cell_id, place, kind, title, above, source, hidden, outputs, digest = row
    number = connection.execute(
        "INSERT INTO cells (notebook, cell_id, place, cell_type, title, digest) VALUES (?, ?, ?, ?, ?, ?)",
        (notebook, cell_id, place, kind, title, digest),
    ).lastrowid
    connection.execute(
        "INSERT INTO words (rowid, name, title, source, parts, outputs) VALUES (?, ?, ?, ?, ?, ?)",
        (number, name, above, source, hidden, outputs),
    )


def forget(connection: sqlite3.Connection, path: str) -> None:
    """Take a notebook out, if it is there."""
    row = connection.execute("SELECT id FROM notebooks WHERE path = ?", (path,)).fetchone()
    if row:
        _drop_cells(connection, row[0])
        connection.execute("DELETE FROM notebooks WHERE id = ?", row)


def _drop_cells(connection: sqlite3.Connection, notebook: int) -> None:
    connection.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM cells WHERE notebook = ?)", (notebook,))
    connection.execute("DELETE FROM cells WHERE notebook = ?", (notebook,))


def counts(connection: sqlite3.Connection) -> Counts:
    """How much there is of each."""
    tables = ("notebooks", "cells", "vectors")
    return Counts(*(int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables))
