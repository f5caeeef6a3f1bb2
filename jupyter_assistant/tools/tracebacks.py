"""A traceback as its reader needs it: without colours, and the user's own frames whole; pure.

The law: the exception stays, and the frames of the user's code before all others; what libraries did between, and
what lies in the middle of very many frames, is counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..notebooks.outputs import Excerpt, clean, excerpt, left_out

_FRAME = re.compile(r"(?:File |Cell In|<ipython-input|~?/\S+ in |[A-Za-z]:\\)")
FRAME_START = re.compile(r"\n(?=File |Cell In|<ipython-input|~?/\S+ in |[A-Za-z]:\\)")
_LIBRARY = re.compile(
    r"site-packages|dist-packages|[/\\]lib[/\\]python3|[/\\]Python3\d+[/\\]lib|<frozen |<__array_function__"
)
_SPLIT = re.compile(r"\n(?=File |Cell In)")
"""Between frames that came in one string."""
_RULE = re.compile(r"-{20,}\n?")
MOST_FRAMES = 40
FRAME_CHARS = 4_000
WHOLE_CHARS = 100_000


def traceback_excerpt(frames: Sequence[str], name: str, value: str) -> Excerpt:
    """nbformat's ``traceback`` (strings of one or more frames), and the exception where that is empty."""
    ends = _ends(frames)
    room = max(FRAME_CHARS, WHOLE_CHARS // max(1, len(ends)))
    single = _ends([part for text in ends for part in _SPLIT.split(_short(text, room))])
    parts = [clean(_short(part, FRAME_CHARS)) for part in single]
    text = "\n".join(_user_frames(parts)).strip("\n")
    return excerpt(_RULE.sub("", text, count=1) if text.strip() else clean(f"{name[:200]}: {value[:2_000]}"))


def _ends(frames: Sequence[str]) -> list[str]:
    """Deep recursion can make thousands of frames: the first and the last tell it."""
    half = MOST_FRAMES // 2
    if len(frames) <= MOST_FRAMES:
        return list(frames)
    return [*frames[:half], left_out(len(frames) - 2 * half, "frames"), *frames[-half:]]


def _short(text: str, room: int) -> str:
    """Both ends of a frame or message that is longer than any reader wants."""
    half = room // 2
    missing = len(text) - 2 * half
    return f"{text[:half]}\n{left_out(missing, 'characters')}\n{text[-half:]}" if missing > 0 else text


def _user_frames(parts: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skipped = 0
    cutting = any(map(_is_users, parts))
    for part in parts:
        if cutting and _is_library(part):
            skipped += 1
            continue
        kept += [f"[… {skipped} library frame{'' if skipped == 1 else 's'} left out …]"] if skipped else []
        kept.append(part)
        skipped = 0
    return kept


def _is_library(part: str) -> bool:
    first = part.lstrip("\n").partition("\n")[0]
    return _FRAME.match(first) is not None and _LIBRARY.search(first) is not None


def _is_users(part: str) -> bool:
    return _FRAME.match(part.lstrip("\n")) is not None and not _is_library(part)
