"""Outputs as short text: terminal noise taken out, images named, both ends of long text kept.

The law: a payload never leaves this file, what is left out is counted, and only the standard library's light
modules are imported, because the reading process (``worker.py``) starts with this file and without the package.

A text travels as an *excerpt* ``(head, tail, chars)``: whole in ``head`` with an empty ``tail`` up to ``WHOLE``
characters, else its first ``HEAD`` and last ``TAIL`` characters; ``chars`` is always the length of the text.
Excerpts are plain tuples because JSON has none: one found in parsed JSON was put there by ``scan.py``.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence

Excerpt = tuple[str, str, int]
ErrorRecord = tuple[str, str, str]
"""Name, value, traceback."""
OutputRecord = tuple[str, str, int, Sequence[str], "ErrorRecord | None"]
"""Output type, text, characters before the cut, mime types, error: the fields of ``cells.Output``, in order."""

WHOLE, HEAD, TAIL = 16_000, 2_000, 4_000
TEXT_BUDGET = 4_000
TRACEBACK_BUDGET = 6_000
VALUE_BUDGET = 2_000
NAME_BUDGET = 200
MAX_MIMES = 20

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_]|)")
_CONTROLS = dict.fromkeys({*range(32), 127} - {9, 10})
_SURROGATES = re.compile("[\ud800-\udfff]")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{60,}(?:\n[A-Za-z0-9+/]{60,})*={0,2}")
_LEAST_BASE64 = 200
_LINE = re.compile("\n")
_FRAME = re.compile(r"\n(?=[ \t]*File |Cell In|<ipython-input|~?/\S+ in |[A-Za-z]:\\)")
_REPR = re.compile(r"<[^\n]*>\Z")
_BLOCKS = frozenset({"br", "p", "div", "tr", "li", "pre", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"})
_TEXTUAL = ("text/markdown", "text/latex", "text/plain")


# ---------------------------------------------------------------- excerpts


def excerpt(text: str) -> Excerpt:
    return (text, "", len(text)) if len(text) <= WHOLE else (text[:HEAD], text[-TAIL:], len(text))


def excerpt_of(value: object, joiner: str = "") -> Excerpt:
    """The excerpt of a JSON value: a string, a list of strings put together with ``joiner``, anything else empty."""
    if isinstance(value, str):
        return excerpt(value)
    if isinstance(value, tuple):
        return value
    return _joined(value, joiner) if isinstance(value, list) else ("", "", 0)


def _joined(values: list[object], joiner: str) -> Excerpt:
    parts = [
        value if isinstance(value, tuple) else excerpt(value) for value in values if isinstance(value, str | tuple)
    ]
    chars = sum(part[2] for part in parts) + len(joiner) * max(0, len(parts) - 1)
    if chars <= WHOLE:
        return joiner.join(part[0] for part in parts), "", chars
    return _first(parts, joiner), _last(parts, joiner), chars


def _first(parts: list[Excerpt], joiner: str) -> str:
    taken: list[str] = []
    length = 0
    for head, _, _ in parts:
        taken.append(head)
        length += len(head) + len(joiner)
        if length >= HEAD + len(joiner):
            break
    return joiner.join(taken)[:HEAD]


def _last(parts: list[Excerpt], joiner: str) -> str:
    taken: list[str] = []
    length = 0
    for head, tail, _ in reversed(parts):
        taken.append(tail or head)
        length += len(taken[-1]) + len(joiner)
        if length >= TAIL + len(joiner):
            break
    return joiner.join(reversed(taken))[-TAIL:]


# ---------------------------------------------------------------- text


def clean(text: str) -> str:
    """Text as a reader sees it: no colours, progress bars in their last state, no control characters, no base64."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\r" in text:
        text = "\n".join(map(_last_state, text.replace("\r\n", "\n").split("\n")))
    if "\b" in text:
        text = _overstruck(text)
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", text)
    text = text if text.isprintable() else text.translate(_CONTROLS)
    return _BASE64.sub(_without_base64, text) if len(text) >= _LEAST_BASE64 else text


def _without_base64(match: re.Match[str]) -> str:
    """Data that some program wrote, as in a page's ``data:`` address; a long word or rule of one kind is none."""
    run = match[0]
    kinds = (
        any(char.isdigit() for char in run),
        any(char.islower() for char in run),
        any(char.isupper() for char in run),
    )
    return left_out(len(run), "characters of base64") if len(run) >= _LEAST_BASE64 and all(kinds) else run


def _last_state(line: str) -> str:
    return next((state for state in reversed(line.split("\r")) if state), "")


def _overstruck(text: str) -> str:
    shown: list[str] = []
    for char in text:
        if char != "\b":
            shown.append(char)
        elif shown and shown[-1] != "\n":
            shown.pop()
    return "".join(shown)


def shown(source: Excerpt, budget: int, opening: re.Pattern[str] = _LINE) -> tuple[str, int]:
    """The cleaned text within ``budget`` characters, and its length before the cut.

    The end that is kept begins after a match of ``opening`` where one is near.
    """
    head, tail, chars = source
    if tail:
        return _cut(clean(head), clean(tail), chars, budget, opening), chars
    text = clean(head)
    return (text if len(text) <= budget else _cut(text, text, len(text), budget, opening)), len(text)


def _cut(head: str, tail: str, chars: int, budget: int, opening: re.Pattern[str]) -> str:
    """Both ends, and between them how much is missing."""
    first, last = head[: budget * 3 // 8], tail[-(budget * 5 // 8) :]
    if (line := first.rfind("\n", len(first) * 3 // 4)) >= 0:
        first = first[:line]
    near = opening.search(last, 0, len(last) // 2) or _LINE.search(last, 0, len(last) // 4)
    last = last[near.end() :] if near else last
    return f"{first}\n{left_out(chars - len(first) - len(last), 'characters')}\n{last}"


def left_out(count: int, what: str) -> str:
    """``[… 12 345 characters left out …]``"""
    return f"[… {count:,} {what} left out …]".replace(",", " ")


def html_text(html: str) -> str:
    """The words of an HTML fragment, a line per block and `` | `` between table cells; linear in its length."""
    from html import unescape

    words: list[str] = []
    hidden = ""
    for number, piece in enumerate(html.split("<")):
        tag, closed, text = piece.partition(">") if number else ("", ">", piece)
        name = tag.strip("/ ").split(" ", 1)[0].split("\n", 1)[0].lower()
        hidden = _hiding(hidden, tag, name)
        words.append(_break(tag, name) if closed else "")
        words.append("" if hidden or not closed else text)
    lines = (re.sub(r"\s+", " ", line).strip(" |") for line in unescape("".join(words)).split("\n"))
    return "\n".join(line for line in lines if line)


def _hiding(hidden: str, tag: str, name: str) -> str:
    if hidden:
        return "" if tag.startswith("/") and name == hidden else hidden
    return name if name in ("script", "style") and not tag.startswith("/") else ""


def _break(tag: str, name: str) -> str:
    if name in _BLOCKS:
        return "\n"
    return " | " if name in ("td", "th") and tag.startswith("/") else ""


# ---------------------------------------------------------------- one output


def output_record(output: dict[str, object], budget: int = TEXT_BUDGET) -> OutputRecord:
    """An nbformat output (version 4) as text within ``budget`` characters; never raises for odd content."""
    kind = output.get("output_type")
    if kind == "stream":
        text, chars = shown(excerpt_of(output.get("text")), budget)
        return "stream", text, chars, (), None
    if kind == "error":
        return _error_record(output)
    data = output.get("data")
    known = kind if kind in ("execute_result", "display_data") else "unknown"
    return _data_record(str(known), data if isinstance(data, dict) else {}, budget)


def _error_record(output: dict[str, object]) -> OutputRecord:
    name, _ = shown(excerpt_of(output.get("ename")), NAME_BUDGET)
    value, _ = shown(excerpt_of(output.get("evalue")), VALUE_BUDGET)
    traceback, chars = shown(excerpt_of(output.get("traceback"), "\n"), TRACEBACK_BUDGET, _FRAME)
    return "error", traceback or f"{name}: {value}", chars or len(name) + len(value) + 2, (), (name, value, traceback)


def _data_record(kind: str, data: dict[str, object], budget: int) -> OutputRecord:
    texts = _texts(data)
    parts = [shown(text, budget) for text in texts]
    labels = [label(mime, value) for mime, value in list(data.items())[:MAX_MIMES] if not _is_told(mime, bool(texts))]
    text = "\n".join([*(part for part, _ in parts), *labels])
    chars = sum(length for _, length in parts) + len(text) - sum(len(part) for part, _ in parts)
    return kind, text, chars, tuple(mime[:NAME_BUDGET] for mime in list(data)[:MAX_MIMES]), None


def _texts(data: dict[str, object]) -> list[Excerpt]:
    """The one text that tells most: Markdown, LaTeX, plain, or the words of HTML where plain is a bare ``<repr>``."""
    best = next((mime for mime in _TEXTUAL if mime in data), None)
    if best and not (best == "text/plain" and "text/html" in data and _is_repr(data[best])):
        return [excerpt_of(data[best])]
    if "text/html" in data:
        head, tail, chars = excerpt_of(data["text/html"])
        words = html_text(head), html_text(tail)
        if any(words):
            return [(words[0], words[1], chars if words[1] else len(words[0]))]
    others = [mime for mime in data if mime.startswith("text/") and mime != "text/html"]
    return [excerpt_of(data[others[0]])] if others else []


def _is_repr(value: object) -> bool:
    head, _, chars = excerpt_of(value)
    return chars < NAME_BUDGET and _REPR.match(head) is not None


def _is_told(mime: str, text: bool) -> bool:
    return mime.startswith("text/") or (text and mime.startswith("application/vnd.jupyter.widget"))


# ---------------------------------------------------------------- what is no text


def label(mime: str, value: object) -> str:
    """``[image/png 640x480, 23 kB]``, with what can be known from the first bytes."""
    head, _, chars = excerpt_of(value)
    if not chars:
        return f"[{mime[:NAME_BUDGET]}]"
    if mime == "image/svg+xml" or not mime.startswith(("image/", "audio/", "video/", "application/pdf")):
        return f"[{mime[:NAME_BUDGET]}, {_size(chars)}]"
    extent = dimensions(_decoded(head))
    return f"[{mime[:NAME_BUDGET]}{f' {extent[0]}x{extent[1]}' if extent else ''}, {_size(chars * 3 // 4)}]"


def _decoded(base64: str) -> bytes:
    plain = "".join(base64[:HEAD].split())
    try:
        return binascii.a2b_base64(plain[: len(plain) // 4 * 4])
    except ValueError:
        return b""


def dimensions(image: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from the first bytes of a PNG, GIF or JPEG; None where they do not say."""
    if image[:8] == b"\x89PNG\r\n\x1a\n" and len(image) >= 24:
        return int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")
    if image[:4] == b"GIF8" and len(image) >= 10:
        return int.from_bytes(image[6:8], "little"), int.from_bytes(image[8:10], "little")
    return _jpeg_dimensions(image) if image[:2] == b"\xff\xd8" else None


def _jpeg_dimensions(image: bytes) -> tuple[int, int] | None:
    """From the first start-of-frame segment (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(image) and image[at] == 0xFF:
        if 0xC0 <= image[at + 1] <= 0xCF and image[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(image[at + 7 : at + 9], "big"), int.from_bytes(image[at + 5 : at + 7], "big")
        at += 2 + max(2, int.from_bytes(image[at + 2 : at + 4], "big"))
    return None


def _size(count: int) -> str:
    if count < 1_000:
        return f"{count} B"
    return f"{round(count / 1_000)} kB" if count < 999_500 else f"{count / 1_000_000:.1f} MB"
