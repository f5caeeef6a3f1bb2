"""Trust kept: what Jupyter's notary has signed is looked up, and what became of it is signed too.

The law: the event loop waits for no disk. The stock store is a SQLite file, which is asked over a connection of the
thread's own; a store of any other kind, or one that is busy for long, is asked where the manager asks it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

BUSY = 1.0
"""Seconds to wait for another connection's commit before the store is left to the loop."""


def kept(store: Any, algorithm: str, before: str | None, bare: bool, after: str) -> None:
    """Trust ``after`` (a signature) if ``before`` is trusted, or had nothing in it that could be mistrusted."""
    if bare or (before is not None and store.check_signature(before, algorithm)):
        store.store_signature(after, algorithm)


def file_of(store: Any) -> str | None:
    """The file of a stock store; None for any other, which belongs to one thread or is in memory."""
    from nbformat.sign import SQLiteSignatureStore

    file = store.db_file if type(store) is SQLiteSignatureStore else ":memory:"
    return None if file == ":memory:" else str(file)


def kept_in_file(file: str, cache_size: int, algorithm: str, before: str | None, bare: bool, after: str) -> bool:
    """``kept`` in the store at ``file``, for a thread; False where it could not be asked."""
    from nbformat.sign import SQLiteSignatureStore

    class Beside(SQLiteSignatureStore):
        def __init__(self) -> None:
            super().__init__(file, cache_size=cache_size)  # type: ignore[no-untyped-call]  # nbformat has no types here

        def _connect_db(self, db_file: str) -> sqlite3.Connection:
            # The stock one would put a file aside that another connection is writing.
            return sqlite3.connect(f"file:{_quoted(db_file)}?mode=rw", uri=True, timeout=BUSY)

    try:
        with closing(Beside()) as store:
            kept(store, algorithm, before, bare, after)
            store.db.commit()  # the stock store leaves its culling open
    except sqlite3.Error:
        return False
    return True


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
