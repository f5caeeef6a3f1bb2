"""Questions that end in ``?``: IPython would take such a line for a request for help before a magic sees it.

The law: only lines whose statement is ``%ask …``, or ``name = %ask …``, are touched; never text inside a string, never
``%ask?`` itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_LIKE = re.compile(r"^\s*(?:[^\W\d]\w*\s*=\s*)?%ask[ \t]")


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement that is ``%ask …`` or ``name = %ask …``: where it begins and where its sign is, rows from 0."""

    row: int
    column: int
    sign: int
    name: str = ""


def keep_questions(lines: list[str]) -> list[str]:
    """The lines of a cell with each ``%ask question?`` written as the call of the magic.

    ``name = %ask question`` is ``%ask --var name question``.
    """
    if not any(_LIKE.match(line) for line in lines) or lines[0].startswith("%%"):
        return lines  # a cell's magic has its body to itself
    from IPython.core import inputtransformer2 as ipython

    while (found := _first(ipython.make_tokens_by_line(lines))) is not None:
        end = ipython.find_end_of_continued_line(lines, found.row)
        whole = ipython.assemble_continued_line(lines, (found.row, found.sign), end)
        question = whole[len("%ask") :].strip()
        if found.name:
            question = f"--var {found.name} {question}"
        call = f"{lines[found.row][: found.column]}get_ipython().run_line_magic('ask', {question!r})\n"
        lines = [*lines[: found.row], call, *lines[end + 1 :]]
    return lines


def _first(tokens_by_line: list[list[Any]]) -> _Statement | None:
    """The first statement that asks."""
    for tokens in tokens_by_line:
        at = next((at for at, token in enumerate(tokens) if token.string.strip()), None)
        if at is None:
            continue
        start, begun = tokens[at], tokens[at:]
        name = start.string if [token.string for token in begun[1:3]] == ["=", "%"] else ""
        if name and not name.isidentifier():
            continue
        if _asks(begun[2:] if name else begun):
            sign = begun[2] if name else start
            return _Statement(start.start[0] - 1, start.start[1], sign.start[1], name)
    return None


def _asks(tokens: list[Any]) -> bool:
    """Whether ``%ask`` stands here, a blank follows, and something behind it."""
    if len(tokens) < 2:
        return False
    sign, name = tokens[:2]
    rest = name.line[name.end[1] :]
    is_asked = rest[:1] in (" ", "\t") and bool(rest.strip(" \t\r\n"))
    return bool(sign.string == "%" and name.string == "ask" and sign.end == name.start and is_asked)
