"""A conversation as Markdown that reads well on GitHub.

The law: what a model or a user wrote cannot become structure of ours, markup or a remote load. Headings of theirs
move below ours, fences are written anew so that they open and close where they seem to, and outside of code
nothing is HTML or an image. Rules by section: CommonMark 0.31, GitHub Flavored Markdown 0.29.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Final
from urllib.parse import quote, urlsplit

from ..messages import Json
from .records import text_of

_ROLES: Final = {"user": "You", "assistant": "Assistant"}
_STATES: Final = {
    "running": "still running",
    "cancelled": "stopped",
    "error": "ended with an error",
    "interrupted": "interrupted by a restart of the server",
}

_FENCE: Final = re.compile(r"\s*(?P<fence>`{3,}|~{3,})(?P<info>.*)")
_HEADING: Final = re.compile(r"^(?P<indent> {0,3})(?P<marks>#{1,6})(?=[ \t]|$)")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)[ \t]*")
# In the order CommonMark 6 reads a line: escape, code span, a run of backticks that is none, HTML, image.
_ESCAPE: Final = r"\\[!-/:-@\[-`{-~]"
_INLINE: Final = re.compile(_ESCAPE + r"|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)|`+|<|!\[")
_INLINE_WITHOUT_CODE: Final = re.compile(_ESCAPE + r"|`+|<|!\[")
_PUNCTUATION: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&-])")

LONGEST_LINE: Final = 2_000
"""In lines longer than this no code spans are looked for: looking is not linear. Their backticks are shown as such."""


def file_name(conversation: Json, extension: str) -> str:
    """ASCII, safe on every system, and another one for a conversation of the same title."""
    ascii_title = unicodedata.normalize("NFKD", str(conversation["title"])).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "-", ascii_title).strip("-")[:60].rstrip("-")
    return f"{words or 'conversation'}-{conversation['id'][:8]}.{extension}"


def rendered(conversation: Json) -> str:
    """The conversation as one Markdown document."""
    title = f"# {plain(str(conversation['title'])) or 'Untitled'}"
    return "\n\n".join([title, *(block for message in conversation["messages"] for block in _blocks(message))]) + "\n"


def plain(text: str) -> str:
    """Text in one line that Markdown shows as it is."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def contained(text: str) -> str:
    """Markdown of others, made to stay inside its place."""
    return "\n".join(_lines(text)).strip("\n")


# ------------------------------------------------------------ messages


def _blocks(message: Json) -> Iterator[str]:
    yield _heading(message)
    parts = message["parts"]
    reasoning = "".join(str(part.get("text", "")) for part in parts if part.get("type") == "reasoning")
    if reasoning.strip():
        yield f"<details>\n<summary>Reasoning</summary>\n\n{contained(reasoning)}\n\n</details>"
    if (text := text_of(parts)).strip():
        yield contained(text)
    for part in parts:
        if block := _other(part):
            yield block
    if state := _STATES.get(str(message["state"])):
        yield f"*({state})*"


def _heading(message: Json) -> str:
    who = _ROLES.get(str(message["role"]), plain(str(message["role"])))
    model = f" ({plain(str(message['model']))})" if message.get("model") else ""
    return f"## {who}{model}, {_time(message['created'])}"


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"


def _other(part: Json) -> str:
    if part.get("type") == "sources":
        return _sources(part.get("sources", ()))
    if part.get("type") == "error":
        return f"> **Error:** {plain(str(part.get('text', '')))} {plain(str(part.get('hint', '')))}".rstrip()
    return ""


def _sources(sources: Sequence[Json]) -> str:
    return "\n".join(["Sources:", "", *(f"- {_link(source)}" for source in sources)]) if sources else ""


def _link(source: Json) -> str:
    title, url = plain(str(source.get("title", ""))), str(source.get("url", ""))
    if not url or urlsplit(url.strip()).scheme not in ("", "http", "https"):
        return title
    return f"[{title}]({quote(url, safe='/:?#@!$&*+,;=%-._~')})"


# ------------------------------------------------------------ Markdown of others, line by line


def _lines(text: str) -> Iterator[str]:
    lines = iter(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for line in lines:
        if fence := _opening(line):
            yield from _fenced(fence, lines)
        else:
            yield _prose(line)


def _opening(line: str) -> re.Match[str] | None:
    """A fence that opens, at any indentation: written anew at the margin, it ends a list but cannot be misread."""
    found = _FENCE.fullmatch(line)
    if found is None or (found["fence"][0] == "`" and "`" in found["info"]):
        return None
    return found


def _fenced(opening: re.Match[str], lines: Iterator[str]) -> Iterator[str]:
    """A code block between fences that nothing in it can close."""
    code = list(_code(opening["fence"], lines))
    indent = len(opening.group()) - len(opening.group().lstrip())
    ticks = "`" * max([3, *(len(run) + 1 for line in code for run in re.findall(r"`{3,}", line))])
    language = re.match(r"[\w+#.-]*", opening["info"].strip())
    yield from ("", ticks + (language.group() if language else ""))
    yield from (line[min(indent, len(line) - len(line.lstrip())) :] for line in code)
    yield from (ticks, "")


def _code(fence: str, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if re.fullmatch(rf"\s*{re.escape(fence[0])}{{{len(fence)},}}\s*", line):
            return
        yield line


def _prose(line: str) -> str:
    if _UNDERLINE.fullmatch(line):
        # Under a paragraph it would be a heading; three dashes were meant as a rule.
        return "***" if len(line.strip()) >= 3 and "-" in line else "\\" + line.lstrip()
    line = _HEADING.sub(lambda found: found["indent"] + "#" * min(6, len(found["marks"]) + 2), line, count=1)
    pattern = _INLINE if len(line) <= LONGEST_LINE else _INLINE_WITHOUT_CODE
    bars = "|" in line
    return pattern.sub(lambda found: _inline(found.group(), in_table=bars), line)


def _inline(token: str, *, in_table: bool) -> str:
    """A token that could open markup as the character it shows; code spans stay, but a table's bars cut them in two."""
    if token.startswith("\\"):
        return token
    is_code = token.strip("`") != ""
    if is_code and token.startswith("`") and not (in_table and ("<" in token or "![" in token)):
        return token
    return token.replace("`", "&#96;").replace("<", "&lt;").replace("![", "&#33;[")
