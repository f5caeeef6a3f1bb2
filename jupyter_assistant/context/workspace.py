"""What of the user's other notebooks goes with a question: whether it reaches beyond the open one, and their cells.

The law: cells of other notebooks come in the order of their relevance, each named with its notebook, within a share
of the budget; a question about the open notebook brings none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..messages import ContextItem
from ..notebooks.cells import Cell, Snapshot
from .excerpts import Redact, encodable, estimate_tokens
from .rendering import cell_item, number
from .words import asked_names, asked_words, read

MOST_CELLS = 8
"""Cells of other notebooks that go with one question."""

_LEAST_CELL = 120
"""Tokens below which a cell of another notebook is not worth giving."""
_WHOLE = 1.0
"""Score from which a place holds every word of the search (``notebooks.search``)."""
_OF_BEST = 0.35
_BEYOND = re.compile(
    r"\bnotebooks\b|\b(?:another|other|any|every|each|which|what) notebook\b"
    r"|\bworkspace\b|\bin (?:the|this|my) (?:whole )?project\b|\belsewhere\b|\b(?:any|some)where else\b|\banywhere\b"
    r"|\b(?:welche[mnrs]?|andere[mnrs]?|jede[mnrs]?) notebook\b"
    r"|\b(?:quel|autre|chaque) (?:notebook|carnet)\b|\bcarnets\b"
    r"|\b(?:qué|otro|cada) (?:notebook|cuaderno)\b|\bcuadernos\b|(?:哪个|哪些|其他|别的|所有)(?:的)?(?:笔记本|notebook)"
    r"|\bother (?:files?|analys[ei]s)\b|\bdid (?:I|we) (?:ever|already)\b|\bwhere (?:else )?(?:did|have) (?:I|we)\b",
    re.IGNORECASE,
)
_HERE = re.compile(
    r"\b(?:this|that|these|here|it|cells?|notebook|selection|line|output|plot|errors?|exceptions?|traceback|bugs?"
    r"|fail(?:s|ed|ing|ure)?|broken?|wrong|works?|runs?|above|below"
    r"|dies(?:e[mnrs]?)?|hier|zellen?|fehler|cette|cellules?|ici|erreurs?|esta|celdas?|aquí)\b|这|单元格|错误|报错",
    re.IGNORECASE,
)
"""What people say of the notebook they look at."""
_NOTEBOOK = re.compile(r"[\w./-]+\.ipynb\b")


@dataclass(frozen=True, slots=True)
class FoundCell:
    """A cell of another notebook that a search found: where, how well it fits, and the words around the hits."""

    notebook: Snapshot
    cell: Cell
    score: float
    snippet: str


def names_beyond(question: str, path: str | None) -> bool:
    """Whether a question says that it is about other notebooks than the one at ``path`` (None: none is open)."""
    others = [name for name in _NOTEBOOK.findall(question) if path is None or not path.endswith(name)]
    return bool(others or _BEYOND.search(question))


def is_foreign(question: str, notebook: Snapshot | None) -> bool:
    """Whether the open notebook holds none of the words that the question is about, and it does not speak of what is
    seen there; without a notebook, whether it is about more than one word.
    """
    words = set(asked_words(question))
    if notebook is None:
        return len(words) > 1
    return (
        bool(words)
        and not _HERE.search(question)
        and not any(words & read(cell.source).counts.keys() for cell in notebook.cells)
    )


def search_words(question: str) -> str:
    """The question as the search gets it: without the words that only ask, or say where to look."""
    return " ".join(asked_names(_BEYOND.sub(" ", question))) or question


def chosen(found: Sequence[FoundCell], *, asked_for: bool) -> tuple[FoundCell, ...]:
    """The found cells worth giving, in their order: those near the best, and unasked only where every word is there."""
    best = max((one.score for one in found), default=0.0)
    least = _OF_BEST * best if asked_for else max(_WHOLE, _OF_BEST * best)
    return tuple(one for one in found if one.score >= least)[:MOST_CELLS]


def summary(found: Sequence[FoundCell]) -> str:
    """``Found 4 cells in 3 notebooks``"""
    cells, notebooks = len(found), len({one.notebook.path for one in found})
    return f"Found {cells} {_many('cell', cells)} in {notebooks} {_many('notebook', notebooks)}"


def _many(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def found_items(found: Sequence[FoundCell], redact: Redact, tokens: int) -> Iterator[ContextItem]:
    """The found cells as items in at most ``tokens``, in their order; what comes last is cut or left out."""
    for at, one in enumerate(found):
        share = max(_LEAST_CELL, 2 * tokens // (len(found) - at + 1))
        item = _item(one, redact, min(share, tokens))
        if item is None:
            continue
        tokens -= estimate_tokens(item.text) + 1
        yield item


def held(found: Sequence[FoundCell], items: Sequence[ContextItem]) -> tuple[FoundCell, ...]:
    """Those of the found cells that are among the items."""
    given = {(item.path, item.cell_id) for item in items if item.kind == "source"}
    return tuple(one for one in found if (one.notebook.path, one.cell.id) in given)


def _item(one: FoundCell, redact: Redact, tokens: int) -> ContextItem | None:
    path = encodable(one.notebook.path[:400])
    about = f"From another notebook, {json.dumps(path, ensure_ascii=False)} (cite it by its name and cell):"
    item = cell_item(one.cell, one.notebook, redact, tokens - estimate_tokens(about) - 1)
    if item is None:
        return None
    name = path.rpartition("/")[2]
    return replace(item, kind="source", label=f"{name} · {number(one.cell)}", text=f"{about}\n{item.text}")
