"""The search index: one SQLite file with the words of every cell, kept by one thread.

The law: it is a cache. What cannot be read, or another version wrote, is deleted and made anew; where no file can be
kept, it is kept in memory; losing it loses nothing. Two servers may share one file: each notebook is written in one
transaction, and only if the file does not hold that content already.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Final, TypeVar

from ...errors import StoreUnavailable
from ..cells import Cell
from ..listing import Sighting, Stamp
from .words import Query, parts, snippet, storable, titles

T = TypeVar("T")

VERSION: Final = 1
BUSY_SECONDS: Final = 5.0
CANDIDATES: Final = 10_000
"""Cells that are scored for one query; a word that more cells hold says little beside one that fewer do."""
LAST: Final = 2**63 - 1
MAX_SOURCE: Final = 40_000
MAX_OUTPUTS: Final = 2_000
"""Characters of a cell that are indexed; of its outputs, both ends."""

_SCHEMA: Final = (
    "CREATE TABLE notebooks (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL)",
    """CREATE TABLE cells (id INTEGER PRIMARY KEY, notebook INTEGER NOT NULL, cell_id TEXT NOT NULL,
       place INTEGER NOT NULL, cell_type TEXT NOT NULL, title TEXT NOT NULL)""",
    "CREATE INDEX cells_of_notebook ON cells (notebook)",
    """CREATE VIRTUAL TABLE words USING fts5 (name, title, source, parts, outputs,
       tokenize = 'porter unicode61 remove_diacritics 2')""",
    "INSERT INTO words (words, rank) VALUES ('rank', 'bm25(0.3, 2.0, 2.0, 1.0, 0.5)')",
)
_FIND: Final = """SELECT words.rowid, -words.rank, n.path, c.cell_id, c.place, c.cell_type, c.title, words.source,
    words.outputs FROM words CROSS JOIN cells AS c ON c.id = words.rowid CROSS JOIN notebooks AS n ON n.id = c.notebook
    WHERE words MATCH ? AND words.rowid <= ? AND (n.path = ? OR substr(n.path, 1, ?) = ?) ORDER BY words.rank LIMIT ?"""
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
_NTH: Final = "SELECT rowid FROM words WHERE words MATCH ? LIMIT 1 OFFSET ?"

# Python 3.10 has no ``sqlite_errorcode``: SQLite's own messages are matched.
_ENVIRONMENT: Final = ("unable to open", "readonly", "full", "disk I/O", "not authorized")
_BUSY: Final = ("locked", "interrupted")


@dataclass(frozen=True, slots=True)
class Place:
    """A cell that answers a query, as it was when it was indexed.

    ``score`` is between 0 and 2, higher is better, and at least 1 where the cell holds every word. ``title`` is the
    nearest heading, or the notebook's name; ``index`` counts from 0; ``snippet`` is plain text on one line.
    """

    path: str
    cell_id: str
    index: int
    cell_type: str
    score: float
    title: str
    snippet: str


@dataclass(frozen=True, slots=True)
class Page:
    """A notebook to be indexed; without cells where it could not be read."""

    sighting: Sighting
    cells: tuple[Cell, ...]


class Index:
    """The index in ``file`` (in memory where it is None), opened at the first call. One thread alone may use it.

    ``openings`` counts how often it was opened: what was known of it before the last time may be gone. ``loads`` counts
    how often its content turned out to be another than what was known of it.
    """

    def __init__(self, file: Path | None, *, log: Logger) -> None:
        self._file = file
        self._log = log
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._known: dict[str, Stamp] = {}
        self._version = -1
        self.openings = 0
        self.loads = 0

    def known(self) -> dict[str, Stamp]:
        """Which content of which notebook the index holds; raises ``StoreUnavailable``."""
        return dict(self._call(self._load))

    def put(self, pages: Sequence[Page]) -> None:
        """Take in these notebooks in place of what was known of them; raises ``StoreUnavailable``."""
        self._call(lambda connection: self._write(connection, pages))

    def forget(self, paths: Sequence[str]) -> None:
        """These notebooks are gone; raises ``StoreUnavailable``."""
        self._call(lambda connection: self._drop(connection, paths))

    def find(self, query: Query, scope: str, limit: int) -> list[Place]:
        """The best places, best first, in the notebook or folder ``scope`` ("" everywhere)."""
        return self._call(lambda connection: _found(connection, query, scope, limit)) if query.expressions else []

    def interrupt(self) -> None:
        """End what is being done; the only call that another thread may make."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # closed in the meantime
                connection.interrupt()

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        connection, self._connection = self._connection, None
        self._known, self._version = {}, -1
        if connection is not None:
            connection.close()

    # ------------------------------------------------------------ jobs

    def _load(self, connection: sqlite3.Connection) -> dict[str, Stamp]:
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        if version != self._version:  # opened just now, or another server has written
            rows = connection.execute("SELECT path, stamp FROM notebooks")
            self._known = {path: tuple(json.loads(stamp)) for path, stamp in rows}
            self._version = version
            self.loads += 1
        return self._known

    def _write(self, connection: sqlite3.Connection, pages: Sequence[Page]) -> None:
        with _transaction(connection):
            for page in pages:
                _put(connection, page)
        self._known.update((page.sighting.path, page.sighting.stamp) for page in pages)

    def _drop(self, connection: sqlite3.Connection, paths: Sequence[str]) -> None:
        with _transaction(connection):
            for path in paths:
                _forget(connection, path)
        for path in paths:
            self._known.pop(path, None)

    # ------------------------------------------------------------ a call, and what becomes of a file that fails

    def _call(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What ``job`` gives; after a fault once more, on a new index, then on one in memory."""
        for mend in (self._rebuild, self._leave_the_disk, self._give_up):
            try:
                return job(self._opened())
            except (sqlite3.Error, OSError, ValueError) as error:
                mend(error)
        raise AssertionError("the last way out raises")

    def _rebuild(self, error: Exception) -> None:
        if _says(error, _BUSY):
            self._give_up(error)
        self.close()
        if _says(error, _ENVIRONMENT) or isinstance(error, OSError):
            self._leave_the_disk(error)
        elif self._file is not None:
            self._log.warning("search index: damaged or of another version; it is made anew")
            for suffix in ("", "-journal", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    os.unlink(f"{self._file}{suffix}")

    def _leave_the_disk(self, error: Exception) -> None:
        self.close()
        if self._file is not None:
            self._log.warning("search index: kept in memory, its file cannot be used (%s)", type(error).__name__)
        self._file = None

    def _give_up(self, error: Exception) -> None:
        self.close()
        raise StoreUnavailable("The search index cannot be used just now.", "Try again in a moment.") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._file is not None and _identity(self._file) != self._identity:
            self.close()  # deleted, or made anew by another server
        if self._connection is None:
            self._connection = self._open()
            self.openings += 1
        return self._connection

    def _open(self) -> sqlite3.Connection:
        if self._file is not None:
            _prepare(self._file)
        connection = sqlite3.connect(self._file or ":memory:", timeout=BUSY_SECONDS, isolation_level=None)
        try:
            self._identity = _identity(self._file) if self._file is not None else None
            _set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection


# ---------------------------------------------------------------- the file


class _OtherVersion(sqlite3.DatabaseError):
    """The file is not an index of this version."""


def _prepare(file: Path) -> None:
    """A private file in a folder that is private if we make it: SQLite would give it the mode of the umask."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    if file.stat().st_mode & 0o077:
        file.chmod(0o600)


def _set_up(connection: sqlite3.Connection) -> None:
    # Not WAL: home directories of hubs are often on NFS, where WAL does not work (SECURITY "Store").
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "journal_mode = DELETE", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    with _transaction(connection):
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == VERSION and not empty:
            return
        if version or not empty:
            raise _OtherVersion(f"version {version}")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _says(error: Exception, words: Sequence[str]) -> bool:
    return isinstance(error, sqlite3.Error) and any(word in str(error) for word in words)


# ---------------------------------------------------------------- rows


def _put(connection: sqlite3.Connection, page: Page) -> None:
    path, stamp = page.sighting.path, json.dumps(page.sighting.stamp)
    row = connection.execute("SELECT stamp FROM notebooks WHERE path = ?", (path,)).fetchone()
    if row == (stamp,) and page.sighting.stamp:
        return  # another server was faster
    _forget(connection, path)
    notebook = connection.execute("INSERT INTO notebooks (path, stamp) VALUES (?, ?)", (path, stamp)).lastrowid
    name = path.removesuffix(".ipynb")
    for cell, title in zip(page.cells, titles(page.cells, name.rpartition("/")[2]), strict=True):
        if cell.source.strip() or cell.outputs:
            _put_cell(connection, notebook, name, cell, storable(title))


def _put_cell(connection: sqlite3.Connection, notebook: int | None, name: str, cell: Cell, title: str) -> None:
    row = connection.execute(
        "INSERT INTO cells (notebook, cell_id, place, cell_type, title) VALUES (?, ?, ?, ?, ?)",
        (notebook, storable(cell.id), cell.index, cell.cell_type, title),
    ).lastrowid
    source = storable(cell.source[:MAX_SOURCE])
    hidden = parts(f"{name} {title} {source}")
    above = "" if title in source else title  # a heading must not count twice, or bare headings come first
    connection.execute(
        "INSERT INTO words (rowid, name, title, source, parts, outputs) VALUES (?, ?, ?, ?, ?, ?)",
        (row, name, above, source, hidden, _outputs(cell)),
    )


def _outputs(cell: Cell) -> str:
    texts = (f"{out.error.name} {out.error.value}\n{out.text}" if out.error else out.text for out in cell.outputs)
    text = storable("\n".join(filter(None, texts)))
    half = MAX_OUTPUTS // 2
    return text if len(text) <= MAX_OUTPUTS else f"{text[:half]}\n{text[-half:]}"


def _forget(connection: sqlite3.Connection, path: str) -> None:
    row = connection.execute("SELECT id FROM notebooks WHERE path = ?", (path,)).fetchone()
    if row:
        _drop_cells(connection, row[0])
        connection.execute("DELETE FROM notebooks WHERE id = ?", row)


def _drop_cells(connection: sqlite3.Connection, notebook: int) -> None:
    connection.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM cells WHERE notebook = ?)", (notebook,))
    connection.execute("DELETE FROM cells WHERE notebook = ?", (notebook,))


# ---------------------------------------------------------------- answers


def _found(connection: sqlite3.Connection, query: Query, scope: str, limit: int) -> list[Place]:
    """Cells with every word first; those with some of them fill up what is left."""
    expressions = _finished(connection, query, limit)
    telling = [one for one in expressions if 0 < _hits(connection, one) < CANDIDATES] or expressions
    every, some = " AND ".join(expressions), " OR ".join(telling)
    places: dict[int, Place] = {}
    folder = f"{scope}/" if scope else ""
    for bonus, expression in ((1, every), (0, some)):
        if len(places) < limit and (bonus or some != every):
            last = _last(connection, expression) if not scope else LAST
            asked = (expression, last, scope, len(folder), folder, limit)
            for row, rank, path, cell_id, index, kind, title, source, outputs in connection.execute(_FIND, asked):
                shown = snippet((source, outputs), query.words)
                score = round(bonus + max(0.0, rank) / (max(0.0, rank) + 10), 6)
                places.setdefault(row, Place(path, cell_id, index, kind, score, title, shown))
    return list(places.values())[:limit]


def _finished(connection: sqlite3.Connection, query: Query, limit: int) -> Sequence[str]:
    """What to look for: the last word as a beginning, unless it is often a word by itself."""
    if not query.unfinished or _hits(connection, query.expressions[-1]) > limit:
        return query.expressions
    return [*query.expressions[:-1], query.unfinished]


def _hits(connection: sqlite3.Connection, expression: str) -> int:
    """How many cells match, counted up to ``CANDIDATES``."""
    return int(connection.execute(_COUNT, (expression, CANDIDATES)).fetchone()[0])


def _last(connection: sqlite3.Connection, expression: str) -> int:
    """The row after which no more candidates are scored: each costs a microsecond, and some words are everywhere."""
    row = connection.execute(_NTH, (expression, CANDIDATES)).fetchone()
    return int(row[0]) if row else LAST
