"""The unified diff of two sources, as a person or a model reads it; pure.

The law: time is bounded: two long sources are compared by their common beginning and end alone.
"""

from __future__ import annotations

import difflib

LONG = 4_000
CONTEXT = 3


def unified(name: str, before: str, after: str) -> str:
    """The unified diff of the source of cell ``name``, empty where nothing differs; a last line end shows as a line."""
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    head = [f"--- cell {name}", f"+++ cell {name}"]
    if len(old) + len(new) > LONG:
        return "\n".join([*head, *_one_hunk(old, new)])
    return "\n".join([*head, *list(difflib.unified_diff(old, new, n=CONTEXT, lineterm=""))[2:]])


def _lines(source: str) -> list[str]:
    return source.split("\n") if source else []


def _one_hunk(old: list[str], new: list[str]) -> list[str]:
    """All that lies between the common beginning and the common end, as replaced."""
    first = _common(old, new)
    rest_old, rest_new = old[first:], new[first:]
    last = _common(rest_old[::-1], rest_new[::-1])
    start = max(0, first - CONTEXT)
    end = min(CONTEXT, last)
    gone, come = rest_old[: len(rest_old) - last], rest_new[: len(rest_new) - last]
    around = old[start:first], old[len(old) - last : len(old) - last + end]
    kept = len(around[0]) + len(around[1])
    return [
        f"@@ -{start + 1},{kept + len(gone)} +{start + 1},{kept + len(come)} @@",
        *(" " + line for line in around[0]),
        *("-" + line for line in gone),
        *("+" + line for line in come),
        *(" " + line for line in around[1]),
    ]


def _common(old: list[str], new: list[str]) -> int:
    pairs = zip(old, new, strict=False)
    return next((index for index, (left, right) in enumerate(pairs) if left != right), min(len(old), len(new)))
