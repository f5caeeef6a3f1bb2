"""What is looked for and where: words of a query, words hidden in names of code, headings, snippets; pure.

The law: any text is a valid query. What reaches the index is made of quoted strings and our own operators, so no
character of a query is ever syntax.

The index (SQLite FTS5, https://www.sqlite.org/fts5.html, tokenizer ``porter unicode61``) folds case and accents, takes
``_`` as a space and brings English words to their stems. What it cannot see is added beside the text by ``parts``: the
words of ``camelCase`` names, and the characters of scripts written without spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from ..cells import Cell

MAX_QUERY = 2_000
MAX_WORDS = 32
MIN_PREFIX = 3
MAX_PHRASE = 4
"""Characters of a script without spaces that are looked for as they stand."""
SNIPPET = 240
MAX_HEADING = 120
MAX_NAME = 100
MIN_STEM = 4
LEAD = 40

_QUOTED = re.compile(r'"([^"]*)"?|[“„«]([^“”»]*)[“”»]?')
_WORD = re.compile(r"\w+")
_PLAIN = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CAMEL = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z0-9_]*?(?:[a-z0-9][A-Z]|[A-Z][A-Z][a-z])[A-Za-z0-9_]*")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?=\S)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_SPACES = re.compile(r"\s+")
_BEYOND_ASCII = re.compile("[^\0-\x7f]")

# Words a question is made of, which say nothing about the cell that answers it.
_ENGLISH = """a about am an and any are as at be been but by can could did do does for from had has have how i if in
into is it its me my of on or our should so some than that the their them then there these they this those to us was we
were what when where which who whose why will with would you your"""
_GERMAN = """aber als auf aus bei bis das dem den der des die du ein eine einem einen einer er es für hat ich im ist
kann man mein mit nach nicht oder sich sie sind und uns vom von vor war warum was welche welcher welches wer wie wir
wird wo zu zum zur über"""
_COMMON = frozenset(f"{_ENGLISH} {_GERMAN}".split())


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: an expression of the index for each word or phrase.

    ``unfinished`` is the last as the beginning of a word ("" if it is none); ``words`` are what a snippet should
    show, folded.
    """

    expressions: tuple[str, ...] = ()
    unfinished: str = ""
    words: tuple[str, ...] = ()


# ---------------------------------------------------------------- queries


def parse(text: str) -> Query:
    """A query in a person's or model's words; quotes hold phrases together, the last word may be unfinished."""
    text = storable(unicodedata.normalize("NFC", text[:MAX_QUERY]))
    phrases = [" ".join(_WORD.findall(mark[1] or mark[2] or "")) for mark in _QUOTED.finditer(text)]
    found = chain.from_iterable(map(_pairs, _WORD.findall(_QUOTED.sub(" ", text))))
    loose = _telling(list(found), alone=not any(phrases))
    parts = list(dict.fromkeys(filter(_PLAIN.search, [*phrases, *loose])))[:MAX_WORDS]
    open_end = bool(loose) and parts[-1:] == loose[-1:] and len(loose[-1]) >= MIN_PREFIX and text.endswith(loose[-1])
    shown = dict.fromkeys(_PLAIN.findall(folded(" ".join(map(_split, parts)))))
    expressions = tuple(map(_expression, parts))
    return Query(expressions, _expression(parts[-1], "*") if open_end else "", tuple(shown)[:MAX_WORDS])


def _pairs(word: str) -> list[str]:
    """A word as it is; of a sentence written without spaces the pairs of its characters, since it is no phrase."""
    runs = _UNSPACED.findall(word)
    if not any(len(run) > MAX_PHRASE for run in runs):
        return [word]
    pairs = [run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))]
    return [*_UNSPACED.sub(" ", word).split(), *pairs]


def _telling(words: Sequence[str], *, alone: bool) -> list[str]:
    """The words without those that only make a question of them, unless there are no others."""
    telling = [word for word in words if word.lower() not in _COMMON]
    return telling or (list(words) if alone else [])


def _expression(word: str, end: str = "") -> str:
    """A word or phrase as an expression of the index, in each form in which it may stand there."""
    found = [f'"{form}"{end}' for form in dict.fromkeys([word, _split(word), _spaced(word)])]
    return found[0] if len(found) == 1 else f"({' OR '.join(found)})"


# ---------------------------------------------------------------- texts


def storable(text: str) -> str:
    """Text that the index can take: neither half a surrogate pair nor a NUL, which would end it."""
    if "\0" in text:
        text = text.replace("\0", " ")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def parts(text: str) -> str:
    """The words inside names such as ``unitPrice`` and ``HTTPServer``, and single characters of unspaced scripts."""
    names = dict.fromkeys(name for name in _CAMEL.findall(text) if len(name) <= MAX_NAME)
    found = map(_split, names)
    if text.isascii():
        return " ".join(found)
    return " ".join(chain(found, map(_spaced, dict.fromkeys(_UNSPACED.findall(text)))))


def _split(word: str) -> str:
    return _HUMP.sub(" ", word)


def _spaced(word: str) -> str:
    return _UNSPACED.sub(lambda run: f" {' '.join(run[0])} ", word).strip()


def titles(cells: Iterable[Cell], otherwise: str) -> list[str]:
    """For each cell the heading it stands under: its own first one, else the nearest before it, else ``otherwise``."""
    found, current = [], otherwise
    for cell in cells:
        inside = headings(cell.source) if cell.cell_type == "markdown" else []
        found.append(inside[0] if inside else current)
        current = inside[-1] if inside else current
    return found


def headings(markdown: str) -> list[str]:
    """The text of each ``#`` heading outside code fences."""
    found, fence = [], ""
    for line in markdown.splitlines():
        if mark := _FENCE.match(line):
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        elif not fence and (mark := _HEADING.match(line)):
            text = line[mark.end() :].rstrip("# \t")
            found.append((text.strip("*_` ") or text or line.strip())[:MAX_HEADING])
    return found


# ---------------------------------------------------------------- snippets


def folded(text: str) -> str:
    """Lower case without accents, character by character, so that places in it are places in ``text``."""
    return text.lower() if text.isascii() else _BEYOND_ASCII.sub(lambda found: _folded(found[0]), text).lower()


@lru_cache(4_096)
def _folded(char: str) -> str:
    base = unicodedata.normalize("NFD", char)[0].lower()
    return base if len(base) == 1 else char


def snippet(texts: Sequence[str], words: Sequence[str]) -> str:
    """At most about ``SNIPPET`` characters, on one line, around most of the words; ``texts`` in order of preference."""
    stems = list(dict.fromkeys(word[: max(MIN_STEM, len(word) - 3)] for word in words))
    for start in (r"(?<![^\W_])", ""):  # where words begin; else inside them, as in names such as unitPrice
        for text in texts if stems else ():
            if places := _places(text, start, stems):
                return _window(text, *_densest(places))
    return _window(next(filter(str.strip, texts), ""), 0, 0)


def _places(text: str, start: str, stems: Sequence[str]) -> list[tuple[int, int]]:
    """Where one of the stems stands, and which."""
    choice = "|".join(map(re.escape, sorted(stems, key=len, reverse=True)))
    found = re.finditer(f"{start}(?:{choice})", folded(text))
    return [(match.start(), stems.index(match[0])) for match in found]


def _densest(places: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """First and last place of the window that holds most different words; the earliest of equals."""
    best, best_count, first = (places[0][0], places[0][0]), 0, 0
    for last, (at, _) in enumerate(places):
        while at - places[first][0] > SNIPPET - 2 * LEAD:
            first += 1
        count = len({stem for _, stem in places[first : last + 1]})
        if count > best_count:
            best, best_count = (places[first][0], at), count
    return best


def _window(text: str, first: int, last: int) -> str:
    start = max(0, min(first, max(first - LEAD, last + LEAD - SNIPPET)))
    if start and (gap := _SPACES.search(text, start - 1, first)):
        start = gap.end()
    end = min(len(text), start + SNIPPET)
    if end < len(text) and (cut := text.rfind(" ", last + LEAD, end)) > 0:
        end = cut
    shown = _SPACES.sub(" ", text[start:end]).strip()
    return f"{'… ' if text[:start].strip() else ''}{shown}{' …' if text[end:].strip() else ''}"
