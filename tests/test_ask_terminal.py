"""``%ask`` in ``ipython``, in a pseudo-terminal: text as it comes, and our own lists without marks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import heeds_interrupts
from tests.gateway import Gateway, Reply, Request
from tests.test_ask_local import environ

pexpect: Any = pytest.importorskip("pexpect")


@pytest.fixture
def ipython(tmp_path: Path) -> Iterator[Any]:
    """``ipython`` in a pseudo-terminal; give it its environment."""
    started: list[Any] = []

    def start(given: dict[str, str]) -> Any:
        command = ["-m", "IPython", "--no-banner", "--colors=nocolor", "--simple-prompt", "--no-confirm-exit"]
        given = {**given, "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"}
        terminal = pexpect.spawn(
            sys.executable,
            command,
            env=given,
            encoding="utf-8",
            timeout=30,
            dimensions=(50, 200),
            preexec_fn=heeds_interrupts,
        )
        started.append(terminal)
        terminal.expect_exact("In [1]: ")
        terminal.sendline("%load_ext jupyter_assistant")
        terminal.expect_exact("In [2]: ")
        return terminal

    yield start
    for terminal in started:
        terminal.close(force=True)


def test_a_terminal_gets_the_text_as_it_comes(ipython: Any, gateway: Gateway) -> None:
    terminal = ipython(environ(gateway, "paced-60-60"))
    terminal.sendline("%ask what is this?")
    for word in ("word0 ", "word20 word21", "word59"):
        terminal.expect_exact(word)
    terminal.expect_exact("In [3]: ")
    assert "word59" not in terminal.before
    assert "**" not in terminal.before
    assert gateway.posts[-1].question.endswith("what is this?")
    terminal.sendline("x = 41")
    terminal.expect_exact("In [4]: ")
    terminal.sendline("%ask --model echo and {x}?")
    terminal.expect(r"and 41\?")
    assert "x = 41" in gateway.posts[-1].question


def test_a_terminal_shows_help_and_lists_without_marks(ipython: Any, gateway: Gateway) -> None:
    terminal = ipython(environ(gateway, "echo"))
    terminal.sendline("%ask help")
    terminal.expect_exact("  --model NAME                               ask this model (%ask models lists them)\r\n")
    terminal.expect_exact("In [3]: ")
    terminal.sendline("%ask models")
    terminal.expect_exact("- gateway/echo (in use)\r\n")
    terminal.expect_exact("In [4]: ")
    terminal.sendline("told = %ask --model status-401 hello?")
    terminal.expect_exact("start this program again.\r\n")
    terminal.expect_exact("In [5]: ")
    terminal.sendline("'told' in globals()")
    terminal.expect_exact("False")


def test_control_c_in_a_terminal_stops_the_model_and_keeps_the_text(ipython: Any, gateway: Gateway) -> None:
    terminal = ipython(environ(gateway, "paced-5000-50"))
    terminal.sendline("%ask go on")
    terminal.expect_exact("word9 ")
    terminal.sendintr()
    terminal.expect_exact("(stopped)")
    terminal.expect_exact("In [3]: ")
    assert "Traceback" not in terminal.before
    gateway.wait(lambda g: g.open == 0)


def test_without_a_model_the_built_in_responder_answers_from_the_session(ipython: Any) -> None:
    terminal = ipython(environ())
    terminal.sendline("total = 41")
    terminal.expect_exact("In [3]: ")
    terminal.sendline("%ask where is `total` computed?")
    terminal.expect_exact("total = 41")
    terminal.expect_exact("No language model is connected")
    terminal.expect_exact("In [4]: ")


def test_a_hostile_answer_does_not_command_the_terminal(ipython: Any, gateway: Gateway, tmp_path: Path) -> None:
    @gateway.play("hostile-text")
    async def hostile_text(reply: Reply, request: Request) -> None:
        await reply.head()
        await reply.delta(content="begin \x1b]0;owned\x07\x1b[2J end")
        await reply.finish()

    @gateway.play("hostile-error")
    async def hostile_error(reply: Reply, request: Request) -> None:
        await reply.error(400, "begin \x1b]0;owned\x07\x1b[2J end")

    given = environ(gateway, "hostile-text", TERM="dumb")
    terminal = ipython(given)
    for at, model in enumerate(("hostile-text", "hostile-error"), 3):
        terminal.sendline(f"%ask --model {model} hello")
        terminal.expect_exact(f"In [{at}]: ")
        assert "owned" in terminal.before
        assert "\x1b]" not in terminal.before
        assert "\x1b[2J" not in terminal.before
    command = ["-m", "jupyter_assistant.cli", "ask", "hello"]
    shell = pexpect.spawn(sys.executable, command, env=given, encoding="utf-8", cwd=tmp_path, timeout=30)
    shell.expect(pexpect.EOF)
    assert "]0;owned[2J end" in shell.before
    assert "\x1b" not in shell.before
    shell.close()
