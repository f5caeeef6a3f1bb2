"""Quoting into Markdown: text of a notebook goes into an answer as text, never as markup.

The law: nothing quoted can close its fence or its code span, become a link, an image or a heading, or run on for long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_RUNS = re.compile(r"`+")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~@&$]|:(?=//)|(?<=www)\.)", re.IGNORECASE)
_LEADING = re.compile(r"^(\d{1,9})([.)])|^([-+=#])")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")
_PLAIN_CHARS = 300
_BLOCK_LINES = 12
_BLOCK_CHARS = 200


def code(text: str, most: int = 80) -> str:
    """A code span that shows ``text`` on one line, shortened to ``most`` characters."""
    line = _one_line(text, most)
    longest = max((len(run) for run in _RUNS.findall(line)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if not line or line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def plain(text: str) -> str:
    """``text`` on one line with every character that means something in Markdown escaped."""
    escaped = _SPECIAL.sub(r"\\\1", _one_line(text, _PLAIN_CHARS))
    return _LEADING.sub(lambda match: f"{match[1]}\\{match[2]}" if match[1] else f"\\{match[3]}", escaped)


def block(text: str, language: str = "", *, lines: int = _BLOCK_LINES) -> str:
    """A fenced block with the first ``lines`` of ``text``, on lines of its own and followed by a blank one."""
    whole = text.strip("\n").splitlines()
    shown = [line if len(line) <= _BLOCK_CHARS else f"{line[:_BLOCK_CHARS]}…" for line in whole[:lines]]
    if len(whole) > lines:
        shown.append(f"… {len(whole) - lines} more lines")
    body = "\n".join(shown)
    fence = "`" * max(3, *(len(run) + 1 for run in _RUNS.findall(body)), 3)
    return f"{fence}{language}\n{body}\n{fence}\n\n"


def listing(parts: Iterable[str], most: int = 12) -> str:
    """``a, b and c``; what goes past ``most`` is counted."""
    items = list(parts)
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def bullet(label: str, parts: Iterable[str], most: int = 12) -> str:
    """A list line with a bold label; empty without parts."""
    text = listing(parts, most)
    return f"- **{label}:** {text}\n" if text else ""


def _one_line(text: str, most: int) -> str:
    line = _SPACE.sub(" ", text[: 4 * most]).strip()
    return line if len(line) <= most else f"{line[: most - 1]}…"
