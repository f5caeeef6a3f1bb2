"""Conversations where disks fill, files break, processes die and others hold the lock: nothing told as kept is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from jupyter_assistant.conversations import Begun, Conversations
from jupyter_assistant.conversations.database import migrate, user_version
from jupyter_assistant.conversations.process import SILENCE, Process, is_over
from jupyter_assistant.conversations.schema import MIGRATIONS
from jupyter_assistant.errors import ConversationBusy, NotFound, StoreUnavailable

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).parent.parent


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[Conversations]:
    store = Conversations(path, log=LOG, **options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def begun(store: Conversations, text: str = "Why?", **fields: Any) -> Begun:
    fields = {"conversation_id": None, "request_id": None, "run_id": os.urandom(16).hex(), "model": "p/m"} | fields
    return await store.begin("ann", text=text, **fields)


async def answered(store: Conversations, text: str = "Why?", answer: str = "Because.", **fields: Any) -> Begun:
    run = await begun(store, text, **fields)
    await store.end(run.run_id, parts=said(answer), state="done", frames=b"frames", last=9)
    return run


def said(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "conversations.sqlite"


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield other


@contextmanager
def child(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process with the package at hand, ended and waited for."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    assert process.stdout is not None
    return (line.split() for line in process.stdout if line.endswith("\n"))


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def integrity(path: Path) -> object:
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        return file.execute("PRAGMA integrity_check").fetchone()[0]


def set_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.corrupt-*"))


async def fill(store: Conversations, count: int = 6) -> list[Begun]:
    return [await answered(store, f"question {number}", f"answer {number} " * 400) for number in range(count)]


# ------------------------------------------------------------ processes that die, and others on the same file

STREAMING = """
import asyncio, logging, os, sys
from pathlib import Path
from jupyter_assistant.conversations import Conversations

def tell(*words):
    print(*words, flush=True)

async def main():
    store = Conversations(Path(sys.argv[1]), log=logging.getLogger())
    await store.open()
    conversation_id = None
    for number in range(10_000):
        run = await store.begin("ann", conversation_id=conversation_id, request_id=None,
                                run_id=os.urandom(16).hex(), model="m", text=f"question {number}")
        tell("begun", run.conversation_id, run.message_id, run.run_id, 0)
        for step in range(1, 6):
            text = "word " * step * 200
            await store.checkpoint(run.run_id, [{"type": "text", "text": text}], b"id: %d\\n\\n" % step, step)
            await store.run("ann", run.run_id)
            tell("kept", run.conversation_id, run.message_id, run.run_id, len(text))
        await store.end(run.run_id, parts=[{"type": "text", "text": text}], state="done", frames=b"id: 6\\n\\n", last=6)
        tell("ended", run.conversation_id, run.message_id, run.run_id, len(text))
        conversation_id = run.conversation_id if number % 3 else None

asyncio.run(main())
"""


async def test_kill_in_the_middle_of_streaming_loses_nothing_acknowledged(path: Path) -> None:
    random, told = Random(7), dict[str, list[str]]()
    for _ in range(15):
        with child(STREAMING, path) as process:
            acknowledged = lines(process)
            for line in (next(acknowledged) for _ in range(random.randint(1, 60))):
                told[line[3]] = line
            process.kill()
            told |= {line[3]: line for line in acknowledged}

        async with opened(path, unpinned_limit=10_000) as store:
            assert store.state == {"state": "ok"}
            listed = await store.list("ann")
            assert [item["run_id"] for item in listed["conversations"] if item["run_id"]] == []
            for word, conversation_id, message_id, run_id, chars in told.values():
                stored = await store.run("ann", run_id)
                assert stored is not None
                assert (stored.conversation_id, stored.message_id) == (conversation_id, message_id)
                # Between an acknowledgement and the kill one more step may have been made.
                assert stored.state == "done" if word == "ended" else stored.state in ("interrupted", "done")
                assert len("".join(part["text"] for part in stored.snapshot["parts"])) >= int(chars)
                if stored.state == "interrupted":
                    assert stored.frames is not None
                    last = f'id: {stored.last}\nevent: done\ndata: {{"reason":"interrupted"}}\n\n'
                    assert stored.frames.endswith(last.encode())
        assert integrity(path) == "ok"
    assert len(told) > 15


async def test_the_runs_of_another_server_that_lives_are_left_alone_until_it_dies(path: Path) -> None:
    script = STREAMING.replace("for step in range(1, 6):", "for step in sys.stdin:\n            step = 1")
    with child(script, path) as process:
        _, conversation_id, _, run_id, _ = next(lines(process))
        async with opened(path) as store:
            assert (await store.get("ann", conversation_id))["run_id"] == run_id
            with pytest.raises(ConversationBusy):
                await begun(store, conversation_id=conversation_id)
            await answered(store)

            process.kill()
            process.wait()
            conversation = await store.get("ann", conversation_id)
            assert (conversation["run_id"], conversation["messages"][1]["state"]) == (None, "interrupted")
            await answered(store, conversation_id=conversation_id)


async def test_a_run_wrongly_taken_for_over_still_keeps_its_text(path: Path) -> None:
    async with opened(path) as store:
        run = await begun(store)
        await store.checkpoint(run.run_id, said("half"), b"id: 1\n\n", 1)
        await store.run("ann", run.run_id)
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE runs SET server = 'nobody'")
        async with opened(path) as other:
            found = await other.run("ann", run.run_id)
            assert found is not None
            assert (found.state, found.last) == ("interrupted", 2)
        await store.end(run.run_id, parts=said("whole"), state="done", frames=b"id: 2\n\n", last=2)
        stored = await store.run("ann", run.run_id)

    assert stored is not None
    assert (stored.state, stored.snapshot["parts"], stored.frames) == ("done", said("whole"), None)


async def test_two_servers_write_into_one_file(path: Path) -> None:
    script = STREAMING.replace("range(10_000)", "range(12)")
    with child(script, path) as first, child(script, path) as second:
        told = [line for process in (first, second) for line in lines(process)]
    async with opened(path, unpinned_limit=100) as store:
        for run_id in {line[3] for line in told}:
            stored = await store.run("ann", run_id)
            assert stored is not None
            assert (stored.state, stored.frames) == ("done", b"".join(b"id: %d\n\n" % n for n in range(1, 7)))

    assert len({line[3] for line in told}) == 24
    assert integrity(path) == "ok"


def test_a_process_that_never_closes_the_store_ends_all_the_same(path: Path) -> None:
    with child(STREAMING.replace("range(10_000)", "range(1)"), path) as process:
        told = [line[0] for line in lines(process)]
        assert process.wait(timeout=30) == 0

    assert told[-1] == "ended"
    assert integrity(path) == "ok"


HERE = Process("host", "boot ns", 100, "4711", "aa")


@pytest.mark.parametrize(
    ("process", "silent_for", "over"),
    [
        (None, 0, True),
        (replace(HERE, token="bb"), 1e6, False),
        (replace(HERE, started="1", token="bb"), 0, True),
        (replace(HERE, space="boot2 ns"), 0, True),
        (replace(HERE, pid=2**22 + 1), 0, True),
        (replace(HERE, host="elsewhere"), SILENCE - 1, False),
        (replace(HERE, host="elsewhere"), SILENCE + 1, True),
        (replace(HERE, host="elsewhere"), -SILENCE - 1, True),
    ],
    ids=["damaged", "same process", "pid used again", "rebooted", "dead", "elsewhere", "silent", "clock went back"],
)
def test_a_process_is_over_when_it_is_dead_or_long_silent(
    process: Process | None, silent_for: float, over: bool
) -> None:
    assert is_over(process, HERE, silent_for) is over


def test_a_living_process_is_told_from_a_later_one_with_its_pid() -> None:
    here = Process.current()
    with child("input()") as living:
        if not (stat_of_child := Path(f"/proc/{living.pid}/stat")).exists():
            pytest.skip("needs /proc")
        started = stat_of_child.read_text().rpartition(")")[2].split()[19]
        assert is_over(replace(here, pid=living.pid, started=started), here, 1e6) is False
        assert is_over(replace(here, pid=living.pid, started="1"), here, 0) is True
        living.kill()
        os.waitid(os.P_PID, living.pid, os.WEXITED | os.WNOWAIT)
        assert is_over(replace(here, pid=living.pid, started=started), here, 0) is True, "a zombie is dead"


def test_a_process_survives_its_text() -> None:
    here = Process.current()

    assert Process.parse(str(here)) == here
    assert Process.parse("{}") is Process.parse("[1]") is Process.parse("\x00") is None


# ------------------------------------------------------------ locked, full, read-only


async def test_a_short_lock_is_waited_for_and_the_loop_goes_on(path: Path) -> None:
    async with opened(path) as store:
        with locked(path):
            asking = asyncio.create_task(answered(store))
            await asyncio.wait({asking}, timeout=0.3)
            assert not asking.done()
        run = await asking
        assert (await store.get("ann", run.conversation_id))["messages"][1]["state"] == "done"
        assert store.state == {"state": "ok"}


async def test_a_long_lock_is_an_error_of_that_call_and_the_end_of_an_answer_comes_later(path: Path) -> None:
    async with opened(path, busy_timeout=0.05) as store:
        run = await begun(store)
        with locked(path):
            await store.checkpoint(run.run_id, said("half"), b"id: 1\n\n", 1)
            with pytest.raises(StoreUnavailable, match="locked by another program"):
                await store.end(run.run_id, parts=said("whole"), state="done", frames=b"id: 2\n\n", last=2)
            for call in (begun(store), store.list("ann"), store.delete("ann", run.conversation_id)):
                with pytest.raises(StoreUnavailable):
                    await call
            assert store.state["state"] == "unavailable"
        await store.create("ann")
        stored = await store.run("ann", run.run_id)
        assert store.state == {"state": "ok"}

    assert stored is not None
    assert (stored.state, stored.snapshot["parts"], stored.frames) == ("done", said("whole"), b"id: 1\n\nid: 2\n\n")


async def test_the_end_of_an_answer_that_waits_is_written_at_close(path: Path) -> None:
    async with opened(path, busy_timeout=0.05) as store:
        run = await begun(store)
        with locked(path), pytest.raises(StoreUnavailable):
            await store.end(run.run_id, parts=said("whole"), state="done", frames=b"", last=0)
    async with opened(path) as store:
        stored = await store.run("ann", run.run_id)

    assert stored is not None
    assert (stored.state, stored.snapshot["parts"]) == ("done", said("whole"))


async def test_a_store_that_was_locked_while_opening_opens_later(path: Path) -> None:
    async with opened(path) as store:
        run = await answered(store)
    store = Conversations(path, log=LOG, busy_timeout=0.05)
    with locked(path):
        await store.open()
        assert store.state["state"] == "unavailable"
    assert len((await store.get("ann", run.conversation_id))["messages"]) == 2
    assert store.state == {"state": "ok"}
    await store.close()


async def test_a_full_disk_fails_the_write_and_nothing_else(path: Path) -> None:
    async with opened(path, max_bytes=400_000) as store:
        first = await answered(store, "first", "x" * 100_000)
        run = await begun(store, "second")
        with pytest.raises(StoreUnavailable, match="no space left"):
            await store.end(run.run_id, parts=said("y" * 300_000), state="done", frames=b"id: 1\n\n", last=1)
        assert store.state["state"] == "unavailable"
        with pytest.raises(StoreUnavailable):
            await begun(store, "third")
        assert len((await store.get("ann", first.conversation_id))["messages"]) == 2
        assert store.state["state"] == "unavailable", "a read that works makes no room"

        await store.delete("ann", first.conversation_id)
        third = await begun(store, "third")
        stored = await store.run("ann", run.run_id)
        assert stored is not None
        assert (stored.state, stored.snapshot["parts"]) == ("done", said("y" * 300_000))
        assert store.state == {"state": "ok"}
        await store.end(third.run_id, parts=[], state="done", frames=b"", last=0)
    assert integrity(path) == "ok"


async def test_a_conversation_whose_end_waits_can_be_deleted(path: Path) -> None:
    async with opened(path, max_bytes=200_000) as store:
        run = await begun(store)
        with pytest.raises(StoreUnavailable):
            await store.end(run.run_id, parts=said("y" * 300_000), state="done", frames=b"", last=0)
        await store.delete("ann", run.conversation_id)
        await answered(store)
        assert store.state == {"state": "ok"}


UNPRIVILEGED = """
import asyncio, json, logging, os, sys
from pathlib import Path
from jupyter_assistant.conversations import Conversations
from jupyter_assistant.errors import StoreUnavailable

async def main():
    store = Conversations(Path(sys.argv[1]), log=logging.getLogger("x"))
    await store.open()
    told = [store.state["state"]]
    for call in (store.list("ann"), store.create("ann", "x")):
        try:
            await call
            told.append("ok")
        except StoreUnavailable as error:
            told.append(error.text)
    await store.close()
    print(json.dumps([*told, store.state["state"]]))

if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
asyncio.run(main())
"""


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that users without rights may look into; pytest's own they may not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def unprivileged(path: Path) -> list[str]:
    with child(UNPRIVILEGED, path) as process:
        told, _ = process.communicate(timeout=60)
    return [str(word) for word in json.loads(told)]


@pytest.mark.skipif(os.name != "posix", reason="needs the modes of POSIX")
def test_a_read_only_folder_without_a_file_is_unavailable(elsewhere: Path) -> None:
    elsewhere.chmod(0o555)
    told = unprivileged(elsewhere / "conversations.sqlite")

    assert told[0] == told[3] == "unavailable"
    assert all(text.startswith("The conversations file cannot be opened: Permission denied") for text in told[1:3])
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs the modes of POSIX")
async def test_a_read_only_file_can_be_read(elsewhere: Path) -> None:
    path = elsewhere / "conversations.sqlite"
    async with opened(path) as store:
        await answered(store)
    path.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    before = read(path)
    told = unprivileged(path)

    assert told == ["ok", "ok", "The conversations file cannot be written.", "unavailable"]
    assert read(path) == before
    assert os.listdir(elsewhere) == [path.name]


async def test_a_folder_in_the_place_of_the_file_is_unavailable_and_left_alone(path: Path) -> None:
    os.makedirs(path)
    write(path / "kept", b"")
    before = mode(path)
    async with opened(path) as store:
        assert store.state["state"] == "unavailable"
        with pytest.raises(StoreUnavailable):
            await begun(store)

    assert (os.listdir(path), mode(path)) == (["kept"], before)


async def test_a_place_that_cannot_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with opened(tmp_path / "file" / "conversations.sqlite") as store:
        with pytest.raises(StoreUnavailable) as failed:
            await begun(store)
        await store.checkpoint("unknown", [], b"", 0)

    assert str(tmp_path) not in failed.value.text + failed.value.hint + str(store.state)


async def test_a_pipe_in_the_place_of_the_file_is_unavailable(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    async with opened(path) as store:
        assert store.state["state"] == "unavailable"


# ------------------------------------------------------------ files that are damaged, of others, of other versions


def with_garbage_header(content: bytes) -> bytes:
    return b"\x8f\x01garbage" * 10 + content[100:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "garbage header": with_garbage_header,
    "zero header": lambda content: bytes(100) + content[100:],
    "all zero": lambda content: bytes(len(content)),
    "no database": lambda _: b"Dear diary,\n" * 1000,
    "100 bytes": lambda content: content[:100],
    "half": lambda content: content[: len(content) // 2],
    "in the middle of a page": lambda content: content[: len(content) // 2 + 1000],
    "zero schema": lambda content: content[:100] + bytes(3996) + content[4096:],
    "zero pages": lambda content: content[:8192] + bytes(len(content) - 8192),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_damaged_file_is_set_aside_and_said(path: Path, damage: Callable[[bytes], bytes]) -> None:
    async with opened(path) as store:
        await fill(store)
    damaged = damage(read(path))
    write(path, damaged)
    async with opened(path, clock=lambda: 1234.5) as store:
        assert store.state["state"] == "reset"
        assert f"{path.name}.corrupt-1234" in store.state["detail"]
        assert str(path.parent) not in store.state["detail"]
        run = await answered(store)
        assert len((await store.get("ann", run.conversation_id))["messages"]) == 2
        assert store.state["state"] == "reset", "until the next start"

    assert [file.read_bytes() for file in set_aside(path)] == [damaged]
    assert integrity(path) == "ok"
    assert mode(path) == 0o600


async def test_a_second_damaged_file_in_one_second_does_not_take_the_place_of_the_first(path: Path) -> None:
    for content in (b"first damage", b"second damage", b"third damage"):
        write(path, content)
        async with opened(path, clock=lambda: 1.0) as store:
            assert store.state["state"] == "reset"

    assert {file.read_bytes() for file in set_aside(path)} == {b"first damage", b"second damage", b"third damage"}


async def test_the_journal_is_set_aside_with_its_file(path: Path) -> None:
    async with opened(path) as store:
        await fill(store)
    with locked(path) as other:
        other.execute("PRAGMA cache_spill = 1")
        other.execute("PRAGMA cache_size = 1")
        other.execute("UPDATE messages SET parts = 'lost' || parts")
        journal, content = path.with_name(f"{path.name}-journal").read_bytes(), read(path)
    copy = path.parent / "copy" / path.name
    copy.parent.mkdir()
    # The journal cannot be rolled back: its header is there, its first page is not what was written.
    copy.write_bytes(with_garbage_header(content)[: len(content) // 2 + 7])
    copy.with_name(f"{copy.name}-journal").write_bytes(journal[:28] + bytes(len(journal) - 28))
    async with opened(copy, clock=lambda: 1.0) as store:
        assert store.state["state"] == "reset"
        await answered(store)

    assert not copy.with_name(f"{copy.name}-journal").exists()
    assert integrity(copy) == "ok"


@pytest.mark.parametrize("empty", [True, False], ids=["empty file", "no file"])
async def test_an_empty_or_missing_file_is_a_new_one(path: Path, empty: bool) -> None:
    if empty:
        write(path, b"")
    async with opened(path) as store:
        await answered(store)
        assert store.state == {"state": "ok"}

    assert set_aside(path) == []


async def test_damage_met_while_running_costs_one_call(path: Path) -> None:
    async with opened(path) as store:
        await fill(store)
        run = await begun(store, "running")
        content = read(path)
        write(path, b"\xff" * len(content))
        with pytest.raises(NotFound):
            await store.get("ann", run.conversation_id)
        assert store.state["state"] == "reset"
        await store.checkpoint(run.run_id, said("half"), b"", 0)
        with pytest.raises(StoreUnavailable, match="no longer in the file"):
            await store.end(run.run_id, parts=said("whole"), state="done", frames=b"", last=0)
        await answered(store)

    assert [file.read_bytes() for file in set_aside(path)] == [b"\xff" * len(content)]


async def test_a_file_taken_away_while_running_is_started_anew(path: Path) -> None:
    async with opened(path) as store:
        await fill(store)
        os.rename(path, path.with_name("backup"))
        run = await answered(store)
        assert len((await store.get("ann", run.conversation_id))["messages"]) == 2
        assert store.state == {"state": "ok"}

    assert integrity(path) == integrity(path.with_name("backup")) == "ok"
    assert set_aside(path) == []


@pytest.mark.parametrize("seed", range(50))
async def test_flipped_bits_cost_no_more_than_an_error(path: Path, seed: int) -> None:
    async with opened(path) as store:
        runs = await fill(store, 3)
        await begun(store, "left running")
    random, content = Random(seed), bytearray(read(path))
    for _ in range(1 + seed % 5):
        where = random.randrange(100) if seed % 4 == 0 else random.randrange(len(content))
        content[where] ^= 1 << random.randrange(8)
    write(path, bytes(content))

    async with opened(path) as store:
        if store.state["state"] in ("newer", "unavailable"):
            assert read(path) == content
        for run in runs:
            with suppress(StoreUnavailable, NotFound):
                assert len((await store.get("ann", run.conversation_id))["messages"]) <= 2
            with suppress(StoreUnavailable, NotFound):
                await store.export("ann", run.conversation_id, "md")
            with suppress(StoreUnavailable, NotFound, ConversationBusy):
                await answered(store, conversation_id=run.conversation_id)
            with suppress(StoreUnavailable, NotFound, ConversationBusy):
                await store.delete("ann", run.conversation_id)
        with suppress(StoreUnavailable):
            await store.list("ann")
        with suppress(StoreUnavailable):
            run = await answered(store)
            assert len((await store.get("ann", run.conversation_id))["messages"]) == 2
        assert store.state["state"] != "reset" or set_aside(path)


async def test_a_message_that_cannot_be_read_hides_no_other(path: Path) -> None:
    async with opened(path) as store:
        run = await answered(store)
        await answered(store, "And?", conversation_id=run.conversation_id)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE messages SET parts = CAST(x'5b7bff' AS TEXT) WHERE position = 2")
        file.execute("UPDATE messages SET parts = '[1]' WHERE position = 3")
        file.execute("UPDATE log SET data = x'00'")
    async with opened(path) as store:
        messages = (await store.get("ann", run.conversation_id))["messages"]
        stored = await store.run("ann", run.run_id)
        _, exported = await store.export("ann", run.conversation_id, "md")

    assert [message["parts"][0]["type"] for message in messages] == ["text", "error", "error", "text"]
    assert stored is not None
    assert stored.frames is None
    assert "could not be read" in exported


async def test_a_newer_file_is_left_as_it_is(path: Path) -> None:
    async with opened(path) as store:
        await answered(store)
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = read(path)
    async with opened(path) as store:
        assert store.state["state"] == "newer"
        assert "newer version" in store.state["detail"]
        for call in (store.list("ann"), begun(store)):
            with pytest.raises(StoreUnavailable, match="newer version"):
                await call

    assert read(path) == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("version", [0, 1])
async def test_the_file_of_another_program_is_left_as_it_is(path: Path, version: int) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE bookmarks (url TEXT)")
        file.execute(f"PRAGMA user_version = {version}")
    before = read(path)
    async with opened(path) as store:
        assert store.state == {
            "state": "unavailable",
            "detail": "The conversations file belongs to another program.",
        }
        with pytest.raises(StoreUnavailable):
            await begun(store)

    assert read(path) == before


# ------------------------------------------------------------ migrations

NEXT = ("ALTER TABLE conversations ADD COLUMN colour TEXT", "UPDATE conversations SET colour = 'blue'")


async def test_an_old_file_is_migrated_with_its_content(path: Path) -> None:
    async with opened(path) as store:
        run = await answered(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        migrate(file, (*MIGRATIONS, NEXT))
        migrate(file, (*MIGRATIONS, NEXT))
        assert user_version(file) == len(MIGRATIONS) + 1
        assert file.execute("SELECT id, colour FROM conversations").fetchall() == [(run.conversation_id, "blue")]


MIGRATING = """
import os, sqlite3, sys
from jupyter_assistant.conversations.database import migrate
from jupyter_assistant.conversations.schema import MIGRATIONS
file, done = sqlite3.connect(sys.argv[1], isolation_level=None), int(sys.argv[2])
file.create_function("die", 0, lambda: os._exit(9))
migrations = (*MIGRATIONS, tuple(sys.argv[3:]))
migrate(file, (*migrations[:done], (*migrations[done], "SELECT die()")))
"""


async def test_a_crash_in_the_middle_of_a_migration_leaves_the_version_before(path: Path) -> None:
    async with opened(path) as store:
        run = await answered(store)
    with child(MIGRATING, path, len(MIGRATIONS), *NEXT) as process:
        assert process.wait(timeout=30) == 9
    async with opened(path) as store:
        assert store.state == {"state": "ok"}
        assert len((await store.get("ann", run.conversation_id))["messages"]) == 2
    with closing(sqlite3.connect(path)) as file:
        assert user_version(file) == len(MIGRATIONS)
        assert "colour" not in [column[1] for column in file.execute("PRAGMA table_info(conversations)")]


async def test_a_crash_in_the_first_migration_leaves_a_file_that_opens(path: Path) -> None:
    path.parent.mkdir()
    with child(MIGRATING, path, 0) as process:
        assert process.wait(timeout=30) == 9
    async with opened(path) as store:
        await answered(store)
        assert store.state == {"state": "ok"}


async def test_two_servers_that_start_at_once_migrate_once(path: Path) -> None:
    stores = [Conversations(path, log=LOG) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(answered(store) for store in stores))
    listed = await stores[0].list("ann")
    await asyncio.gather(*(store.close() for store in stores))

    assert [store.state for store in stores] == [{"state": "ok"}] * 4
    assert len(listed["conversations"]) == 4
