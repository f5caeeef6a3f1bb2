"""What of a text or of a cell's outputs has to change so that the rest stays as others have it; pure.

The law: a change touches only what differs. What somebody types in the same cell at the same moment merges with it,
and a page that shows the outputs keeps those that stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

Json = dict[str, Any]

LONG = 4_000
"""Lines above which two sources are compared by their common beginning and end alone."""
LARGEST = 2**53
"""A browser holds no larger whole number exactly, and a shared document would give it one that is no JSON."""


class Hunk(NamedTuple):
    """``text`` in the place of what stands from ``start`` to ``end``, in bytes of the old text's UTF-8."""

    start: int
    end: int
    text: str


# ---------------------------------------------------------------- texts


def hunks(before: str, after: str) -> tuple[Hunk, ...]:
    """What makes ``after`` of ``before``, in order; none overlap."""
    found = []
    at, place = 0, 0
    for start, end, text in _blocks(before, after):
        start, end, text = _trimmed(before, start, end, text)
        if start == end and not text:
            continue
        place += len(before[at:start].encode())
        size = len(before[start:end].encode())
        found.append(Hunk(place, place + size, text))
        at, place = end, place + size
    return tuple(found)


def _blocks(before: str, after: str) -> Iterator[tuple[int, int, str]]:
    """Places in characters of ``before`` where lines differ, and the lines to stand there."""
    old, new = before.splitlines(True), after.splitlines(True)
    if len(old) + len(new) > LONG:
        yield 0, len(before), after
        return
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    for kind, first, last, left, right in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield starts[first], starts[last], "".join(new[left:right])


def _trimmed(before: str, start: int, end: int, text: str) -> tuple[int, int, str]:
    same = common(before[start:end], text)
    start, text = start + same, text[same:]
    same = common(before[start:end][::-1], text[::-1])
    return start, end - same, text[: len(text) - same]


def common(left: str, right: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


# ---------------------------------------------------------------- outputs


def overlap(old: Sequence[Json], new: Sequence[Json]) -> tuple[int, str]:
    """How many of the outputs stay, and the text that is to be added to the last of those that do.

    Only the end of the last stream grows: a page takes whatever else comes for a new output behind the others.
    """
    pairs = zip(old, new, strict=False)
    kept = next((at for at, (was, now) in enumerate(pairs) if was != now), min(len(old), len(new)))
    if kept != len(old) - 1 or kept >= len(new):
        return kept, ""
    was, now = old[kept], new[kept]
    if was.get("output_type") != "stream" or {**was, "text": ""} != {**now, "text": ""}:
        return kept, ""
    before, after = was.get("text"), now.get("text")
    if isinstance(before, str) and isinstance(after, str) and after.startswith(before):
        return kept + 1, after[len(before) :]
    return kept, ""


def shown(outputs: Sequence[Json]) -> list[Json]:
    """Outputs as a page holds them: neighbouring texts of one stream are one output, and every value fits."""
    found: list[Json] = []
    for output in map(fit, outputs):
        last = found[-1] if found else {}
        if output.get("output_type") == "stream":
            output["text"] = _joined(output.get("text"))
            if last.get("output_type") == "stream" and last.get("name") == output.get("name"):
                last["text"] += output["text"]
                continue
        found.append(output)
    return found


def _joined(text: object) -> str:
    return "".join(text) if isinstance(text, list) else text if isinstance(text, str) else ""


def fit(value: Any) -> Any:
    """A copy of JSON that a shared document can hold: halves of characters and huge numbers stop the server's."""
    if isinstance(value, str):
        return _whole_characters(value)
    if isinstance(value, dict):
        return {_whole_characters(str(key)): fit(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fit(item) for item in value]
    if type(value) is int and abs(value) > LARGEST:
        return float(value) if abs(value) < 10**300 else str(value)
    return value


def _whole_characters(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def counted(value: Any) -> Any:
    """A copy of JSON from a shared document, whose numbers are all floats: whole ones are whole again."""
    if isinstance(value, dict):
        return {key: counted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [counted(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
