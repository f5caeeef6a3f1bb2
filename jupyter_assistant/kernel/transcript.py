"""The events of an answer as Markdown that anybody can read: while it comes, and as the notebook keeps it; pure.

The law: what is kept is plain Markdown that loads nothing: no image, no HTML, whatever the model wrote. Thinking is
shown while it lasts and not kept.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ..errors import AssistantError
from .client.stream import Event

STOPPED = "*(stopped)*"
_ENDS = {
    "cancelled": STOPPED,
    "length": "*(cut: the answer reached the model's longest length)*",
    "limit": "*(ended: a limit of this turn was reached)*",
    "interrupted": "*(interrupted: the server was restarted; ask again)*",
}
_HINTS = {
    "no_model": "`%ask models` lists what there is, `%ask use MODEL` chooses one.",
    "model_not_found": "`%ask models` lists what there is; check the name's spelling.",
}
"""What to do next in a cell, where there is no menu."""
_HERE = ("", "python", "python3", "py", "ipython", "ipython3")
"""The languages of blocks that are code for this kernel."""
_THINKING_CHARS = 600
_LINKS = 6
_FENCE = re.compile(r"^(`{3,}|~{3,})([^\n`]*)$")
_BLOCK = re.compile(r"^(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?:^\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_LOADS = re.compile(r"!(?=\[)|<(?!https?://[^\s<>]*>)(?=[A-Za-z/!?])|^[ ]{0,3}\[(?=[^\]]*\]:)")
"""What could load or hide something: an image, HTML, a reference's definition."""
_ENTITIES = {"!": "&#33;", "<": "&lt;"}
_MATH = re.compile(r"\$\$[^$]+\$\$|(?<!\$)\$[^$\n]+\$(?!\$)")
_SPAN = re.compile(r"(?<![`\\])(`+)(?!`)([^`|]+)\1(?!`)")
_ACTIVE = re.compile(r"!(?=\[)|<(?=[A-Za-z][^>]*=|[A-Za-z][\w-]*\s*$|/?(?:style|script)\b)", re.IGNORECASE)
_FORMULA = re.compile(r"\\(?:begin\{|\(|\[)")


class Transcript:
    """What has come of one answer. ``path`` is the notebook that will keep it, from the server's root."""

    def __init__(self, path: str = "", format: str = "markdown") -> None:
        self.text = ""
        self.model = ""
        self.reason = ""
        self.conversation_id = ""
        self.usage: dict[str, Any] = {}
        self.sources: list[dict[str, Any]] = []
        self.error: dict[str, Any] | None = None
        self.path = path
        self._format = format
        self._thinking = ""
        self._status = ""

    def take(self, event: Event) -> None:
        """Add an event; names it does not know change nothing."""
        data = event.data
        if event.name == "token":
            self.text += data["text"]
        elif event.name == "reasoning":
            self._thinking = (self._thinking + data["text"])[-2 * _THINKING_CHARS :]
        elif event.name == "status":
            self._status = data["text"]
        elif event.name == "run":
            self.model, self.conversation_id = data["model"], data["conversation_id"]
        elif event.name == "sources":
            self.sources = list(data)
        elif event.name == "usage":
            self.usage = data
        elif event.name == "error":
            self.error = {**data, "hint": _HINTS.get(data["code"], data["hint"])}
        elif event.name == "done":
            self.reason = data["reason"]

    def fail(self, error: AssistantError) -> None:
        """End with an error that is no event: the question was refused, or the connection is gone."""
        self.error = {"code": error.code, "text": error.text, "hint": _HINTS.get(error.code, error.hint)}
        self.reason = "error"

    @property
    def is_thinking(self) -> bool:
        """Whether the model thinks and has not begun to answer."""
        return bool(self._thinking) and not self.text

    @property
    def ending(self) -> str:
        """How the answer ended, where it did not come to its own end."""
        return _ENDS.get(self.reason, "")

    @property
    def cited(self) -> list[str]:
        """The paths of the notebooks that the answer cites."""
        paths = dict.fromkeys(str(source.get("path") or "") for source in self.sources)
        return [path for path in paths if path][:_LINKS]

    @property
    def result(self) -> str:
        """The answer in the format that was asked for: the text, or its code only."""
        if self._format == "markdown":
            return self.text
        return code_of(blocks(self.text)) or self.text.strip()

    @property
    def has_value(self) -> bool:
        """Whether the answer holds a JSON value."""
        try:
            value(self.text)
        except ValueError:
            return False
        return True

    def live(self) -> str:
        """What to show while the answer comes."""
        if self.text:
            return self._shown()
        if self._thinking:
            tail = self._thinking[-_THINKING_CHARS:].strip()
            return "\n".join(["> *Thinking…*", ">", *(f"> {line}" for line in tame(tail).splitlines())])
        return f"*{plain(self._status)}*" if self._status else "*…*"

    def final(self, seconds: float) -> str:
        """What the notebook keeps: the answer, how it ended, and a line on where it is from."""
        if self._format == "json" and self.reason == "stop" and not self.has_value:
            self._format = "markdown"  # what came instead is shown as it is
        parts = [self._shown(), self.ending, quoted(self.error) if self.error else "", self._footer(seconds)]
        return "\n\n".join(part for part in parts if part)

    def _shown(self) -> str:
        if self._format == "markdown":
            return tame(closed(self.text)).strip()
        language = "json" if self._format == "json" else next((name for name, _ in blocks(self.text) if name), "python")
        code = self.result
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
        return f"{fence}{language}\n{code}\n{fence}" if code else ""

    def _footer(self, seconds: float) -> str:
        said = [plain(self.model)] if self.model else []
        said.append(f"{seconds:.1f} s")
        if links := self._links():
            said.append(f"from {', '.join(links)}")
        return f"*{' · '.join(said)}*"

    def _links(self) -> list[str]:
        """The notebooks the answer cites, as links from the one that keeps it."""
        folder = posixpath.dirname(self.path)
        return [f"[{plain(posixpath.basename(path))}]({_address(path, folder)})" for path in self.cited]


def value(text: str) -> Any:
    """The JSON value of an answer: that of its code block, else of the text. Raises ValueError when there is none."""
    for code in [*(code for _, code in blocks(text)), text]:
        try:
            return json.loads(code)
        except ValueError:
            continue
    raise ValueError("no JSON value")


def blocks(text: str) -> list[tuple[str, str]]:
    """The code blocks of an answer: language (empty without one) and code; the last may still be open."""
    return [(found[2], found[3].removesuffix("\n")) for found in _BLOCK.finditer(text)]


def code_of(found: Sequence[tuple[str, str]]) -> str:
    """The code among blocks, a blank line between them: what is Python or names no language, where any is; else all."""
    return "\n\n".join(_of_here(found) or [code for _, code in found])


def first_code(found: Sequence[tuple[str, str]]) -> str:
    """The first block that is code for this kernel; empty when there is none."""
    return next(iter(_of_here(found)), "")


def _of_here(found: Sequence[tuple[str, str]]) -> list[str]:
    return [code for language, code in found if language.lower() in _HERE]


def closed(text: str) -> str:
    """The text with its last code block ended, where it was cut inside of it."""
    fence = _open_fence(text)
    return f"{text.rstrip()}\n{fence}" if fence else text


def quoted(error: dict[str, Any]) -> str:
    """An error and what to do next."""
    hint = str(error.get("hint", ""))
    return f"> **{plain(str(error['text']))}** {hint if hint in _HINTS.values() else plain(hint)}".rstrip()


def tame(text: str) -> str:
    """Markdown that loads nothing: images become links, HTML becomes text; blocks of code stay as they are.

    A block counts as code only where every reader sees one: its fence stands at the line's beginning, and no formula
    was left open before it, in which a reader could take the fence for a part of it.
    """
    lines: list[str] = []
    fence, doubtful = "", False
    for line in text.split("\n"):
        if fence:
            fence = "" if _ends(line, fence) else fence
            lines.append(_broken_up(line) if doubtful else line)
        elif found := _FENCE.match(line):
            fence = found[1]
            lines.append(line)
        else:
            doubtful = doubtful or _leaves_open(line)
            lines.append(_tamed(line))
    return "\n".join(lines)


def _leaves_open(line: str) -> bool:
    """Whether a formula may begin in a line and end in a later one."""
    return ("$" in line and "$" in _MATH.sub("", line)) or ("\\" in line and _FORMULA.search(line) is not None)


def _tamed(line: str) -> str:
    """A line of prose. Entities rather than backslashes: what the model wrote before cannot undo them."""
    if not _LOADS.search(line):
        return line
    pieces: list[str] = []
    at = 0
    for span in sorted([*_SPAN.finditer(line), *_MATH.finditer(line)], key=lambda found: found.start()):
        if span.start() < at:
            continue
        pieces += [_named(line[at : span.start()]), _broken_up(span[0])]
        at = span.end()
    return "".join([*pieces, _named(line[at:])])


def _named(text: str) -> str:
    return _LOADS.sub(lambda found: _ENTITIES.get(found[0], "&#91;"), text)


def _broken_up(code: str) -> str:
    """What looks like code or a formula, yet might be read otherwise: only what could load something is broken up."""
    return _ACTIVE.sub(lambda found: f"{found[0]} ", code)


def _open_fence(text: str) -> str:
    fence = ""
    for line in text.split("\n"):
        if fence:
            fence = "" if _ends(line, fence) else fence
        elif found := _FENCE.match(line):
            fence = found[1]
    return fence


def _ends(line: str, fence: str) -> bool:
    """Whether a line closes a block of code: as many of the same signs, or more, and nothing else."""
    sign = line.strip(" \t")
    return len(line) - len(line.lstrip(" ")) < 4 and len(sign) >= len(fence) and not sign.strip(fence[0])


def plain(text: str) -> str:
    """A text of others inside a line of ours, as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>!|])", r"\\\1", " ".join(text.split()))


def _address(path: str, folder: str) -> str:
    return quote(posixpath.relpath(path, folder or "."), safe="/._-~")
