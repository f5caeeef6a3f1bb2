"""What of the kernel goes with a question: which names it is about, and those names as items; pure.

The law: a kernel's text is data like a cell's: fenced, without secrets, cut to its share, and what is missing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..messages import ContextItem, KernelView, Variable
from .excerpts import Redact, encodable, estimate_tokens, excerpt
from .rendering import fenced

MOST_NAMED = 4
"""Variables of one question that are looked into."""
MOST_DOCUMENTED = 2

_LIST_MOST = 800
"""Tokens of the list of all variables."""
_WORD = re.compile(r"[^\W\d]\w*")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_TICKED = re.compile(r"`([^`\n]{1,120})`")
_DOCUMENTED = re.compile(
    r"\b(doc(s|string|umentation)?|help|signature|arguments?|args|parameters?|how (do|does|can|to)\b.{0,20}\buse"
    r"|usage|what does|returns?)\b|\?\? *$",
    re.IGNORECASE,
)
_STATE = re.compile(
    r"`|\b(variables?|values?|what is|what are|hold|kernel|defined|data ?frames?|frames?|arrays?|columns?|rows?|shape"
    r"|d?types?|size|length|len|how (?:many|long|large|big)|memory|in scope)\b|[A-Za-z]\w*_\w|\w\.\w|(?-i:[a-z][A-Z])",
    re.IGNORECASE,
)
"""What people ask of a kernel's state by, and names as code has them."""
_NAME_CHARS, _TYPE_CHARS, _SHAPE_CHARS = 120, 80, 80


def is_asked(question: str) -> bool:
    """Whether a question seems to be about what the kernel holds now, or says of a name."""
    return bool(_STATE.search(question[:4_000]) or _DOCUMENTED.search(question[:4_000]))


def names_asked(question: str, variables: Sequence[Variable]) -> tuple[str, ...]:
    """The variables a question names, at most ``MOST_NAMED``, in its order; those in backticks first."""
    known = {variable.name for variable in variables}
    ticked = [word for span in _TICKED.findall(question) for word in _WORD.findall(span)]
    words = dict.fromkeys([*ticked, *_WORD.findall(question[:4_000])])
    return tuple(word for word in words if word in known and (len(word) > 1 or word in ticked))[:MOST_NAMED]


def documentation_asked(question: str) -> tuple[str, ...]:
    """The names whose documentation a question asks for: those in backticks, then dotted ones."""
    if not _DOCUMENTED.search(question):
        return ()
    ticked = [match[0] for span in _TICKED.findall(question) if (match := _DOTTED.match(span.strip()))]
    dotted = [word for word in _DOTTED.findall(question[:4_000]) if "." in word]
    return tuple(dict.fromkeys([*ticked, *dotted]))[:MOST_DOCUMENTED]


def kernel_items(view: KernelView, path: str | None, redact: Redact, tokens: int) -> Iterator[ContextItem]:
    """The items of a kernel in at most ``tokens``: those looked into first, the list of all names last."""
    listed = min(_LIST_MOST, tokens // 3) if view.variables or view.missing else 0
    looked = [("documentation", one) for one in view.documentation] + [("variable", one) for one in view.named]
    room = tokens - listed
    for at, (kind, one) in enumerate(looked):
        item = _digest_item(kind, one, path, redact, room // (len(looked) - at))
        if item:
            room -= estimate_tokens(item.text) + 1
            yield item
    if listed and (item := _list_item(view, path, redact, listed)):
        yield item


def _digest_item(kind: str, one: Variable, path: str | None, redact: Redact, tokens: int) -> ContextItem | None:
    head = _line(one, redact)
    about = f"Documentation of {head}:" if kind == "documentation" else f"In the kernel now, {head}:"
    part = excerpt(one.digest, redact).within(tokens - estimate_tokens(about) - 10)
    if not part.head:
        return None
    name = _short(one.name, _NAME_CHARS, redact)
    return ContextItem(
        kind="documentation" if kind == "documentation" else "variable",
        label=f"documentation of {name}" if kind == "documentation" else name,
        text=f"{about}\n{fenced(part.text)}",
        path=path,
        truncated=part.cut,
        redacted=part.redacted,
        variables=(_typed(one, part.text, redact),),
    )


def _list_item(view: KernelView, path: str | None, redact: Redact, tokens: int) -> ContextItem | None:
    lines: list[str] = []
    room = tokens - 40 - estimate_tokens(view.missing)
    for variable in view.variables:
        line = _line(variable, redact)
        room -= estimate_tokens(line) + 1
        if room < 0:
            break
        lines.append(line)
    left = len(view.variables) - len(lines)
    text = "Variables in the kernel now (name, type, shape):\n" + fenced("\n".join(lines)) if lines else ""
    said = [text, f"{left} more are not listed." if left else "", view.missing]
    whole = "\n".join(part for part in said if part)
    if not whole or estimate_tokens(whole) > tokens:
        return None
    return ContextItem(
        kind="variables",
        label="kernel variables",
        text=whole,
        path=path,
        truncated=left > 0,
        variables=tuple(_typed(variable, "", redact) for variable in view.variables[: len(lines)]),
    )


def _line(one: Variable, redact: Redact) -> str:
    typed = _typed(one, "", redact)
    return " ".join(part for part in (typed.name, typed.type, typed.shape) if part)


def _typed(one: Variable, digest: str, redact: Redact) -> Variable:
    return Variable(
        _short(one.name, _NAME_CHARS, redact),
        _short(one.type, _TYPE_CHARS, redact),
        _short(one.shape, _SHAPE_CHARS, redact),
        digest,
    )


def _short(text: str, most: int, redact: Redact) -> str:
    return redact(encodable(" ".join(text[:most].split())))[0]
