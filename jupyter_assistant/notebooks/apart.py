"""A notebook's bytes as parsed JSON, one cell at a time: the whole parsed at once would take three times its size.

The law: what is given is exactly what a JSON parser makes of the whole text. Where the cells lie is looked up, then
proven: each is a JSON value by itself, nothing but commas parts them, and the text without them is JSON whose last
``cells`` is where they were. Nothing of the package is imported (the writing process starts with it).
"""

from __future__ import annotations

import os

from .layout import guessed
from .nbformats import NotANotebook, NotJson, parsed
from .spans import Box, box, root, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_BLANKS = b" \t\r\n"


def taken_apart(data: bytes, *, guess: bool = False) -> tuple[dict[str, Any], Iterator[Any]]:
    """The notebook (nbformat 4) with ``cells`` None, and its cells; both raise ``NotANotebook``.

    With ``guess`` the cells are looked for by their line breaks first, which is many times faster; where that was
    wrong it is ``NotANotebook`` too, and only without it that says something of the notebook.
    """
    layout = guessed(data) if guess else None
    found = root(data, layout.listed if layout else None).last("cells")
    if not found:
        raise NotANotebook("it has no cells")
    listed = layout.listed if layout and layout.listed.start == found[1] else box(data, found[1])
    mark = os.urandom(12).hex()
    rest = parsed(b"".join((data[: listed.start], b'"%b"' % mark.encode(), data[listed.end :])))
    if not isinstance(rest, dict) or rest.get("cells") != mark or data[listed.start] != ord("["):
        raise NotJson("its cells are not where they seem")
    rest["cells"] = None
    return rest, _cells(data, listed)


def _cells(data: bytes, listed: Box) -> Iterator[Any]:
    at, before = listed.start + 1, b""
    for item in listed.items:
        _parted(data[at : item[0]], before)
        yield value(data, item)
        at, before = item[2], b","
    _parted(data[at : listed.end], b"]")


def _parted(between: bytes, sign: bytes) -> None:
    if between.strip(_BLANKS) != sign:
        raise NotJson("it is not JSON")
