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
from array import array
from collections.abc import Callable, Mapping, Sequence
from logging import Logger
from pathlib import Path
from typing import Final, TypeVar

from ...errors import StoreUnavailable
from ..listing import Stamp
from .answers import CANDIDATES, found
from .nearness import Vectors
from .rows import Counts, Page, Place, Unembedded
from .tables import SCHEMA, counts, forget, put, transaction
from .words import Query

T = TypeVar("T")

VERSION: Final = 2
BUSY_SECONDS: Final = 5.0

# Python 3.10 has no ``sqlite_errorcode``: SQLite's own messages are matched.
_ENVIRONMENT: Final = ("unable to open", "readonly", "full", "disk I/O", "not authorized")
_BUSY: Final = ("locked", "interrupted")


class Index:
    """The index in ``file`` (in memory where it is None), opened at the first call. One thread alone may use it.

    For a query at most ``candidates`` cells are scored. ``openings`` counts how often it was opened: what was known of
    it before the last time may be gone. ``loads`` counts how often its content turned out to be another than what was
    known of it.
    """

    def __init__(self, file: Path | None, *, log: Logger, candidates: int = CANDIDATES) -> None:
        self._file = file
        self._candidates = candidates
        self._log = log
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._known: dict[str, Stamp] = {}
        self._version = -1
        self._vectors = Vectors()
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
        if not query.expressions:
            return []
        return self._call(lambda connection: found(connection, query, scope, limit, self._candidates))

    def counts(self) -> Counts:
        """How much it holds; raises ``StoreUnavailable``."""
        return self._call(counts)

    # ------------------------------------------------------------ vectors

    def unembedded(self, embedder: str, below: int, limit: int) -> Unembedded:
        """At most ``limit`` cells that have no vector by this embedder, of rows under ``below`` (``LAST``: all).

        Vectors of another embedder are forgotten first. Raises ``StoreUnavailable``.
        """
        return self._call(lambda connection: self._vectors.unembedded(connection, embedder, below, limit))

    def embed(self, embedder: str, found: Mapping[bytes, array[float]]) -> None:
        """Keep these vectors by digest (an empty one: there is none to be had); raises ``StoreUnavailable``.

        Where their length is not that of those before, the embedder has changed: those are forgotten.
        """
        self._call(lambda connection: self._vectors.embed(connection, embedder, found))

    def prune(self) -> None:
        """Forget the vectors of cells that are gone; raises ``StoreUnavailable``."""
        self._call(self._vectors.prune)

    def near(self, embedder: str, vector: array[float], query: Query, scope: str, limit: int) -> list[Place]:
        """The cells in ``scope`` whose vectors are nearest to ``vector``, nearest first, the cosine as their score."""
        return self._call(lambda connection: self._vectors.near(connection, embedder, vector, query, scope, limit))

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
        self._vectors.forget()
        if connection is not None:
            connection.close()

    # ------------------------------------------------------------ jobs

    def _load(self, connection: sqlite3.Connection) -> dict[str, Stamp]:
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        if version != self._version:  # opened just now, or another server has written
            rows = connection.execute("SELECT path, stamp FROM notebooks")
            self._known = {path: tuple(json.loads(stamp)) for path, stamp in rows}
            self._version = version
            self._vectors.forget()
            self.loads += 1
        return self._known

    def _write(self, connection: sqlite3.Connection, pages: Sequence[Page]) -> None:
        with transaction(connection):
            for page in pages:
                put(connection, page)
        self._known.update((page.sighting.path, page.sighting.stamp) for page in pages)

    def _drop(self, connection: sqlite3.Connection, paths: Sequence[str]) -> None:
        with transaction(connection):
            for path in paths:
                forget(connection, path)
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
    with transaction(connection):
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == VERSION and not empty:
            return
        if version or not empty:
            raise _OtherVersion(f"version {version}")
        for statement in SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _says(error: Exception, words: Sequence[str]) -> bool:
    return isinstance(error, sqlite3.Error) and any(word in str(error) for word in words)
