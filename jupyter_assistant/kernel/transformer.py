"""Questions that end in ``?``: IPython would take such a line for a request for help before a magic sees it.

The law: only lines whose statement is ``%ask …`` are touched, never text inside a string, never ``%ask?`` itself.
"""

from __future__ import annotations

import re
from typing import Any

_LIKE = re.compile(r"^\s*%ask[ \t]", re.MULTILINE)


def keep_questions(lines: list[str]) -> list[str]:
    """The lines of a cell with each ``%ask question?`` written as the call of the magic."""
    if not any(_LIKE.match(line) for line in lines) or lines[0].startswith("%%"):
        return lines  # a cell's magic has its body to itself
    from IPython.core import inputtransformer2 as ipython

    while (start := _first(ipython.make_tokens_by_line(lines))) is not None:
        row, column = start
        end = ipython.find_end_of_continued_line(lines, row)
        whole = ipython.assemble_continued_line(lines, (row, column), end)
        question = whole[len("%ask") :].strip()
        call = f"{lines[row][:column]}get_ipython().run_line_magic('ask', {question!r})\n"
        lines = [*lines[:row], call, *lines[end + 1 :]]
    return lines


def _first(tokens_by_line: list[list[Any]]) -> tuple[int, int] | None:
    """Row and column of the first statement that is ``%ask …``."""
    for tokens in tokens_by_line:
        at = next((at for at, token in enumerate(tokens) if token.string.strip()), None)
        if at is None or at + 1 >= len(tokens):
            continue
        sign, name = tokens[at], tokens[at + 1]
        if sign.string == "%" and name.string == "ask" and sign.end == name.start and _is_asked(name):
            return sign.start[0] - 1, sign.start[1]
    return None


def _is_asked(name: Any) -> bool:
    """Whether a blank follows, and something behind it."""
    rest = name.line[name.end[1] :]
    return rest[:1] in (" ", "\t") and bool(rest.strip(" \t\r\n"))
