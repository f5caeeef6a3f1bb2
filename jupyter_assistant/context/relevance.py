"""Which cells a question is about: words in common (BM25), and the names that cells define for each other.

The law: linear in the cells, deterministic, and the same for every language: what a cell says and defines is read by
``words``, here it is only weighed.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..notebooks.cells import Cell
from .words import Words, asked_names, asked_words, initials, meant_names, read, root, said, words

_HOPS = 4
_LINK = 6.0
_HOP_DECAY = 0.4
_COMMON_LOSS = 0.5
"""Of a link's weight that is lost where every cell uses the name that makes it."""
_SEEDS = 2
_SEED_SHARE = 0.2
_SECTION_SHARE = 0.2
_BESIDE_SHARE = 0.3
"""Of a seed's own score that is given to the cells it depends on, those of its section, and the prose beside it."""
_SECTION_CELLS = 5
_DEFINES_ASKED = 3.0
_OUTPUT_WEIGHT = 0.35
_HEADING_WEIGHT = 0.35
_ROOT_WEIGHT = 0.5
_INITIALS_WEIGHT = 1.0
_OUTPUT_CHARS = 600

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(\S.*)$", re.MULTILINE)


def ranked(
    cells: Sequence[Cell], question: str, *, active: int | None, failing: Iterable[int] = (), missing: str = ""
) -> list[int]:
    """The positions of ``cells``, most relevant first: words shared with the question and, for half, with what the
    errors say (``missing``: a column, a name); names the question asks for, in full or by their first letters,
    where they are defined; what the active, the failing and the best cells depend on, and what stands beside the best;
    then nearness to the active cell (to the
    end, if there is none).
    """
    read_cells = [read(cell.source) for cell in cells]
    query = {**dict.fromkeys(words(missing[:_OUTPUT_CHARS]), 0.5), **Counter(asked_words(question))}
    scores = _bm25(read_cells, [_output_words(cell) for cell in cells], _heading_words(cells), query)
    _add_definers(scores, read_cells, meant_names(question) | meant_names(missing))
    _add_initials(scores, read_cells, asked_names(question))
    links = Links(read_cells)
    _add_around_best(scores, cells, links)
    for position in [*failing, *([] if active is None else [active])]:
        _add_links(scores, links, position, _LINK)
    here = len(cells) if active is None else active
    return sorted(range(len(cells)), key=lambda position: (-scores[position], abs(position - here), position))


def _output_words(cell: Cell) -> frozenset[str]:
    if not cell.outputs:
        return frozenset()
    return said(*(output.text[:_OUTPUT_CHARS] for output in cell.outputs[:4]))


def _heading_words(cells: Sequence[Cell]) -> list[frozenset[str]]:
    """The words of the heading each cell stands under."""
    found: list[frozenset[str]] = []
    under: frozenset[str] = frozenset()
    for cell in cells:
        if cell.cell_type == "markdown" and (headings := _HEADING.findall(cell.source[:_OUTPUT_CHARS])):
            under = said(headings[-1])
            found.append(frozenset())  # its own words count already
        else:
            found.append(under)
    return found


def _bm25(
    documents: Sequence[Words],
    outputs: Sequence[frozenset[str]],
    headings: Sequence[frozenset[str]],
    query: Mapping[str, float],
) -> list[float]:
    """Okapi BM25 (k1 1.2, b 0.75) of each document for the weighted words of ``query``; those of an output and the
    heading above for less.
    """
    scores = [0.0] * len(documents)
    mean = sum(document.length for document in documents) / max(1, len(documents)) or 1.0
    norms = [1.2 * (0.25 + 0.75 * document.length / mean) for document in documents]
    for word, weight in query.items():
        hits = [(at, document.counts[word]) for at, document in enumerate(documents) if word in document.counts]
        said = [at for at, text in enumerate(outputs) if word in text]
        rarity = weight * math.log(1 + (len(documents) + 0.5) / (len(hits) + len(said) + 0.5))
        for at, count in hits:
            scores[at] += rarity * count * 2.2 / (count + norms[at])
        for at in said:
            scores[at] += rarity * _OUTPUT_WEIGHT
        for at, heading in enumerate(headings):
            if word in heading:
                scores[at] += rarity * _HEADING_WEIGHT
    _add_roots(scores, documents, query)
    return scores


def _add_roots(scores: list[float], documents: Sequence[Words], query: Mapping[str, float]) -> None:
    """Raise the cells that hold not a word of ``query`` but one that begins like it."""
    for word, weight in query.items():
        begins = root(word)
        hits = [at for at, document in enumerate(documents) if begins in document.roots and word not in document.counts]
        rarity = math.log(1 + (len(documents) + 0.5) / (len(hits) + 0.5))
        for at in hits:
            scores[at] += weight * rarity * _ROOT_WEIGHT


def _add_definers(scores: list[float], documents: Sequence[Words], asked: frozenset[str]) -> None:
    """Raise the cells that define a name of the question, the fewer they are the more."""
    for name in sorted(asked):
        definers = [at for at, document in enumerate(documents) if name in document.defines]
        for at in definers:
            scores[at] += _DEFINES_ASKED / len(definers)


def _add_initials(scores: list[float], documents: Sequence[Words], asked: Sequence[str]) -> None:
    """Raise the cells with a name made of the first letters of what is asked: ``lr`` for "learning rate"."""
    for short in sorted(initials(asked)):
        hits = [at for at, document in enumerate(documents) if short in document.short]
        rarity = math.log(1 + (len(documents) + 0.5) / (len(hits) + 0.5))
        for at in hits:
            scores[at] += rarity * _INITIALS_WEIGHT


def _add_around_best(scores: list[float], cells: Sequence[Cell], links: Links) -> None:
    """Raise what the best cells depend on and the prose beside them: it explains what they do and find."""
    best = sorted((at for at, score in enumerate(scores) if score > 0), key=lambda at: -scores[at])[:_SEEDS]
    weights = [(at, scores[at]) for at in best]
    for at, weight in weights:
        _add_links(scores, links, at, weight * _SEED_SHARE)
        for under in _section(cells, at):
            scores[under] += weight * _SECTION_SHARE
        for beside in (at - 1, at + 1):
            if 0 <= beside < len(cells) and cells[beside].cell_type == "markdown":
                scores[beside] += weight * _BESIDE_SHARE


def _section(cells: Sequence[Cell], at: int) -> Iterator[int]:
    """The code cells under the prose at ``at``, up to the next heading."""
    if cells[at].cell_type != "markdown":
        return
    for position in range(at + 1, min(len(cells), at + 1 + _SECTION_CELLS)):
        if cells[position].cell_type == "markdown" and _HEADING.search(cells[position].source[:_OUTPUT_CHARS]):
            return
        if cells[position].cell_type == "code":
            yield position


def _add_links(scores: list[float], links: Links, start: int, weight: float) -> None:
    """Raise the cells that ``start`` depends on, those at once the most."""
    raised, frontier = {start}, [start]
    for _ in range(_HOPS):
        found: dict[int, float] = {}
        for position in frontier:
            for definer, telling in links.behind(position):
                if definer not in raised:
                    found[definer] = max(found.get(definer, 0.0), telling)
        for position, telling in found.items():
            scores[position] += weight * telling
        raised.update(found)
        frontier, weight = list(found), weight * _HOP_DECAY


class Links:
    """Which cells define or last changed the names that a cell uses."""

    def __init__(self, documents: Sequence[Words]) -> None:
        self._documents = documents
        self._users = Counter(name for document in documents for name in document.uses)
        self._definers: dict[str, list[int]] = {}
        for position, document in enumerate(documents):
            for name in document.defines:
                self._definers.setdefault(name, []).append(position)

    def behind(self, position: int) -> Iterator[tuple[int, float]]:
        """The cells that one depends on, and how much the name says that leads there: all use that of a library."""
        for name in sorted(self._documents[position].uses & self._definers.keys()):
            telling = 1 - _COMMON_LOSS * self._users[name] / len(self._documents)
            for definer in _nearest(self._definers[name], position):
                yield definer, telling


def _nearest(definers: Sequence[int], position: int) -> Sequence[int]:
    """The last two definers before ``position``; one after it only if there is none before (cells run out of order)."""
    here = bisect_left(definers, position)
    if here:
        return definers[max(0, here - 2) : here]
    after = bisect_right(definers, position)
    return definers[after : after + 1]
