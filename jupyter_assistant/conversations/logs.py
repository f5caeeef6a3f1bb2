"""Runs as rows: how far an answer is, and its encoded events, replayable until they expire.

The law: an event that was written is never written twice, and a message outlives the log of its run.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ..messages import Json
from . import records
from .process import Process, is_over

Ending = Literal["done", "cancelled", "error", "interrupted"]
RunState = Literal["running", "done", "cancelled", "error", "interrupted"]

RUNNING: Final = "running"

# Cast: a flipped bit can turn a number of SQLite's into text.
_COLUMNS: Final = (
    "SELECT id, owner, conversation_id, message_id, state,"
    " CAST(last_event AS INTEGER), CAST(logged AS INTEGER) FROM runs "
)


class Kept(NamedTuple):
    """Of how many runs, and of how many bytes (compressed), the events are kept for each owner."""

    runs: int
    bytes: int


class Progress(NamedTuple):
    """How far a run is: its parts (stored form), and events not written yet as (number of the last one, bytes)."""

    run_id: str
    parts: str
    chunks: tuple[tuple[int, bytes], ...]
    state: RunState = RUNNING

    def after(self, earlier: Progress | None) -> Progress:
        """The two as one: parts are the later ones, events are of both; nothing comes after an end."""
        if earlier is None:
            return self
        if earlier.state != RUNNING:
            return earlier
        return self._replace(chunks=earlier.chunks + self.chunks)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as stored: ``last`` is the number of its newest event, ``frames`` all its encoded events.

    ``frames`` is None when they are kept no longer; ``snapshot`` is the message, as a conversation lists it.
    """

    run_id: str
    conversation_id: str
    message_id: str
    state: RunState
    last: int
    frames: bytes | None
    snapshot: Json


class _Row(NamedTuple):
    id: str
    owner: str
    conversation_id: str
    message_id: str
    state: RunState
    last_event: int
    logged: int


def run(connection: sqlite3.Connection, owner: str, run_id: str) -> StoredRun | None:
    """The owner's run, or None."""
    row = connection.execute(_COLUMNS + "WHERE owner = ? AND id = ?", (owner, run_id)).fetchone()
    if row is None:
        return None
    found = _Row(*row)
    frames = _frames(connection, found) if found.logged else None
    snapshot = records.message(connection, owner, found.message_id)
    return StoredRun(found.id, found.conversation_id, found.message_id, found.state, found.last_event, frames, snapshot)


def is_known(connection: sqlite3.Connection, run_id: str) -> bool:
    """Whether the file holds this run, whoever it belongs to."""
    return _find(connection, run_id) is not None


def advance(connection: sqlite3.Connection, progress: Progress, *, now: float, kept: Kept) -> None:
    """Write how far a run is. One that is over or gone stays as it is, but for the exception below."""
    found = _find(connection, progress.run_id)
    if found is None or not _takes(found, progress):
        return
    if found.state == RUNNING:
        _append(connection, found, progress.chunks)
    else:
        _drop(connection, found.owner, found.id)
    _set(connection, found, progress.state, now, parts=progress.parts)
    if progress.state != RUNNING:
        expire(connection, found.owner, kept)


def _takes(found: _Row, progress: Progress) -> bool:
    """A run that another server took for dead may still end; the events numbered since then are not replayable."""
    return found.state == RUNNING or (found.state == "interrupted" and progress.state not in (RUNNING, "interrupted"))


def expire(connection: sqlite3.Connection, owner: str, kept: Kept) -> None:
    """Drop the events of the owner's older runs beyond what is kept; the newest is always kept."""
    rows = connection.execute(
        "SELECT id, state, CAST(log_bytes AS INTEGER) FROM runs WHERE owner = ? AND logged = 1 ORDER BY rowid DESC",
        (owner,),
    ).fetchall()
    total = 0
    for count, (run_id, state, log_bytes) in enumerate(rows, start=1):
        total += log_bytes
        if count > 1 and state != RUNNING and (count > kept.runs or total > kept.bytes):
            _drop(connection, owner, run_id)


# ------------------------------------------------------------ runs nobody will end


def left_by_others(connection: sqlite3.Connection, here: Process, now: float) -> list[str]:
    """The running runs, of any owner, whose server process is over."""
    rows = connection.execute(
        "SELECT id, server, CAST(updated AS REAL) FROM runs WHERE state = 'running' AND server <> ?", (str(here),)
    )
    return [run_id for run_id, server, updated in rows if is_over(Process.parse(server), here, now - updated)]


def left_by(connection: sqlite3.Connection, process: Process) -> list[str]:
    """The running runs, of any owner, of this very process."""
    rows = connection.execute("SELECT id FROM runs WHERE state = 'running' AND server = ?", (str(process),))
    return [run_id for (run_id,) in rows]


def interrupt(connection: sqlite3.Connection, run_ids: Iterable[str], now: float) -> None:
    """End runs as interrupted, with the text they have and a last event that says so."""
    for run_id in run_ids:
        found = _find(connection, run_id)
        if found is not None and found.state == RUNNING:
            _append(connection, found, _closing(connection, found))
            _set(connection, found, "interrupted", now)


def _closing(connection: sqlite3.Connection, found: _Row) -> tuple[tuple[int, bytes], ...]:
    """``done`` as the run's last event, after ``run`` where nothing was written yet."""
    events: list[tuple[str, Json]] = [("done", {"reason": "interrupted"})]
    if found.last_event == 0:
        model = records.message(connection, found.owner, found.message_id).get("model", "")
        events.insert(0, ("run", {"run_id": found.id, "conversation_id": found.conversation_id, "model": model}))
    return tuple(
        (number, _frame(number, name, data)) for number, (name, data) in enumerate(events, start=found.last_event + 1)
    )


def _frame(number: int, name: str, data: Json) -> bytes:
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {number}\nevent: {name}\ndata: {body}\n\n".encode()


# ------------------------------------------------------------ rows


def _find(connection: sqlite3.Connection, run_id: str) -> _Row | None:
    row = connection.execute(_COLUMNS + "WHERE id = ?", (run_id,)).fetchone()
    return _Row(*row) if row else None


def _set(connection: sqlite3.Connection, found: _Row, state: RunState, now: float, *, parts: str | None = None) -> None:
    where = (found.owner, found.message_id)
    connection.execute(
        "UPDATE messages SET parts = coalesce(?, parts), state = ? WHERE owner = ? AND id = ?", (parts, state, *where)
    )
    connection.execute(
        "UPDATE runs SET state = ?, updated = ? WHERE owner = ? AND id = ?", (state, now, found.owner, found.id)
    )
    if state != RUNNING:
        connection.execute(
            "UPDATE conversations SET updated = max(updated, ?) WHERE owner = ? AND id = ?",
            (now, found.owner, found.conversation_id),
        )


def _append(connection: sqlite3.Connection, found: _Row, chunks: Iterable[tuple[int, bytes]]) -> None:
    """Chunks up to ``last_event`` are there already: a commit that was reported as failed may have been made."""
    new = [(last, frames) for last, frames in chunks if last > found.last_event]
    if not new:
        return
    last = new[-1][0]
    # Level 1: events of tokens shrink to about a sixth, for some 5 µs a kilobyte.
    data = zlib.compress(b"".join(frames for _, frames in new), 1)
    connection.execute("INSERT INTO log VALUES (?, ?, ?, ?)", (found.id, found.owner, last, data))
    connection.execute(
        "UPDATE runs SET last_event = ?, log_bytes = log_bytes + ? WHERE owner = ? AND id = ?",
        (last, len(data), found.owner, found.id),
    )


def _frames(connection: sqlite3.Connection, found: _Row) -> bytes | None:
    rows = connection.execute(
        "SELECT data FROM log WHERE owner = ? AND run_id = ? ORDER BY last_event", (found.owner, found.id)
    )
    try:
        return b"".join(zlib.decompress(data) for (data,) in rows)
    except zlib.error:
        return None


def _drop(connection: sqlite3.Connection, owner: str, run_id: str) -> None:
    where = (owner, run_id)
    connection.execute("DELETE FROM log WHERE owner = ? AND run_id = ?", where)
    connection.execute("UPDATE runs SET logged = 0, log_bytes = 0 WHERE owner = ? AND id = ?", where)
