"""The tables of the conversations file, one migration a version.

The law: a migration that was released is never edited, a new version is a new entry at the end; and every row
names its owner.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x4A415354
"""In the file's header (SQLite's ``application_id``), so that no other program's file is taken for ours."""

Migration = tuple[str, ...]

# ``touched`` counts questions and orders the list: a clock may go backwards.
# ``logged`` is 1 while the events of a run are kept in ``log``, whose ``data`` is zlib over encoded events.
_FIRST: Migration = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY NOT NULL,
        owner TEXT NOT NULL,
        title TEXT NOT NULL,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        touched INTEGER NOT NULL,
        pinned INTEGER NOT NULL DEFAULT 0,
        archived INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX conversations_listed ON conversations (owner, archived, pinned, touched)",
    """
    CREATE TABLE messages (
        id TEXT PRIMARY KEY NOT NULL,
        owner TEXT NOT NULL,
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        role TEXT NOT NULL,
        parts TEXT NOT NULL,
        run_id TEXT,
        state TEXT NOT NULL,
        created REAL NOT NULL,
        model TEXT,
        UNIQUE (conversation_id, position)
    )
    """,
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY NOT NULL,
        owner TEXT NOT NULL,
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        message_id TEXT NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
        request_id TEXT,
        state TEXT NOT NULL,
        last_event INTEGER NOT NULL DEFAULT 0,
        logged INTEGER NOT NULL DEFAULT 1,
        log_bytes INTEGER NOT NULL DEFAULT 0,
        server TEXT NOT NULL,
        updated REAL NOT NULL,
        UNIQUE (owner, request_id)
    )
    """,
    "CREATE INDEX runs_of_conversation ON runs (conversation_id)",
    "CREATE UNIQUE INDEX runs_running ON runs (conversation_id) WHERE state = 'running'",
    "CREATE INDEX runs_logged ON runs (owner) WHERE logged = 1",
    """
    CREATE TABLE log (
        run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        owner TEXT NOT NULL,
        last_event INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (run_id, last_event)
    )
    """,
)

MIGRATIONS: Final[tuple[Migration, ...]] = (_FIRST,)
