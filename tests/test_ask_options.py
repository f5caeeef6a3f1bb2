"""What is written behind ``%ask``: every option does something, what is no option is text, wrong ones are named."""

from __future__ import annotations

import pytest

from jupyter_assistant.errors import InvalidInput
from jupyter_assistant.kernel.options import COMMANDS, HELP, OPTIONS, Line, parse


def test_a_question_is_taken_as_it_was_written() -> None:
    text = "why does  d['a'] - {'b': 1} fail -- with --no-cache or -x, don't you think?"
    assert parse(text) == Line(question=text)


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("--model a/b:free", "model", "a/b:free"),
        ("--model=a/b", "model", "a/b"),
        ("--fresh", "fresh", True),
        ("--context none", "context", "none"),
        ("--context=cell", "context", "cell"),
        ("-f json", "format", "json"),
        ("--format code", "format", "code"),
        ("--insert", "insert", True),
        ("--var result", "var", "result"),
        ("--quiet", "quiet", True),
    ],
)
def test_each_option_is_read_before_the_question_and_behind_it(written: str, field: str, value: object) -> None:
    before = parse(f"{written} what is this?")
    assert (getattr(before, field), before.question) == (value, "what is this?")
    if not written.startswith("-f"):
        behind = parse(f"what is this? {written}")
        assert (getattr(behind, field), behind.question) == (value, "what is this?")


def test_several_options_may_stand_together() -> None:
    line = parse("--fresh -f code --var x write a loop --quiet --model m")
    assert line == Line("write a loop", model="m", fresh=True, format="code", var="x", quiet=True)


def test_a_short_option_behind_the_question_is_text() -> None:
    assert parse("what does rm -f code").question == "what does rm -f code"


def test_two_dashes_end_the_options() -> None:
    assert parse("-- --fresh is what? --quiet").question == "--fresh is what? --quiet"
    assert parse("--fresh -- fix") == Line(question="fix", fresh=True)


@pytest.mark.parametrize("text", ["-3 is what?", "-> what is this", "- a point", "--> arrow"])
def test_what_only_begins_with_a_dash_is_text(text: str) -> None:
    assert parse(text).question == text


@pytest.mark.parametrize(
    ("written", "field", "says"),
    [
        ("--nope x", "--nope", "not an option"),
        ("--context all x", "--context", "none, cell, notebook, workspace"),
        ("-f yaml x", "-f", "markdown, code, json"),
        ("--var 1x y", "--var", "no Python name"),
        ("--var class y", "--var", "no Python name"),
        ("--fresh=yes x", "--fresh", "takes no value"),
        ("--model", "--model", "needs a value"),
    ],
)
def test_a_wrong_option_is_refused_by_name(written: str, field: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        parse(written)
    assert refused.value.field == field


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "use"])
def test_a_command_stands_alone(command: str) -> None:
    assert parse(command).command == command
    assert parse(f"{command} the second loop").question == f"{command} the second loop"
    assert parse(command, "body").question == f"{command}\n\nbody"


def test_use_takes_a_model() -> None:
    assert (parse("use a/b").command, parse("use a/b").argument) == ("use", "a/b")
    assert parse("use").question == "use"


def test_a_cells_body_is_the_question_with_its_first_line() -> None:
    assert parse("--fresh Explain:", "x = {'a': 1}\n--quiet\n").question == "Explain:\n\nx = {'a': 1}\n--quiet"
    assert parse("", "\n  only the body?\n").question == "  only the body?"


def test_the_help_tells_every_option_and_command() -> None:
    for word in [*OPTIONS, *COMMANDS]:
        assert word in HELP or word == "--format"
