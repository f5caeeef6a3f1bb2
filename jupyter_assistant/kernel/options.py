"""What is written behind ``%ask``: options, a command or a question; pure.

The law: what is no option is text and stays as it was written; a wrong option is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from keyword import iskeyword
from typing import Any

from ..errors import InvalidInput

CONTEXTS = ("none", "cell", "notebook", "workspace")
FORMATS = ("markdown", "code", "json")
COMMANDS = ("fix", "again", "models", "use", "history", "help")
FLAGS = ("--fresh", "--insert", "--quiet")
VALUES = ("--model", "--context", "--format", "--var")
OPTIONS = (*FLAGS, *VALUES, "-f")

HELP = """\
**`%ask question`** asks the assistant about this notebook; **`%%ask`** takes the whole cell as the question.

| | |
|---|---|
| `--model NAME` | ask this model (`%ask models` lists them) |
| `--fresh` | begin a new conversation; else the last one goes on |
| `--context none`, `cell`, `notebook`, `workspace` | what goes with the question; `notebook` by default |
| `-f markdown`, `code`, `json` | the whole answer, its code only, or one JSON value |
| `--insert` | put the answer's code into a new cell below |
| `--var NAME`, or `NAME = %ask …` | keep the result in a variable |
| `--quiet` | show nothing |
| `--` | what follows is the question, whatever it looks like |

`%ask fix` explains the last error and puts the mended cell below · `%ask again` repeats the last question · \
`%ask models` · `%ask use MODEL` for the rest of this session · `%ask history` · `%ask help`

`{name}`, `$name`, `{df.attribute}`, `{rows[0]}` bring a variable along; `{In[3]}`, `{Out[3]}`, `{Err[3]}` a cell's \
source, result or error. Dataframes, arrays and figures go as digests. Other braces stay text.

`_answer` holds the last answer: `_answer.text`, `.code`, `.sources`, `.usage`. From code: \
`from jupyter_assistant import ask, stream`."""

_WORD = re.compile(r"\s*(\S+)")
_NAME_HINT = "Give it a Python name, as in --var result."


@dataclass(frozen=True, slots=True)
class Line:
    """What was asked for: a ``command`` with its ``argument``, or a ``question`` (empty when nothing was written)."""

    question: str = ""
    command: str = ""
    argument: str = ""
    model: str | None = None
    fresh: bool = False
    context: str = "notebook"
    format: str = "markdown"
    insert: bool = False
    var: str = ""
    quiet: bool = False


def parse(line: str, body: str | None = None) -> Line:
    """The line of a magic, and the body of a cell's. Raises InvalidInput naming the option that is wrong.

    Options stand first; those with two dashes may also stand last. ``--`` ends them.
    """
    options, text, literal = _leading(Line(), line)
    if body is None and not literal:
        options, text = _trailing(options, text)
    text = "\n\n".join(part for part in (text.strip(), (body or "").strip("\n")) if part.strip())
    if body is None and not literal:
        word, _, argument = text.partition(" ")
        argument = argument.strip()
        if word in COMMANDS and (bool(argument) == (word == "use")) and " " not in argument:
            return replace(options, command=word, argument=argument)
    return replace(options, question=text)


def _leading(options: Line, text: str) -> tuple[Line, str, bool]:
    """The options that stand first, the text behind them, and whether ``--`` says that it is nothing else."""
    while (found := _WORD.match(text)) and found[1].startswith("-"):
        word = found[1]
        if word == "--":
            return options, text[found.end() :], True
        name, _, value = word.partition("=")
        if name not in OPTIONS:
            if re.fullmatch(r"--?[A-Za-z][\w-]*", name) is None:
                break  # a number, a bullet, an arrow: text
            raise InvalidInput(name, "is not an option of %ask.", f"Options are {', '.join(OPTIONS)}; -- ends them.")
        options, text = _taken(options, name, value, text[found.end() :])
    return options, text, False


def _trailing(options: Line, text: str) -> tuple[Line, str]:
    """Options at the end of a question; anything else with dashes is part of it."""
    words = text.split()
    while words:
        if words[-1] in FLAGS or (words[-1].partition("=")[0] in VALUES and "=" in words[-1]):
            name, _, value = words[-1].partition("=")
            count = 1
        elif len(words) > 1 and words[-2] in VALUES:
            name, value, count = words[-2], words[-1], 2
        else:
            return options, text
        options, _ = _taken(options, name, value, "")
        del words[-count:]
        text = _without(text, count)
    return options, text


def _without(text: str, words: int) -> str:
    """The text without its last words, the rest as it was written."""
    for _ in range(words):
        text = re.sub(r"\S+\s*$", "", text)
    return text


def _taken(options: Line, name: str, value: str, rest: str) -> tuple[Line, str]:
    """The options with one more, and the text behind it."""
    if name in FLAGS:
        if value:
            raise InvalidInput(name, "takes no value.", f"Write {name} alone.")
        set_now: dict[str, Any] = {name[2:]: True}
        return replace(options, **set_now), rest
    if not value:
        found = _WORD.match(rest)
        if found is None:
            raise InvalidInput(name, "needs a value.", _VALUE_HINTS[name])
        value, rest = found[1], rest[found.end() :]
    field, check = _CHECKS[name]
    return replace(options, **{field: check(name, value)}), rest


def _one_of(choices: tuple[str, ...]) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if value not in choices:
            raise InvalidInput(
                name, f"must be one of {', '.join(choices)}, not {value[:40]!r}.", "Leave it out for the usual."
            )
        return value

    return check


def _name(name: str, value: str) -> str:
    if not value.isidentifier() or iskeyword(value):
        raise InvalidInput(name, f"{value[:40]!r} is no Python name.", _NAME_HINT)
    return value


def _any(name: str, value: str) -> str:
    return value


_CHECKS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "--model": ("model", _any),
    "--context": ("context", _one_of(CONTEXTS)),
    "--format": ("format", _one_of(FORMATS)),
    "-f": ("format", _one_of(FORMATS)),
    "--var": ("var", _name),
}
_VALUE_HINTS = {
    "--model": "Name a model; %ask models lists them.",
    "--context": f"It is one of {', '.join(CONTEXTS)}.",
    "--format": f"It is one of {', '.join(FORMATS)}.",
    "-f": f"It is one of {', '.join(FORMATS)}.",
    "--var": _NAME_HINT,
}
