"""Runs: numbered without gaps, joined, followed by any number of readers, stopped only on purpose."""

from __future__ import annotations

import asyncio
import json

import pytest

from jupyter_assistant import sse
from jupyter_assistant.errors import ConversationBusy, Gone
from jupyter_assistant.extension.composition import entries
from jupyter_assistant.messages import Failed, Reason, Reasoning, RunStarted, Source, Sources, Status, Token, Usage
from jupyter_assistant.runs import Entry, Finished, Run, Runs


def a_run(**options: float | int) -> Run:
    return Run("r1", "c1", "local", sse.encode, **options)  # type: ignore[arg-type]


def data(found: list[Entry]) -> list[tuple[int, str, object]]:
    decoded = [event for entry in found for event in sse.Decoder().feed(entry.frame)]
    return [(int(event.id), event.event, json.loads(event.data)) for event in decoded]


def end(run: Run, reason: Reason = "stop") -> None:
    run.seal(reason)
    run.publish()


async def follow(run: Run, after: int = 0) -> list[Entry]:
    found: list[Entry] = []
    while not (run.ended and after >= run.last):
        new = await run.next(after)
        found += new
        after = new[-1].number if new else after
    return found


async def test_events_are_numbered_without_gaps() -> None:
    run = a_run(join_seconds=0.0)
    run.emit(RunStarted("r1", "c1", "m"))
    for text in "abc":
        run.emit(Token(text))
    end(run)
    assert data(run.entries()) == [
        (1, "run", {"run_id": "r1", "conversation_id": "c1", "model": "m"}),
        (2, "token", {"text": "a"}),
        (3, "token", {"text": "b"}),
        (4, "token", {"text": "c"}),
        (5, "done", {"reason": "stop"}),
    ]


async def test_fast_tokens_are_joined_before_they_are_numbered_and_none_is_lost() -> None:
    run = a_run(join_seconds=10.0)
    for number in range(1000):
        run.emit(Token(f"{number} "))
    end(run)
    found = data(run.entries())
    assert [(number, name) for number, name, _ in found] == [(1, "token"), (2, "token"), (3, "done")]
    assert run.transcript.text == "".join(f"{number} " for number in range(1000))


async def test_the_first_token_and_slow_tokens_leave_at_once() -> None:
    run = a_run(join_seconds=0.005)
    run.emit(Token("a"))
    assert run.last == 1
    run.emit(Token("b"))
    assert run.last == 1
    assert data(await run.next(1)) == [(2, "token", {"text": "b"})]


async def test_another_event_takes_waiting_tokens_along_first() -> None:
    run = a_run(join_seconds=10.0)
    for event in (Token("a"), Token("b"), Reasoning("c"), Reasoning("d"), Token("e"), Status("s")):
        run.emit(event)
    assert [(name, content) for _, name, content in data(run.entries())] == [
        ("token", {"text": "a"}),
        ("token", {"text": "b"}),
        ("reasoning", {"text": "cd"}),
        ("token", {"text": "e"}),
        ("status", {"text": "s"}),
    ]


async def test_two_readers_and_a_late_one_see_the_same_log() -> None:
    run = a_run(join_seconds=0.0)
    readers = [asyncio.create_task(follow(run)) for _ in range(2)]
    for number in range(50):
        run.emit(Token(str(number)))
        await asyncio.sleep(0)
    end(run)
    first, second = await asyncio.gather(*readers)
    assert first == second == await follow(run)
    assert await follow(run, after=30) == first[30:]


async def test_done_is_shown_only_when_published_but_is_in_the_frames_for_the_store() -> None:
    run = a_run()
    run.emit(Token("a"))
    run.seal("stop")
    assert not run.ended
    assert [entry.name for entry in run.entries()] == ["token"]
    frames, last = run.frames(1)
    assert (last, data(entries(frames))) == (2, [(2, "done", {"reason": "stop"})])
    run.publish()
    assert run.frames(2) == (b"", 2)


async def test_nothing_comes_after_done() -> None:
    run = a_run()
    end(run)
    with pytest.raises(RuntimeError):
        run.emit(Token("late"))


async def test_waiting_ends_with_the_clock() -> None:
    assert await a_run().next(0, timeout=0.01) == []


async def test_a_short_wait_is_not_held_back_by_a_longer_one() -> None:
    run = a_run()
    longer = asyncio.create_task(run.next(0, timeout=60.0))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(run.next(0, timeout=0.01), 10) == []
    run.emit(Token("text"))
    assert len(await longer) in (0, 1)
    assert [entry.number for entry in await run.next(0, timeout=60.0)] == [1]


@pytest.mark.parametrize("after", [2, 99, 10**17])
async def test_a_number_the_log_never_reached_is_gone_with_a_snapshot(after: int) -> None:
    run = a_run()
    run.emit(Token("text"))
    with pytest.raises(Gone) as raised:
        run.entries(after)
    assert raised.value.snapshot["parts"] == [{"type": "text", "text": "text"}]


async def test_a_log_over_its_size_forgets_the_oldest_and_keeps_the_text() -> None:
    run = a_run(join_seconds=0.0, log_bytes=2_000)
    for _ in range(200):
        run.emit(Token("0123456789"))
    with pytest.raises(Gone):
        run.entries(0)
    assert [entry.number for entry in run.entries(198)] == [199, 200]
    assert run.transcript.text == "0123456789" * 200


async def test_a_surrogate_from_a_model_breaks_nothing() -> None:
    run = a_run()
    run.emit(Token("\ud800"))
    assert data(run.entries()) == [(1, "token", {"text": "?"})]


async def test_the_transcript_keeps_what_a_message_keeps() -> None:
    run = a_run()
    run.emit(Status("not kept"))
    run.emit(Reasoning("because"))
    run.emit(Token("answer"))
    run.emit(Sources((Source("a.ipynb, cell 1", "a.ipynb", "lab/tree/a.ipynb", "x = 1", 1.0),)))
    run.emit(Usage(1, 2, 0.5))
    run.emit(Failed("gateway_cut", "cut", "again"))
    assert [part["type"] for part in run.transcript.parts()] == ["reasoning", "text", "sources", "usage", "error"]


async def test_a_stored_log_reads_like_the_run_it_came_from() -> None:
    run = a_run(join_seconds=0.0)
    for text in ("one", "zwei – drei", "line\nbreak\u2028"):
        run.emit(Token(text))
    end(run)
    stored = Finished("r1", "c1", entries(run.frames(0)[0]), {"state": "done"})
    assert stored.entries() == run.entries()
    assert stored.entries(2) == run.entries(2)
    with pytest.raises(Gone):
        Finished("r1", "c1", [], {"state": "done"}).entries()


async def worker(run: Run, runs: Runs, started: asyncio.Event) -> None:
    reason: Reason = "stop"
    try:
        started.set()
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        reason = runs.stop_reason(run)
    end(run, reason)


async def test_stop_cancels_and_waits_for_done_also_twice() -> None:
    runs, run, started = Runs(), a_run(), asyncio.Event()
    runs.start(run, worker(run, runs, started))
    await started.wait()
    await asyncio.gather(runs.stop(run), runs.stop(run))
    assert run.reason == "cancelled"
    await runs.stop(run)


async def test_a_run_stopped_before_its_first_step_still_ends() -> None:
    runs, run = Runs(), a_run()
    runs.start(run, worker(run, runs, asyncio.Event()))
    await runs.stop(run)
    assert run.reason == "cancelled"


async def test_closing_interrupts_what_runs() -> None:
    runs, run, started = Runs(), a_run(), asyncio.Event()
    runs.start(run, worker(run, runs, started))
    await started.wait()
    await runs.close()
    assert run.reason == "interrupted"


async def test_a_conversation_is_busy_while_it_is_answered() -> None:
    runs, run, started = Runs(), a_run(), asyncio.Event()
    runs.start(run, worker(run, runs, started))
    with pytest.raises(ConversationBusy) as raised:
        runs.refuse_if_busy("c1")
    assert raised.value.run_id == "r1"
    await runs.stop(run)
    runs.refuse_if_busy("c1")


async def test_an_ended_run_is_forgotten_after_its_time_and_another_owner_never_sees_it() -> None:
    runs, run = Runs(keep_seconds=0.0), a_run()
    runs.start(run, worker(run, runs, asyncio.Event()))
    assert runs.get("local", "r1") is run
    assert runs.get("user:eve", "r1") is None
    await runs.stop(run)
    assert runs.get("local", "r1") is None


async def test_a_stored_log_with_a_gap_is_replayed_from_after_it_and_never_across() -> None:
    run = a_run(join_seconds=0.0)
    for text in ("one", "two", "three"):
        run.emit(Token(text))
    end(run)
    log = run.entries()
    stored = Finished("r1", "c1", [log[0], *log[2:]], {"state": "done"})
    assert stored.entries(2) == log[2:]
    with pytest.raises(Gone):
        stored.entries(0)


async def test_a_deleted_conversations_runs_are_forgotten_but_not_one_that_is_running() -> None:
    runs, run, started = Runs(), a_run(), asyncio.Event()
    runs.start(run, worker(run, runs, started))
    await started.wait()
    runs.forget("c1")
    assert runs.get("local", "r1") is run
    await runs.stop(run)
    runs.forget("c1")
    assert runs.get("local", "r1") is None


async def test_a_reader_ahead_of_a_log_that_a_crash_cut_short_is_given_the_snapshot() -> None:
    run = a_run(join_seconds=0.0)
    for text in ("one", "two"):
        run.emit(Token(text))
    end(run, "interrupted")
    stored = Finished("r1", "c1", run.entries(), {"state": "interrupted"})
    assert [entry.name for entry in stored.entries(2)] == ["done"]
    with pytest.raises(Gone):
        stored.entries(3)


async def test_joined_tokens_never_become_an_event_that_a_reader_would_refuse() -> None:
    run = a_run(join_seconds=10.0)
    run.emit(Token("first"))
    for _ in range(100):
        run.emit(Token("x" * 10_000))
    end(run)
    assert max(len(entry.frame) for entry in run.entries()) < 100_000
    assert len(run.transcript.text) == 5 + 1_000_000
