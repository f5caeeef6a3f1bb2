"""Interrupting a cell that asks: what it stops, what it keeps, and that it cannot be had too often."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from tests.asking import Kernel, Ran, gateway, kernel, lab, loaded
from tests.gateway import Gateway, Reply, Request

__all__ = ["gateway", "kernel", "lab", "loaded"]


SLOW = """
import os, signal, time
class Slow:
    @property
    def part(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)
slow = Slow()
"""


def pressed(kernel: Kernel, times: int = 1, word: str = "word5") -> Callable[[Ran], bool]:
    """Interrupts so often when the answer has come to a word."""

    def press(ran: Ran) -> bool:
        if word not in ran.markdown:
            return False
        for _ in range(times):
            kernel.interrupt()
        return True

    return press


def test_pressing_again_and_again_loses_nothing(kernel: Kernel, gateway: Gateway) -> None:
    ran = kernel.run("%ask --context none --model paced-2000-50 go on", during=pressed(kernel, 4))
    assert (ran.status, ran.errors) == ("ok", [])
    assert "word5" in ran.markdown
    assert "\n\n*(stopped)*\n\n*gateway/paced-2000-50" in ran.markdown
    gateway.wait(lambda g: g.open == 0)
    assert kernel.value("1 + 1") == 2


def test_a_server_that_hangs_cannot_hold_the_kernel(kernel: Kernel) -> None:
    number = kernel.value("__import__('os').getpid()")
    ended = threading.Event()

    def press() -> None:
        while not ended.wait(0.2):
            os.kill(number, signal.SIGINT)

    presser = threading.Thread(target=press)

    def hang(ran: Ran) -> bool:
        if "word5" not in ran.markdown:
            return False
        kernel.lab.process.send_signal(signal.SIGSTOP)
        presser.start()
        return True

    try:
        ran = kernel.run("%ask --context none --model paced-2000-50 go on", during=hang)
    finally:
        ended.set()
        kernel.lab.process.send_signal(signal.SIGCONT)
        presser.join()
    assert "word5" in ran.markdown
    assert "*(stopped)*" in ran.markdown
    assert "site-packages" not in str(ran.outputs)
    kernel.run("%ask --fresh --context none --model prose and now?")


@pytest.mark.parametrize("line", ["%ask --context none --model paced-2000-50 go on {turn}?", "told = %ask go on"])
def test_an_interrupt_ends_a_loop_that_asks(kernel: Kernel, gateway: Gateway, line: str) -> None:
    kernel.run("%ask use paced-2000-50")
    ran = kernel.run(f"turns = []\nfor turn in range(9):\n    turns.append(turn)\n    {line}", during=pressed(kernel))
    assert [output["traceback"] for output in ran.outputs if "traceback" in output] == [["KeyboardInterrupt"]]
    assert ran.status == "error"
    assert "(stopped)" in ran.markdown
    assert kernel.value("turns") == [0]
    gateway.wait(lambda g: g.open == 0)


def test_what_came_before_a_silence_is_shown(kernel: Kernel, gateway: Gateway) -> None:
    @gateway.play("falls-silent")
    async def falls_silent(reply: Reply, request: Request) -> None:
        await reply.head()
        for n in range(5):
            await reply.delta(content=f"word{n} ")
        await reply.stall()

    ran = kernel.run("%ask --context none --model falls-silent go on", during=pressed(kernel, word="word4"))
    assert "word4\n\n*(stopped)*" in ran.markdown


def test_an_interrupt_before_the_question_is_sent_shows_nothing_of_ours(kernel: Kernel, gateway: Gateway) -> None:
    kernel.run(SLOW)
    ran = kernel.run("%ask what is {slow.part}?")
    assert [output["traceback"] for output in ran.outputs if "traceback" in output] == [["KeyboardInterrupt"]]
    assert all("slow.part" not in post.question for post in gateway.posts)
