"""Which cells a question is about: words in common (BM25), and the names that cells define for each other.

The law: linear in the cells, deterministic, and the same for every language whose definitions look like
``name = …``, ``name <- …``, ``def name``, ``function name`` or ``import name``. Names are read with patterns, not
with a parser: it only has to rank.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..notebooks.cells import Cell

_READ_CHARS = 16_000
"""Characters of a cell's source that are read for ranking: bounds the work for a cell that holds data."""

_REMEMBERED = 4096
_HOPS = 4
_LINK = 6.0
_ACTIVE_LINK = 6.0
_HOP_DECAY = 0.6
_SEEDS = 1
_SEED_SHARE = 0.2
"""Of a seed's own score that the cells it depends on are given; the prose beside it gets ``_BESIDE_SHARE``."""
_BESIDE_SHARE = 0.2
_DEFINES_ASKED = 4.0
_OUTPUT_WEIGHT = 0.5
_HEADING_WEIGHT = 0.25
_OUTPUT_CHARS = 600

_NAME = re.compile(r"[^\W\d]\w*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\dA-Za-z_]+|\d+")
_DEFINITION = re.compile(
    r"^[ \t]*(?:async[ \t]+)?(?:def|class|function|struct|const|let|var|global)[ \t]+([^\W\d]\w*)"
    r"|^[ \t]*(?:for|with)[ \t][^\n]{0,200}?\b(?:as[ \t]+)?([^\W\d]\w*)(?=[ \t]+in\b|[ \t]*:)"
    r"|^[ \t]*([^\W\d][\w., \t]{0,120}?)(?:\[[^\]\n]{0,120}\][\w.]{0,60}){0,2}[ \t]*(?::[^=\n]{1,60})?"
    r"(?:[-+*/%&|^@]|//|\*\*|>>|<<|)(?:=(?!=)|<-|<<-)",
    re.MULTILINE,
)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_KEY = re.compile(r"""\[[ \t]*["']([^\W\d]\w*)["'][ \t]*\][ \t]*(?:[-+*/%&|^@]|//|\*\*|)=(?!=)""")
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+[\w.]+[ \t]+)?(?:import|using|library\()[ \t]*([^\n#]{1,300})", re.MULTILINE)
_ALIAS = re.compile(r"[\w.]+[ \t]+as[ \t]+(\w+)|([^\W\d]\w*)")
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can cell cells code could do does for from get give has have how i if in "
        "into is it its make me my not notebook of on or our please print return self show so tell that the "
        "their then there these this those to true false none use was we were what when where which who why "
        "will with would you your import def ",
    )
)
_ASKING = frozenset(
    re.findall(
        r"\w+",
        "add calculate calculated change compare compared compute computed define defined describe different does "
        "doing explain fix function good happen happened happens "
        "here know like look make many meaning much need needs number please really set should something this use "
        "used variable which work works write wrong",
    )
)
"""Words by which people ask, which say nothing of where the answer is."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a source says: ``counts`` of its stemmed words, and the names it ``defines`` and ``uses``."""

    counts: Mapping[str, int]
    length: int
    defines: frozenset[str]
    uses: frozenset[str]


@lru_cache(_REMEMBERED)
def read(source: str) -> Words:
    """The words and names of a source; a pure function, remembered, since cells are asked about again and again."""
    source = source[:_READ_CHARS]
    names = _NAME.findall(source)
    counts = Counter(
        word for name, times in Counter(names).items() for word in _words(name) for _ in range(min(times, 4))
    )
    return Words(dict(counts), sum(counts.values()), defined_names(source), frozenset(names))


def defined_names(source: str) -> frozenset[str]:
    """The names a source binds or changes: assignments (also to an item or attribute, and the item's key), imports,
    definitions, loops.
    """
    found: set[str] = set()
    for function, loop, targets in _DEFINITION.findall(source):
        found.update(name for name in (function, loop) if name)
        found.update(target.strip().partition(".")[0].strip() for target in targets.split(",") if target.strip())
    found.update(_KEY.findall(source))
    for names in _IMPORT.findall(source):
        found.update(alias or name for alias, name in _ALIAS.findall(names))
    return frozenset(found)


def words(text: str) -> list[str]:
    """The stemmed words of a text: names are split at case and underscores, and kept whole too; no stop words."""
    return [word for name in _NAME.findall(text) for word in _words(name)]


def asked_words(question: str) -> list[str]:
    """The stemmed words of a question that tell what it is about."""
    return [word for name in asked_names(question) for word in _words(name)]


def asked_names(question: str) -> list[str]:
    """The words of a question that tell what it is about, as they are written."""
    return [name for name in _NAME.findall(question) if name.lower() not in _ASKING and name.lower() not in _STOP]


@lru_cache(_REMEMBERED)
def _words(name: str) -> tuple[str, ...]:
    whole = name.lower()
    parts = [part.lower() for part in _PART.findall(name)]
    joined = [whole] if len(parts) > 1 else []
    return tuple(word for word in [*joined, *(_stem(part) for part in parts)] if len(word) > 1 and word not in _STOP)


def _stem(word: str) -> str:
    """``renamed``, ``renaming``, ``renames`` and ``rename`` become one; crude, for matching only."""
    if word in _STOP:
        return word
    for suffix in ("ing", "ed", "es", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


def ranked(
    cells: Sequence[Cell], question: str, *, active: int | None, failing: Iterable[int] = (), missing: str = ""
) -> list[int]:
    """The positions of ``cells``, most relevant first: words shared with the question and, for half, with what the
    errors say (``missing``: a column, a name); names the question asks for, where they are defined; what the active,
    the failing and the best cells depend on, and the prose beside the best; then nearness to the active cell (to the
    end, if there is none).
    """
    read_cells = [read(cell.source) for cell in cells]
    query = {**dict.fromkeys(words(missing[:_OUTPUT_CHARS]), 0.5), **Counter(asked_words(question))}
    scores = _bm25(read_cells, [_output_words(cell) for cell in cells], _heading_words(cells), query)
    _add_definers(scores, read_cells, frozenset(_NAME.findall(question)) | frozenset(_NAME.findall(missing)))
    _add_around_best(scores, cells, read_cells)
    for position in failing:
        _add_links(scores, read_cells, position, _LINK)
    if active is not None:
        _add_links(scores, read_cells, active, _ACTIVE_LINK)
    here = len(cells) if active is None else active
    return sorted(range(len(cells)), key=lambda position: (-scores[position], abs(position - here), position))


def _output_words(cell: Cell) -> frozenset[str]:
    if not cell.outputs:
        return frozenset()
    return _text_words(tuple(output.text[:_OUTPUT_CHARS] for output in cell.outputs[:4]))


@lru_cache(_REMEMBERED)
def _text_words(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for text in texts for word in words(text))


def _heading_words(cells: Sequence[Cell]) -> list[frozenset[str]]:
    """The words of the heading each cell stands under."""
    found: list[frozenset[str]] = []
    under: frozenset[str] = frozenset()
    for cell in cells:
        if cell.cell_type == "markdown" and (headings := _HEADING.findall(cell.source[:_OUTPUT_CHARS])):
            under = _text_words((headings[-1],))
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
    return scores


def _add_definers(scores: list[float], documents: Sequence[Words], asked: frozenset[str]) -> None:
    """Raise the cells that define a name of the question, the fewer they are the more."""
    for name in asked:
        if len(name) < 3 or name.lower() in _STOP or name.lower() in _ASKING:
            continue
        definers = [at for at, document in enumerate(documents) if name in document.defines]
        for at in definers:
            scores[at] += _DEFINES_ASKED / len(definers)


def _add_around_best(scores: list[float], cells: Sequence[Cell], documents: Sequence[Words]) -> None:
    """Raise what the best cells depend on and the prose beside them: it explains what they do and find."""
    best = sorted((at for at, score in enumerate(scores) if score > 0), key=lambda at: -scores[at])[:_SEEDS]
    weights = [(at, scores[at]) for at in best]
    for at, weight in weights:
        _add_links(scores, documents, at, weight * _SEED_SHARE)
        for beside in (at - 1, at + 1):
            if 0 <= beside < len(cells) and cells[beside].cell_type == "markdown":
                scores[beside] += weight * _BESIDE_SHARE


def _add_links(scores: list[float], documents: Sequence[Words], start: int, weight: float) -> None:
    """Raise the cells that ``start`` depends on: those that define or last changed the names it uses, and theirs."""
    definers: dict[str, list[int]] = {}
    for position, document in enumerate(documents):
        for name in document.defines:
            definers.setdefault(name, []).append(position)
    raised, frontier = {start}, [start]
    for _ in range(_HOPS):
        found = {
            definer: None
            for position in frontier
            for name in sorted(documents[position].uses)
            for definer in _nearest(definers.get(name, ()), position)
            if definer not in raised
        }
        for position in found:
            scores[position] += weight
        raised.update(found)
        frontier, weight = list(found), weight * _HOP_DECAY


def _nearest(definers: Sequence[int], position: int) -> Sequence[int]:
    """The last two definers before ``position``; one after it only if there is none before (cells run out of order)."""
    here = bisect_left(definers, position)
    if here:
        return definers[max(0, here - 2) : here]
    after = bisect_right(definers, position)
    return definers[after : after + 1]
