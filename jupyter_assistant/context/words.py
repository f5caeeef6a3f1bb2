"""What a text says: its words, stemmed, and the names it defines and uses; pure.

The law: linear in the text, and the same for every language: names are read with patterns that fit Python, R, Julia,
JavaScript and SQL, not with a parser, and words are brought together by what they begin with. It only has to rank.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

REMEMBERED = 4096
ROOT_CHARS = 5
"""Letters that words of one family mostly share, in languages that are written with an alphabet."""

_READ_CHARS = 16_000
"""Characters of a cell's source that are read: bounds the work for a cell that holds data."""
_MOST_TIMES = 4
_SHORT_CHARS = 4
_INITIALS = range(2, 5)
"""Words in a row that a name may be made of by their first letters."""
_MOST_ASKED = 60

_NAME = re.compile(r"[^\W\d]\w*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\dA-Za-z_]+|\d+")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_DEFINITION = re.compile(
    r"^[ \t]*(?:async[ \t]+)?(?:def|class|function|struct|const|let|var|global)[ \t]+([^\W\d]\w*)"
    r"|^[ \t]*(?:for|with)[ \t][^\n]{0,200}?\b(?:as[ \t]+)?([^\W\d]\w*)(?=[ \t]+in\b|[ \t]*:)"
    r"|^[ \t]*([^\W\d][\w.$, \t]{0,120}?)(?:\[[^\]\n]{0,120}\][\w.]{0,60}){0,2}[ \t]{0,40}(?::[^=\n]{1,60})?"
    r"(?:[-+*/%&|^@]|//|\*\*|>>|<<|)(?:=(?!=)|<-|<<-)",
    re.MULTILINE,
)
_MAGIC = re.compile(r"^[ \t]*%%?(?:sql[ \t]+([^\W\d]\w*)[ \t]*<<|capture[ \t]+([^\W\d]\w*))", re.MULTILINE)
_TABLE = re.compile(
    r"\bcreate[ \t]{1,9}(?:or[ \t]{1,9}replace[ \t]{1,9})?(?:temp(?:orary)?[ \t]{1,9})?(?:view|table)[ \t]{1,9}"
    r"(?:if[ \t]{1,9}not[ \t]{1,9}exists[ \t]{1,9})?[\w.]*?([^\W\d]\w*)\b(?!\.)",
    re.IGNORECASE,
)
_NEW_COLUMN = re.compile(r"\b(?:assign|mutate|transmute|summari[sz]e|with_columns)\(([^\n]{1,300})")
_KEYWORD = re.compile(r"([^\W\d]\w*)[ \t]*=(?!=)")
_KEY = re.compile(r"""\[[ \t]*["']([^\W\d]\w*)["'][ \t]*\][ \t]*(?:[-+*/%&|^@]|//|\*\*|)=(?!=)""")
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+[\w.]+[ \t]+)?(?:import|using|library\()[ \t]*([^\n#]{1,300})", re.MULTILINE)
_ALIAS = re.compile(r"[\w.]+[ \t]+as[ \t]+(\w+)|([^\W\d]\w*)")
_ENGLISH = """a an and are as at be by can cell cells code could do does for from get give has have how i if in
into is it its make me my not notebook of on or our please print return self show so tell that the their then there
these this those to true false none use was we were what when where which who why will with would you your import def"""
_VERBS = """add calculate calculated change compare compared compute computed define defined describe different
does doing explain fix function good happen happened happens here know like look make many meaning much need needs
number please really set should something this use used variable which work works write wrong"""
_ELSEWHERE = """aber als auf aus bei bis das dem den der des die diese diesem dieser dieses du ein eine einem einen
einer er es für hat ich im ist kann man mein mit nach nicht oder sich sie sind um und uns vom von vor war warum was
welche welchem welchen welcher welches wer werden wie wir wird wo woher worden wozu wurde wurden zu zum zur über au
aux avec ce ces cet cette comment dans du elle en est et été il ils je la le les leur mais même ne nous où pas pour
pourquoi qu quand que quel quelle quelles quels qui quoi sa se ses son sont sur tu un une vous cuál cuáles cuándo cómo
de del dónde el esta este esto está fue hay las lo los más para pero por porque qué se si su sus también una unas unos
à"""
_STOP = frozenset(_ENGLISH.split())
_ASKING = frozenset(_VERBS.split())
"""Words by which people ask, which say nothing of where the answer is."""
_ASKING_ELSEWHERE = frozenset(_ELSEWHERE.split())
"""The same in German, French and Spanish: of a question only, since in code they may be names."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a source says: ``counts`` of its stemmed words (``length`` in all), what they begin with (``roots``), the
    ``short`` parts of its names, and the names it ``defines`` and ``uses``.
    """

    counts: Mapping[str, int]
    length: int
    roots: frozenset[str]
    short: frozenset[str]
    defines: frozenset[str]
    uses: frozenset[str]


@lru_cache(REMEMBERED)
def read(source: str) -> Words:
    """The words and names of a source; a pure function, remembered, since cells are asked about again and again."""
    source = source[:_READ_CHARS]
    names = Counter(_NAME.findall(source))
    counts = Counter(word for name, times in names.items() for word in _words(name) * min(times, _MOST_TIMES))
    return Words(
        dict(counts),
        sum(counts.values()),
        frozenset(filter(None, map(root, counts))),
        frozenset(part for name in names for part in name.lower().split("_") if len(part) <= _SHORT_CHARS),
        defined_names(source),
        frozenset(names),
    )


def words(text: str) -> list[str]:
    """The stemmed words of a text: names are split at case and underscores, and kept whole too; no stop words."""
    return [word for name in _NAME.findall(text) for word in _words(name)]


@lru_cache(REMEMBERED)
def said(*texts: str) -> frozenset[str]:
    """The words of some texts together; remembered, as ``read``."""
    return frozenset(word for text in texts for word in words(text))


def root(word: str) -> str:
    """What a word's family begins with; empty for what is too short, or no word of letters."""
    return word[:ROOT_CHARS] if len(word) >= ROOT_CHARS and word.isalpha() else ""


# ---------------------------------------------------------------- questions


def asked_words(question: str) -> list[str]:
    """The stemmed words of a question that tell what it is about."""
    return [word for name in asked_names(question) for word in _words(name)]


def asked_names(question: str) -> list[str]:
    """The words of a question that tell what it is about, as they are written."""
    found = [name for name in _NAME.findall(question) if may_be_meant(name)]
    return [name for name in found if name.lower() not in _ASKING_ELSEWHERE]


def meant_names(text: str) -> frozenset[str]:
    """All of a text that may be the name of something in code."""
    return frozenset(filter(may_be_meant, _NAME.findall(text)))


def may_be_meant(name: str) -> bool:
    """Whether a word of a question can be the name of something, rather than a word by which people ask."""
    return name.lower() not in _STOP and name.lower() not in _ASKING


def initials(asked: Sequence[str]) -> set[str]:
    """What words in a row are called for short: ``lr`` for a learning rate, ``es`` for an expected shortfall."""
    asked = asked[:_MOST_ASKED]
    spans = (asked[at : at + length] for length in _INITIALS for at in range(len(asked) - length + 1))
    return {"".join(word[0] for word in span).lower() for span in spans if all(len(word) > 2 for word in span)}


# ---------------------------------------------------------------- words


@lru_cache(REMEMBERED)
def _words(name: str) -> tuple[str, ...]:
    if not name.isascii():
        return _words_beyond_ascii(name)
    whole = name.lower()
    parts = [part.lower() for part in _PART.findall(name)]
    joined = [whole] if len(parts) > 1 else []
    return tuple(word for word in [*joined, *(_stem(part) for part in parts)] if len(word) > 1 and word not in _STOP)


def _words_beyond_ascii(name: str) -> tuple[str, ...]:
    """The words of a name without its accents; of scripts that are written without spaces, all pairs of characters."""
    pairs = [run[at : at + 2] for run in _UNSPACED.findall(name) for at in range(max(1, len(run) - 1))]
    bare = unicodedata.normalize("NFKD", _UNSPACED.sub(" ", name))
    parts = "".join(char for char in bare if not unicodedata.combining(char)).split()
    return (*pairs, *(word for part in parts for word in (_words(part) if part.isascii() else (part.lower(),))))


def _stem(word: str) -> str:
    """``renamed``, ``renaming``, ``renames`` and ``rename`` become one; crude, for matching only."""
    if word in _STOP:
        return word
    for suffix in ("ing", "ed", "es", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


# ---------------------------------------------------------------- names


def defined_names(source: str) -> frozenset[str]:
    """The names a source binds or changes: assignments (also to an item or attribute, and the item's key), imports,
    definitions, loops.
    """
    found: set[str] = set()
    for function, loop, targets in _DEFINITION.findall(source):
        found.update(name for name in (function, loop) if name)
        for target in targets.split(","):
            table, _, column = target.partition("$")
            found.update((table.partition(".")[0].strip(), column.strip()))
    found.discard("")
    found.update(_KEY.findall(source))
    found.update(_TABLE.findall(source))
    for columns in _NEW_COLUMN.findall(source):
        found.update(_KEYWORD.findall(columns))
    for variable, captured in _MAGIC.findall(source):
        found.add(variable or captured)
    for names in _IMPORT.findall(source):
        found.update(alias or name for alias, name in _ALIAS.findall(names))
    return frozenset(found)
