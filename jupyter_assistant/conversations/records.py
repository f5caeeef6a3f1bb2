"""Conversations and their messages as rows: SQL in, JSON-able values out, each function inside one transaction.

The law: every statement names the owner; an unknown id and another owner's are the same ``NotFound``.
"""

from __future__ import annotations

import json
import os
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..errors import ConversationBusy, InvalidInput, NotFound
from ..messages import Json, Message

TITLE_CHARS: Final = 60
"""About how long a title derived from a question is."""

LONGEST_TITLE: Final = 200
"""The longest title a user may give, in characters."""

_UNREADABLE: Final[Json] = {
    "type": "error",
    "code": "message_damaged",
    "text": "This message could not be read from the conversations file.",
    "hint": "The rest of the conversation is not affected.",
}

_LISTED: Final = """
    SELECT c.id, c.title, c.created, c.updated, c.pinned, r.id
    FROM conversations c LEFT JOIN runs r ON r.conversation_id = c.id AND r.owner = c.owner AND r.state = 'running'
"""


class Asked(NamedTuple):
    """A question about to be answered: what ``begin`` writes."""

    owner: str
    conversation_id: str | None
    request_id: str | None
    run_id: str
    model: str
    text: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Where a question went. ``repeated``: its request was known, and these are the ids of the run it started then."""

    conversation_id: str
    run_id: str
    user_message_id: str
    message_id: str
    title: str
    title_is_new: bool
    repeated: bool = False


# ------------------------------------------------------------ reading


def listing(connection: sqlite3.Connection, owner: str, *, archived: bool) -> Json:
    """The owner's conversations, pinned first, then those asked last, and how many are archived."""
    order = "WHERE c.owner = ? AND c.archived = ? ORDER BY c.pinned DESC, c.touched DESC"
    rows = connection.execute(_LISTED + order, (owner, int(archived)))
    count = "SELECT count(*) FROM conversations WHERE owner = ? AND archived = 1"
    return {
        "conversations": [_summary(row) for row in rows],
        "archived": connection.execute(count, (owner,)).fetchone()[0],
    }


def conversation(connection: sqlite3.Connection, owner: str, conversation_id: str) -> Json:
    """One conversation with its messages, oldest first."""
    found = connection.execute(_LISTED + "WHERE c.owner = ? AND c.id = ?", (owner, conversation_id)).fetchone()
    if found is None:
        raise _not_found()
    rows = connection.execute(
        "SELECT id, role, parts, run_id, state, created, model FROM messages"
        " WHERE owner = ? AND conversation_id = ? ORDER BY position",
        (owner, conversation_id),
    )
    return {**_summary(found), "messages": [_message(row) for row in rows]}


def message(connection: sqlite3.Connection, owner: str, message_id: str) -> Json:
    """One message, as ``conversation`` lists it."""
    row = connection.execute(
        "SELECT id, role, parts, run_id, state, created, model FROM messages WHERE owner = ? AND id = ?",
        (owner, message_id),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such message.")
    return _message(row)


def history(connection: sqlite3.Connection, owner: str, conversation_id: str, limit: int) -> list[Message]:
    """The newest whole exchanges as text, at most ``limit`` messages, oldest first.

    A question without an answer is left out: many chat templates refuse two user messages in a row.
    """
    _require(connection, owner, conversation_id)
    rows = connection.execute(
        "SELECT q.parts, a.parts FROM messages a"
        " JOIN messages q ON q.owner = a.owner AND q.conversation_id = a.conversation_id"
        " AND q.position = a.position - 1"
        " WHERE a.owner = ? AND a.conversation_id = ? AND a.role = 'assistant' AND a.state <> 'running'"
        " ORDER BY a.position DESC",
        (owner, conversation_id),
    )
    exchanges: list[tuple[str, str]] = []
    for question, answer in rows:
        if len(exchanges) >= limit // 2:
            break
        if text := text_of(load(answer)):
            exchanges.append((text_of(load(question)), text))
    return [
        message
        for question, answer in reversed(exchanges)
        for message in (Message("user", question), Message("assistant", answer))
    ]


# ------------------------------------------------------------ writing


def create(connection: sqlite3.Connection, owner: str, title: str, *, now: float, unpinned_limit: int) -> Json:
    """A new, empty conversation; the oldest unpinned ones beyond the limit are archived."""
    conversation_id = new_id()
    _insert(connection, owner, conversation_id, title, now)
    _archive(connection, owner, unpinned_limit)
    return conversation(connection, owner, conversation_id)


def update(
    connection: sqlite3.Connection,
    owner: str,
    conversation_id: str,
    *,
    title: str | None,
    pinned: bool | None,
    unpinned_limit: int,
) -> Json:
    """Rename or pin; a pinned conversation leaves the archive. Its place in the list is that of its last question."""
    _require(connection, owner, conversation_id)
    where = (owner, conversation_id)
    if title is not None:
        connection.execute("UPDATE conversations SET title = ? WHERE owner = ? AND id = ?", (title, *where))
    if pinned is not None:
        connection.execute(
            "UPDATE conversations SET pinned = ?, archived = 0 WHERE owner = ? AND id = ?", (int(pinned), *where)
        )
        _archive(connection, owner, unpinned_limit)
    return conversation(connection, owner, conversation_id)


def delete(connection: sqlite3.Connection, owner: str, conversation_id: str, *, over: frozenset[str]) -> None:
    """Remove a conversation with all that belongs to it; ``over`` are runs whose end could not be written yet."""
    _require(connection, owner, conversation_id)
    running = _running(connection, owner, conversation_id)
    if running is not None and running not in over:
        raise ConversationBusy(running)
    connection.execute("DELETE FROM conversations WHERE owner = ? AND id = ?", (owner, conversation_id))


def begin(connection: sqlite3.Connection, asked: Asked, *, server: str, now: float, unpinned_limit: int) -> Begun:
    """A question and its answer to be, in a new conversation where none is named."""
    if asked.request_id is not None and (known := _begun_before(connection, asked.owner, asked.request_id)):
        return known
    conversation_id, title, title_is_new = _place(connection, asked, now)
    user_message_id, message_id = new_id(), new_id()
    position = _next_position(connection, asked.owner, conversation_id)
    insert = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    question = dump([{"type": "text", "text": asked.text}])
    where = (asked.owner, conversation_id)
    connection.execute(insert, (user_message_id, *where, position, "user", question, None, "done", now, None))
    answer = (message_id, *where, position + 1, "assistant", "[]", asked.run_id, "running", now, storable(asked.model))
    connection.execute(insert, answer)
    connection.execute(
        "INSERT INTO runs (id, owner, conversation_id, message_id, request_id, state, server, updated)"
        " VALUES (?, ?, ?, ?, ?, 'running', ?, ?)",
        (asked.run_id, *where, message_id, asked.request_id, server, now),
    )
    _touch(connection, asked.owner, conversation_id, title, now)
    _archive(connection, asked.owner, unpinned_limit)
    return Begun(conversation_id, asked.run_id, user_message_id, message_id, title, title_is_new)


def _begun_before(connection: sqlite3.Connection, owner: str, request_id: str) -> Begun | None:
    row = connection.execute(
        "SELECT r.conversation_id, r.id, q.id, r.message_id, c.title FROM runs r"
        " JOIN messages a ON a.id = r.message_id AND a.owner = r.owner"
        " JOIN messages q ON q.owner = a.owner AND q.conversation_id = a.conversation_id"
        " AND q.position = a.position - 1"
        " JOIN conversations c ON c.id = r.conversation_id AND c.owner = r.owner"
        " WHERE r.owner = ? AND r.request_id = ?",
        (owner, request_id),
    ).fetchone()
    if row is None:
        return None
    conversation_id, run_id, user_message_id, message_id, title = row
    return Begun(conversation_id, run_id, user_message_id, message_id, title, title_is_new=False, repeated=True)


def _place(connection: sqlite3.Connection, asked: Asked, now: float) -> tuple[str, str, bool]:
    """The conversation a question goes to: its id, its title, and whether the title is of this question."""
    if asked.conversation_id is None:
        conversation_id = new_id()
        _insert(connection, asked.owner, conversation_id, "", now)
        return conversation_id, derived_title(asked.text), True
    title = _require(connection, asked.owner, asked.conversation_id)
    running = _running(connection, asked.owner, asked.conversation_id)
    if running is not None:
        raise ConversationBusy(running)
    return asked.conversation_id, title or derived_title(asked.text), not title


def _insert(connection: sqlite3.Connection, owner: str, conversation_id: str, title: str, now: float) -> None:
    connection.execute(
        "INSERT INTO conversations (id, owner, title, created, updated, touched)"
        " SELECT ?, ?, ?, ?, ?, coalesce(max(touched), 0) + 1 FROM conversations WHERE owner = ?",
        (conversation_id, owner, title, now, now, owner),
    )


def _touch(connection: sqlite3.Connection, owner: str, conversation_id: str, title: str, now: float) -> None:
    connection.execute(
        "UPDATE conversations SET title = ?, updated = max(updated, ?), archived = 0,"
        " touched = (SELECT max(touched) + 1 FROM conversations WHERE owner = ?) WHERE owner = ? AND id = ?",
        (title, now, owner, owner, conversation_id),
    )


def _archive(connection: sqlite3.Connection, owner: str, unpinned_limit: int) -> None:
    connection.execute(
        "UPDATE conversations SET archived = 1 WHERE owner = ? AND id IN ("
        "SELECT id FROM conversations WHERE owner = ? AND pinned = 0 AND archived = 0"
        " ORDER BY touched DESC LIMIT -1 OFFSET ?)",
        (owner, owner, unpinned_limit),
    )


def _next_position(connection: sqlite3.Connection, owner: str, conversation_id: str) -> int:
    query = "SELECT coalesce(max(position), 0) + 1 FROM messages WHERE owner = ? AND conversation_id = ?"
    return int(connection.execute(query, (owner, conversation_id)).fetchone()[0])


def _running(connection: sqlite3.Connection, owner: str, conversation_id: str) -> str | None:
    query = "SELECT id FROM runs WHERE owner = ? AND conversation_id = ? AND state = 'running'"
    row = connection.execute(query, (owner, conversation_id)).fetchone()
    return str(row[0]) if row else None


def _require(connection: sqlite3.Connection, owner: str, conversation_id: str) -> str:
    """The title of a conversation that must be there."""
    query = "SELECT title FROM conversations WHERE owner = ? AND id = ?"
    row = connection.execute(query, (owner, conversation_id)).fetchone()
    if row is None:
        raise _not_found()
    return str(row[0])


def _not_found() -> NotFound:
    return NotFound("There is no such conversation.")


# ------------------------------------------------------------ values


def _summary(row: Sequence[object]) -> Json:
    names = ("id", "title", "created", "updated", "pinned", "run_id")
    return {**dict(zip(names, row, strict=True)), "pinned": bool(row[4])}


def _message(row: Sequence[object]) -> Json:
    names = ("id", "role", "parts", "run_id", "state", "created")
    message = {**dict(zip(names, row[:6], strict=True)), "parts": load(str(row[2]))}
    return message if row[6] is None else {**message, "model": row[6]}


def text_of(parts: Sequence[Json]) -> str:
    """The text parts of a message, joined."""
    return "".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")


def dump(parts: Sequence[Json]) -> str:
    """Parts as they are stored."""
    return storable(json.dumps(list(parts), ensure_ascii=False, separators=(",", ":")))


def load(stored: str) -> list[Json]:
    """Parts from storage; a damaged message says so and hides no other."""
    try:
        parts = json.loads(stored)
    except ValueError:
        return [_UNREADABLE]
    sound = isinstance(parts, list) and all(isinstance(part, dict) for part in parts)
    return parts if sound else [_UNREADABLE]


def storable(text: str) -> str:
    """Text that SQLite takes: pairs of surrogates become their character, lone ones U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def given_title(title: str) -> str:
    """A title of a user, in one line; raises ``InvalidInput``."""
    line = _one_line(title)
    if not line or len(line) > LONGEST_TITLE:
        raise InvalidInput("title", f"must hold 1 to {LONGEST_TITLE} characters")
    return line


def derived_title(question: str) -> str:
    """The start of the first question, in one line, cut at a word."""
    line = _one_line(question) or "Untitled"
    if len(line) <= TITLE_CHARS:
        return line
    head = line[:TITLE_CHARS]
    words = head if line[TITLE_CHARS] == " " else head.rpartition(" ")[0]
    # A text without spaces, Chinese or an address, has no word to cut at.
    return (words if len(words) > TITLE_CHARS // 2 else head).rstrip(" ,;:.-") + "…"


def _one_line(text: str) -> str:
    printable = "".join(" " if unicodedata.category(char) == "Cc" else char for char in storable(text[:10_000]))
    return " ".join(printable.split())


def new_id() -> str:
    """128 random bits, opaque."""
    return os.urandom(16).hex()
