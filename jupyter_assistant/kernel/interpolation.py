"""``{name}`` and ``$name`` in a question: names, attributes and subscripts of the session, nothing else.

The law: nothing is called and nothing computed; what names nothing of the session, and whatever stands in code,
stays the text it was.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..messages import Variable
from .digests import digest, inline

MOST = 8
"""Values that go with one question."""

_PATH = r"[^\W\d]\w*(?:\.[^\W\d]\w*|\[(?:-?\d+|'[^'\]\n]*'|\"[^\"\]\n]*\"|[^\W\d]\w*)\])*"
_PLACE = re.compile(rf"(?<![{{\\])\{{(?P<braced>{_PATH})\}}(?!\}})|(?<![\w$\\])\$(?P<plain>{_PATH})")
_CODE = re.compile(r"^(```|~~~).*?(?:^\1|\Z)|(?<!`)(`+)(?!`)[^\n]+?(?<!`)\2(?!`)", re.MULTILINE | re.DOTALL)


class _Missing(Exception):
    """A name of the question is none of the session."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A question with small values written in, and the digests of the others, which stand in it as `` `name` ``."""

    text: str
    variables: tuple[Variable, ...] = ()


def fill(text: str, names: Mapping[str, Any]) -> Filled:
    """The question with the session's values."""
    found: dict[str, Variable] = {}
    pieces: list[str] = []
    at = 0
    for code in _CODE.finditer(text):
        pieces += [_filled(text[at : code.start()], names, found), code[0]]
        at = code.end()
    pieces.append(_filled(text[at:], names, found))
    return Filled("".join(pieces), tuple(found.values()))


def _filled(text: str, names: Mapping[str, Any], found: dict[str, Variable]) -> str:
    def put(place: re.Match[str]) -> str:
        path = place["braced"] or place["plain"]
        try:
            value = _value(ast.parse(path, mode="eval").body, names)
        except (_Missing, SyntaxError):
            return place[0]
        if (short := inline(value)) is not None:
            return short
        if path not in found and len(found) < MOST:
            found[path] = digest(path, value)
        return f"`{path}`"

    return _PLACE.sub(put, text)


def _value(node: ast.AST, names: Mapping[str, Any]) -> Any:
    """The value of a name, an attribute or a subscript; raises _Missing, also for one whose own code raises."""
    try:
        if isinstance(node, ast.Name):
            return names[node.id]
        if isinstance(node, ast.Attribute):
            return getattr(_value(node.value, names), node.attr)
        if isinstance(node, ast.Subscript):
            return _value(node.value, names)[_key(node.slice, names)]
    except Exception as error:
        raise _Missing from error
    raise _Missing


def _key(node: ast.AST, names: Mapping[str, Any]) -> Any:
    return _value(node, names) if isinstance(node, ast.Name) else ast.literal_eval(node)
