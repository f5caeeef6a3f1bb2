"""Conversations as their callers see them: what is asked, answered, listed, renamed, exported, deleted, kept apart."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from jupyter_assistant.conversations import Begun, Conversations
from jupyter_assistant.errors import ConversationBusy, InvalidInput, NotFound, StoreUnavailable
from jupyter_assistant.messages import Message

LOG = logging.getLogger(__name__)


@asynccontextmanager
async def opened(path: Path | None = None, **options: Any) -> AsyncIterator[Conversations]:
    store = Conversations(path, log=LOG, **options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def begun(store: Conversations, text: str = "Why?", owner: str = "ann", **fields: Any) -> Begun:
    fields = {"conversation_id": None, "request_id": None, "run_id": os.urandom(16).hex(), "model": "p/m"} | fields
    return await store.begin(owner, text=text, **fields)


async def answered(store: Conversations, text: str = "Why?", answer: str = "Because.", **fields: Any) -> Begun:
    run = await begun(store, text, **fields)
    await store.end(run.run_id, parts=said(answer), state="done", frames=b"frames of " + answer.encode(), last=9)
    return run


def said(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


def ticking(times: Iterable[float]) -> Callable[[], float]:
    iterator = iter(times)
    return lambda: next(iterator)


def transactions(path: Path) -> int:
    """How many transactions changed the file: the change counter of its header (SQLite file format, 1.3.7)."""
    return int.from_bytes(path.read_bytes()[24:28], "big")


# ------------------------------------------------------------ a question and its answer


async def test_a_question_is_stored_with_an_answer_that_runs() -> None:
    async with opened(clock=lambda: 1000.5) as store:
        run = await begun(store, "Why does this fail?")
        conversation = await store.get("ann", run.conversation_id)

    assert conversation == {
        "id": run.conversation_id,
        "title": "Why does this fail?",
        "created": 1000.5,
        "updated": 1000.5,
        "pinned": False,
        "run_id": run.run_id,
        "messages": [
            {
                "id": run.user_message_id,
                "role": "user",
                "parts": said("Why does this fail?"),
                "run_id": None,
                "state": "done",
                "created": 1000.5,
            },
            {
                "id": run.message_id,
                "role": "assistant",
                "parts": [],
                "run_id": run.run_id,
                "state": "running",
                "created": 1000.5,
                "model": "p/m",
            },
        ],
    }
    assert (run.title, run.title_is_new, run.repeated) == ("Why does this fail?", True, False)
    assert all(len(id) == 32 and int(id, 16) for id in (run.conversation_id, run.user_message_id, run.message_id))


async def test_an_ended_answer_has_its_parts_state_and_events() -> None:
    parts = [{"type": "reasoning", "text": "hm"}, *said("It divides by zero."), {"type": "usage", "input_tokens": 3}]
    async with opened() as store:
        run = await begun(store)
        await store.checkpoint(run.run_id, said("It"), b"id: 1\n\n", 1)
        await store.end(run.run_id, parts=parts, state="cancelled", frames=b"id: 2\n\nid: 3\n\n", last=3)
        stored = await store.run("ann", run.run_id)
        conversation = await store.get("ann", run.conversation_id)

    assert stored is not None
    assert (stored.state, stored.last, stored.frames) == ("cancelled", 3, b"id: 1\n\nid: 2\n\nid: 3\n\n")
    assert (stored.conversation_id, stored.message_id) == (run.conversation_id, run.message_id)
    assert stored.snapshot == conversation["messages"][1]
    assert (stored.snapshot["parts"], stored.snapshot["state"]) == (parts, "cancelled")
    assert conversation["run_id"] is None


async def test_a_checkpoint_is_seen_by_the_next_read() -> None:
    async with opened() as store:
        run = await begun(store)
        await store.checkpoint(run.run_id, said("half"), b"id: 1\n\n", 1)
        stored = await store.run("ann", run.run_id)

    assert stored is not None
    assert (stored.state, stored.frames, stored.snapshot["parts"]) == ("running", b"id: 1\n\n", said("half"))


async def test_a_second_question_while_an_answer_runs_is_refused_with_the_running_one() -> None:
    async with opened() as store:
        run = await begun(store)
        with pytest.raises(ConversationBusy) as refused:
            await begun(store, conversation_id=run.conversation_id)
        assert refused.value.run_id == run.run_id
        assert len((await store.get("ann", run.conversation_id))["messages"]) == 2

        await store.end(run.run_id, parts=[], state="error", frames=b"", last=0)
        again = await begun(store, "And now?", conversation_id=run.conversation_id)

    assert (again.title, again.title_is_new) == ("Why?", False)


async def test_conversations_run_beside_each_other() -> None:
    async with opened() as store:
        runs = [await begun(store, f"question {number}") for number in range(5)]
        for run in runs[1:]:
            await store.end(run.run_id, parts=said("done"), state="done", frames=b"", last=0)
        listed = await store.list("ann")

    assert [item["run_id"] for item in listed["conversations"]] == [None, None, None, None, runs[0].run_id]


async def test_a_repeated_request_is_the_same_run() -> None:
    async with opened() as store:
        first = await begun(store, request_id="r1")
        while_running = await begun(store, request_id="r1")
        await store.end(first.run_id, parts=[], state="done", frames=b"", last=0)
        afterwards = await begun(store, "Something else?", request_id="r1", conversation_id=first.conversation_id)
        listed = await store.list("ann")

    for again in (while_running, afterwards):
        assert (again.repeated, again.run_id, again.title_is_new) == (True, first.run_id, False)
        assert (again.user_message_id, again.message_id) == (first.user_message_id, first.message_id)
    assert len(listed["conversations"]) == 1


async def test_two_requests_at_once_with_one_id_start_one_run() -> None:
    async with opened() as store:
        runs = await asyncio.gather(*(begun(store, request_id="r1") for _ in range(8)))

    assert len({run.run_id for run in runs}) == 1
    assert [run.repeated for run in runs].count(False) == 1


async def test_a_request_id_belongs_to_its_owner() -> None:
    async with opened() as store:
        first = await begun(store, request_id="r1")
        other = await begun(store, request_id="r1", owner="bob")

    assert (other.repeated, other.conversation_id != first.conversation_id) == (False, True)


async def test_a_cancelled_begin_leaves_no_busy_conversation(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    async with opened(path) as store:
        first = await answered(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            asking = asyncio.create_task(begun(store, conversation_id=first.conversation_id))
            await asyncio.wait({asking}, timeout=0.05)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        again = await begun(store, conversation_id=first.conversation_id)

    assert again.conversation_id == first.conversation_id


async def test_what_was_never_begun_is_not_kept() -> None:
    async with opened() as store:
        await store.checkpoint("nobody", said("x"), b"x", 1)
        with pytest.raises(StoreUnavailable):
            await store.end("nobody", parts=[], state="done", frames=b"", last=1)
        assert await store.run("ann", "nobody") is None


# ------------------------------------------------------------ titles, the list, the archive


QUESTION = "Where is the mean of the residuals computed, and why does it"


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("  Why\n\tdoes\x00 this fail? ", "Why does this fail?"),
        (f"{QUESTION} differ?", f"{QUESTION}…"),
        ("x" * 100, "x" * 60 + "…"),
        ("é" * 60, "é" * 60),
        ("\n \x07", "Untitled"),
        ("one " * 15 + "two", "one " * 14 + "one…"),
    ],
)
async def test_the_title_is_the_start_of_the_first_question(question: str, title: str) -> None:
    async with opened() as store:
        run = await begun(store, question)

    assert run.title == title


async def test_an_empty_conversation_takes_the_title_of_its_first_question() -> None:
    async with opened() as store:
        empty, named = await store.create("ann"), await store.create("ann", " My\nanalysis ")
        first = await begun(store, "Why?", conversation_id=empty["id"])
        second = await begun(store, "Why?", conversation_id=named["id"])

    assert (empty["title"], empty["messages"], empty["run_id"]) == ("", [], None)
    assert (first.title, first.title_is_new) == ("Why?", True)
    assert (second.title, second.title_is_new) == ("My analysis", False)


@pytest.mark.parametrize("title", ["", " \n ", "x" * 201])
async def test_a_title_that_is_empty_or_too_long_is_refused(title: str) -> None:
    async with opened() as store:
        conversation = await store.create("ann", "kept")
        with pytest.raises(InvalidInput) as refused:
            await store.update("ann", conversation["id"], title=title)
        assert refused.value.field == "title"
        assert (await store.get("ann", conversation["id"]))["title"] == "kept"


async def test_pinned_come_first_then_the_newest_asked() -> None:
    async with opened() as store:
        runs = [await answered(store, f"q{number}") for number in range(4)]
        pinned = await store.update("ann", runs[1].conversation_id, pinned=True)
        await store.update("ann", runs[0].conversation_id, title="renamed")
        await answered(store, conversation_id=runs[2].conversation_id)
        listed = await store.list("ann")

    assert pinned["pinned"] is True
    assert [item["title"] for item in listed["conversations"]] == ["q1", "q2", "q3", "renamed"]
    assert set(listed["conversations"][0]) == {"id", "title", "created", "updated", "pinned", "run_id"}


async def test_older_conversations_are_archived_and_come_back() -> None:
    async with opened(unpinned_limit=3) as store:
        runs = [await answered(store, f"q{number}") for number in range(6)]
        await store.update("ann", runs[0].conversation_id, pinned=True)
        listed, archived = await store.list("ann"), await store.list("ann", archived=True)
        await answered(store, "again", conversation_id=runs[1].conversation_id)
        after = await store.list("ann")

    assert [item["title"] for item in listed["conversations"]] == ["q0", "q5", "q4", "q3"]
    assert ([item["title"] for item in archived["conversations"]], listed["archived"]) == (["q2", "q1"], 2)
    assert [item["title"] for item in after["conversations"]] == ["q0", "q1", "q5", "q4"]
    assert after["archived"] == 2


async def test_a_clock_that_goes_back_keeps_the_order() -> None:
    async with opened(clock=ticking(range(1_000_000, 0, -60))) as store:
        runs = [await answered(store, f"q{number}") for number in range(3)]
        listed = await store.list("ann")
        conversation = await store.get("ann", runs[0].conversation_id)

    assert [item["title"] for item in listed["conversations"]] == ["q2", "q1", "q0"]
    assert conversation["created"] <= conversation["updated"]
    assert [message["role"] for message in conversation["messages"]] == ["user", "assistant"]


# ------------------------------------------------------------ owners, deletion


CALLS: list[Callable[[Conversations, str, Begun], Awaitable[object]]] = [
    lambda store, owner, run: store.get(owner, run.conversation_id),
    lambda store, owner, run: store.update(owner, run.conversation_id, title="stolen", pinned=True),
    lambda store, owner, run: store.delete(owner, run.conversation_id),
    lambda store, owner, run: store.export(owner, run.conversation_id, "md"),
    lambda store, owner, run: store.export(owner, run.conversation_id, "json"),
    lambda store, owner, run: store.history(owner, run.conversation_id, 50),
    lambda store, owner, run: begun(store, owner=owner, conversation_id=run.conversation_id),
]


@pytest.mark.parametrize("call", CALLS)
async def test_another_owner_finds_nothing(call: Callable[[Conversations, str, Begun], Awaitable[object]]) -> None:
    async with opened() as store:
        run = await answered(store)
        before = await store.get("ann", run.conversation_id)
        with pytest.raises(NotFound):
            await call(store, "bob", run)
        assert await store.get("ann", run.conversation_id) == before
        assert await store.list("bob") == {"conversations": [], "archived": 0}
        assert await store.run("bob", run.run_id) is None


async def test_the_archive_of_one_owner_leaves_the_others_alone() -> None:
    async with opened(unpinned_limit=1, kept_logs=1) as store:
        mine = await answered(store)
        for _ in range(3):
            await answered(store, owner="bob")
        stored = await store.run("ann", mine.run_id)
        assert (await store.list("ann"))["archived"] == 0
        assert (await store.list("bob"))["archived"] == 2

    assert stored is not None
    assert stored.frames is not None


async def test_every_row_names_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    async with opened(path) as store:
        await answered(store)
    with closing(sqlite3.connect(path)) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        owners = {name: file.execute(f"SELECT DISTINCT owner FROM {name}").fetchall() for name in tables}

    assert owners == {name: [("ann",)] for name in ("conversations", "messages", "runs", "log")}


async def test_a_deleted_conversation_is_gone_from_the_file(tmp_path: Path) -> None:
    path, secrets = tmp_path / "conversations.sqlite", [os.urandom(12).hex() for _ in range(40)]
    async with opened(path) as store:
        kept = await answered(store, "kept", "also kept")
        run = await begun(store, f"title {secrets[0]}")
        for number, secret in enumerate(secrets):
            if number:
                run = await begun(store, secret, conversation_id=run.conversation_id)
            await store.checkpoint(run.run_id, said(secret * 2), b"", 0)
            await store.end(run.run_id, parts=said(secret * (1 + 40 * number)), state="done", frames=b"", last=0)
        assert all(secret.encode() in path.read_bytes() for secret in secrets)
        await store.delete("ann", run.conversation_id)
        with pytest.raises(NotFound):
            await store.get("ann", run.conversation_id)
        assert await store.run("ann", run.run_id) is None
        assert len((await store.get("ann", kept.conversation_id))["messages"]) == 2

    content = path.read_bytes()
    assert b"also kept" in content
    assert [secret for secret in secrets if secret.encode() in content] == []
    assert os.listdir(tmp_path) == [path.name]


async def test_a_conversation_with_a_running_answer_is_not_deleted() -> None:
    async with opened() as store:
        run = await begun(store)
        with pytest.raises(ConversationBusy) as refused:
            await store.delete("ann", run.conversation_id)
        await store.end(run.run_id, parts=[], state="cancelled", frames=b"", last=0)
        await store.delete("ann", run.conversation_id)

    assert refused.value.run_id == run.run_id


# ------------------------------------------------------------ what the model is given of it


async def test_history_is_the_newest_whole_exchanges_oldest_first() -> None:
    async with opened() as store:
        run = await answered(store, "q0", "a0")
        for number in range(1, 5):
            await answered(store, f"q{number}", f"a{number}", conversation_id=run.conversation_id)
        await begun(store, "running", conversation_id=run.conversation_id)
        history = await store.history("ann", run.conversation_id, 4)
        odd = await store.history("ann", run.conversation_id, 5)
        none = await store.history("ann", run.conversation_id, 0)

    assert history == [
        Message("user", "q3"),
        Message("assistant", "a3"),
        Message("user", "q4"),
        Message("assistant", "a4"),
    ]
    assert (odd, none) == (history, [])


@pytest.mark.parametrize("state", ["done", "cancelled", "interrupted", "error"])
async def test_history_has_what_an_answer_came_to_say(state: Any) -> None:
    parts = [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "so "}, {"type": "text", "text": "far"}]
    async with opened() as store:
        run = await begun(store, "q")
        await store.end(run.run_id, parts=parts, state=state, frames=b"", last=0)
        silent = await begun(store, "no answer", conversation_id=run.conversation_id)
        await store.end(silent.run_id, parts=parts[:1], state=state, frames=b"", last=0)
        history = await store.history("ann", run.conversation_id, 50)

    assert history == [Message("user", "q"), Message("assistant", "so far")]


# ------------------------------------------------------------ text of every kind


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b", "a\x00b"),
        ("lone \ud800 and \udfff", "lone � and �"),
        ("pair \ud83d\ude00", "pair 😀"),
        ("日本語 \u2028\u0085\x1b[0m \U0010ffff", "日本語 \u2028\u0085\x1b[0m \U0010ffff"),
        ("'; DROP TABLE messages; --", "'; DROP TABLE messages; --"),
        ("x" * 50_000, "x" * 50_000),
    ],
    ids=["nul", "lone surrogates", "surrogate pair", "unicode", "sql", "50 000 characters"],
)
async def test_text_survives(text: str, kept: str) -> None:
    async with opened() as store:
        run = await begun(store, text, model=text[:512], request_id=text)
        await store.end(run.run_id, parts=said(text), state="done", frames=text.encode("utf-8", "replace"), last=1)
        conversation = await store.get("ann", run.conversation_id)
        repeated = await begun(store, text, request_id=text)
        exports = [await store.export("ann", run.conversation_id, format) for format in ("md", "json")]

    assert [message["parts"] for message in conversation["messages"]] == [said(kept), said(kept)]
    assert conversation["messages"][1]["model"] == kept[:512]
    assert repeated.run_id == run.run_id
    assert all(json.dumps(export).isascii() and export[1].encode() for export in exports)


async def test_an_id_that_is_no_text_names_nothing() -> None:
    async with opened() as store:
        with pytest.raises(NotFound):
            await store.get("ann", "\ud800")
        with pytest.raises(NotFound):
            await begun(store, conversation_id="\ud800")
        assert store.state == {"state": "ok"}


# ------------------------------------------------------------ export


async def test_json_export_is_the_conversation_with_a_version() -> None:
    async with opened() as store:
        run = await answered(store, "Où est-ce?")
        name, text = await store.export("ann", run.conversation_id, "json")
        conversation = await store.get("ann", run.conversation_id)

    assert json.loads(text) == {"version": 1, **conversation}
    assert name == f"Ou-est-ce-{run.conversation_id[:8]}.json"


async def test_an_unknown_export_format_is_refused_by_name() -> None:
    async with opened() as store:
        run = await answered(store)
        with pytest.raises(InvalidInput) as refused:
            await store.export("ann", run.conversation_id, "pdf")

    assert refused.value.field == "format"


# ------------------------------------------------------------ how often it writes, what it keeps, what it leaves


async def test_checkpoints_that_come_faster_than_the_disk_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    async with opened(path) as store:
        runs = [await begun(store) for _ in range(3)]
        before = transactions(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for last in range(1, 501):
                for run in runs:
                    await store.checkpoint(run.run_id, said("x" * last), b"id: %d\n\n" % last, last)
        stored = [await store.run("ann", run.run_id) for run in runs]
        written = transactions(path) - before

    for found in stored:
        assert found is not None
        assert (found.last, found.snapshot["parts"]) == (500, said("x" * 500))
        assert found.frames == b"".join(b"id: %d\n\n" % last for last in range(1, 501))
    assert 1 <= written <= 4


async def test_parts_are_stored_as_they_were_at_the_call() -> None:
    parts = said("before")
    async with opened() as store:
        run = await begun(store)
        await store.checkpoint(run.run_id, parts, b"", 0)
        parts[0]["text"] = "after"
        stored = await store.run("ann", run.run_id)

    assert stored is not None
    assert stored.snapshot["parts"] == said("before")


async def test_events_of_old_runs_expire_and_their_messages_stay() -> None:
    async with opened(kept_logs=2) as store:
        runs = [await answered(store, answer=f"answer {number}") for number in range(4)]
        stored = [await store.run("ann", run.run_id) for run in runs]

    frames = [found.frames for found in stored if found]
    assert frames == [None, None, b"frames of answer 2", b"frames of answer 3"]
    assert [found.snapshot["parts"] for found in stored if found] == [said(f"answer {number}") for number in range(4)]
    assert [found.last for found in stored if found] == [9, 9, 9, 9]


async def test_events_beyond_the_size_expire_but_never_those_of_the_newest_or_a_running_run() -> None:
    noise = os.urandom(3000)
    async with opened(kept_log_bytes=5000) as store:
        running = await begun(store)
        await store.checkpoint(running.run_id, [], noise, 1)
        runs = [await begun(store) for _ in range(2)]
        for run in runs:
            await store.end(run.run_id, parts=[], state="done", frames=noise * 2, last=1)
        stored = [await store.run("ann", run.run_id) for run in (running, *runs)]

    assert [found.frames for found in stored if found] == [noise, None, noise * 2]


async def test_a_long_answer_with_its_events_takes_less_than_thrice_its_text(tmp_path: Path) -> None:
    path, random = tmp_path / "conversations.sqlite", Random(1)
    vocabulary = ["".join(random.choices("etaoinshrdlu", k=random.randint(2, 9))) + " " for _ in range(2_000)]
    words = random.choices(vocabulary, k=60_000)
    async with opened(path) as store:
        run = await begun(store)
        for last in range(60, 60_001, 60):
            numbered = enumerate(words[last - 60 : last], start=last - 59)
            frames = "".join(f'id: {n}\nevent: token\ndata: {{"text":"{word}"}}\n\n' for n, word in numbered)
            await store.checkpoint(run.run_id, said("so far"), frames.encode(), last)
        await store.end(run.run_id, parts=said("".join(words)), state="done", frames=b"", last=60_000)

    assert path.stat().st_size < 3 * len("".join(words))


async def test_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "conversations.sqlite"
    async with opened(path) as store:
        await answered(store)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    async with opened(path) as store:
        assert len((await store.list("ann"))["conversations"]) == 1

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_file_is_kept_as_the_design_says(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = WAL")
    async with opened(path) as store:
        await answered(store)
        assert os.listdir(tmp_path) == [path.name]
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_nothing_is_left_after_close(tmp_path: Path) -> None:
    before, files = threading.active_count(), open_files()
    async with opened(tmp_path / "conversations.sqlite") as store:
        await answered(store)
        assert threading.active_count() == before + 1
    await store.close()

    assert (threading.active_count(), open_files()) == (before, files)
    for call in (store.list("ann"), store.create("ann"), begun(store)):
        with pytest.raises(StoreUnavailable):
            await call
    assert threading.active_count() == before


def open_files() -> list[str]:
    folder = Path("/proc/self/fd")
    return sorted(os.readlink(file) for file in folder.iterdir() if file.is_symlink()) if folder.exists() else []


async def test_close_ends_what_still_runs_as_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    async with opened(path) as store:
        run = await begun(store)
        await store.checkpoint(run.run_id, said("half"), b"id: 1\n\n", 1)
    async with opened(path) as store:
        stored = await store.run("ann", run.run_id)
        await answered(store, conversation_id=run.conversation_id)

    assert stored is not None
    assert (stored.state, stored.snapshot["state"], stored.snapshot["parts"]) == (
        "interrupted",
        "interrupted",
        said("half"),
    )
    assert (stored.last, stored.frames) == (
        2,
        b'id: 1\n\nid: 2\nevent: done\ndata: {"reason":"interrupted"}\n\n',
    )


async def test_a_run_interrupted_before_its_first_checkpoint_can_be_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    async with opened(path) as store:
        run = await begun(store)
    async with opened(path) as store:
        stored = await store.run("ann", run.run_id)

    started = {"run_id": run.run_id, "conversation_id": run.conversation_id, "model": "p/m"}
    data = json.dumps(started, separators=(",", ":"))
    assert stored is not None
    assert stored.frames is not None
    assert stored.frames.decode().split("\n\n") == [
        f"id: 1\nevent: run\ndata: {data}",
        'id: 2\nevent: done\ndata: {"reason":"interrupted"}',
        "",
    ]


async def test_the_store_opens_itself_at_the_first_call(tmp_path: Path) -> None:
    store = Conversations(tmp_path / "conversations.sqlite", log=LOG)
    assert not (tmp_path / "conversations.sqlite").exists()
    run = await answered(store)
    assert len((await store.get("ann", run.conversation_id))["messages"]) == 2
    await store.close()
