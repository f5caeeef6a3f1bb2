"""What a question asks for, told by its words; English.

The law: a question about a name the notebook has is about that name, whatever else it says; what nothing here
recognises is a search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from . import cells, kernel, names, overview, search
from .causes import closest
from .evidence import Evidence, GivenCell, Piece
from .failures import explained, not_run_after, others_said
from .markdown import code
from .tracebacks import Failure, failures

_FAILS = re.compile(
    r"\b(fail(s|ed|ing|ure)?|errors?|exceptions?|traceback|stack ?trace|broken?|crash(es|ed)?|wrong|bugs?|fix(es)?"
    r"|debug|(does|do|did)(n't| not|nt) (work|run)|not working|mend|repair|solve|raises?)\b"
    r"|\b[A-Z]\w*(Error|Exception)\b",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"\b(where|which cells?|what cells?|find|locate|who|computed?|calculated?|defined?|assigned|imported|created?|set"
    r"|used?|uses|comes? from|made|origin|change[sd]?)\b",
    re.IGNORECASE,
)
_USED = re.compile(r"\b(used|uses|who)\b", re.IGNORECASE)
_WHAT_DOES = re.compile(
    r"\b(what|how|explain|describe|document\w*|help|signature|arguments?|parameters?|returns?)\b", re.IGNORECASE
)
_OVERVIEW = re.compile(
    r"\b(overview|outline|summar\w+|structure|contents?|sections?|chapters?)\b"
    r"|\b(what|explain|describe|tell)\b.{0,40}\b(notebook|file|document|analysis|this all|all this)\b",
    re.IGNORECASE,
)
_INVENTORY = re.compile(
    r"\b(which|what|list|show|all)\b.{0,30}\b(variables?|data ?frames?|functions?|names?|packages?|librar(y|ies)"
    r"|modules?|imports?)\b",
    re.IGNORECASE,
)
_STATE = re.compile(
    r"(\b(not|never|un)|n't)[ -]?(been )?(run|executed)\b|\bout of order\b|\border\b.{0,20}\b(run|executed)\b"
    r"|\bstale\b",
    re.IGNORECASE,
)
_THIS = re.compile(
    r"\b(this|that|the|active|current|selected|my)\s+(cell|code|selection|line|snippet|block)\b|\bselection\b"
    r"|\b(what|how|explain|describe)\b.{0,20}\b(this|that|it|here)\b",
    re.IGNORECASE,
)
_CELL = re.compile(r"\bcell\s*#?\s*(\d{1,6})\b|\[cell (\d{1,6})\]", re.IGNORECASE)
_TICKED = re.compile(r"`([^`\n]{1,100})`|[\"'“‘]([^\"'”’\n]{1,100})[\"'”’]")
_NAME = re.compile(r"[^\W\d]\w*")
_PRONOUN = re.compile(r"\b(it|this|that|they|them|its)\b", re.IGNORECASE)
_GREETING = re.compile(
    r"^\W*(hi|hello|hey|help|thanks?|thank you|who are you|what can you do)\b.{0,20}$", re.IGNORECASE
)
_CONNECTING = re.compile(
    r"\b(connect|set ?up|configure|add|choose|switch|use)\b.{0,40}"
    r"\b(models?|llms?|gateway|api key|openai|ollama|gpt)\b",
    re.IGNORECASE,
)
_SHORT_WORDS = 4
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a about all an and any are as at be been but by can cell cells code could did do does for from get "
        "gives had has have here how i if in into is it its list make me my no not notebook of on one or "
        "our out please show so some tell than that the their them then there these they this those to us "
        "use used uses value was we were what when where which who whose why will with would you your "
        "computed calculated defined find explain describe",
    )
)


def answer(evidence: Evidence) -> Iterator[Piece]:
    """The answer to the question, piece by piece."""
    question = evidence.question[:4000]
    if evidence.elsewhere and not _CONNECTING.search(question):
        return search.elsewhere(evidence)
    if evidence.path is None and not evidence.cells:
        return search.connecting() if _CONNECTING.search(question) else search.introduction()
    name = asked_name(evidence)
    if _GREETING.search(question):
        return search.abilities()
    if evidence.kernel.documentation:
        return kernel.documentation(evidence)
    if name and _WHERE.search(question) and not _is_failure(question, name):
        return names.where(name, evidence, uses_only=bool(_USED.search(question)))
    if not name and _CONNECTING.search(question):
        return search.connecting()
    if cell := _numbered(question, evidence):
        return _about_cell(cell, question, evidence)
    if _numbers(question) and not _FAILS.search(question):
        return _no_such_cell(_numbers(question)[0], evidence)
    if _FAILS.search(question) and not (name and not failures(evidence)):
        return _failure(question, evidence)
    if name and _WHAT_DOES.search(question) and _is_function(name, evidence):
        return names.function(name, evidence)
    if told := _from_kernel(question, name, evidence):
        return told
    if _STATE.search(question):
        return _state(evidence)
    if _INVENTORY.search(question):
        return kernel.inventory(question, evidence) if evidence.kernel.variables else overview.inventory(evidence)
    if _OVERVIEW.search(question):
        return overview.overview(evidence)
    if _THIS.search(question) and not name and (here := _here(evidence)):
        return here
    if name and (_TICKED.search(question) or len(question.split()) <= _SHORT_WORDS):
        return names.where(name, evidence)
    return _by_words(question, evidence)


# ---------------------------------------------------------------- failures


def _is_failure(question: str, name: str) -> bool:
    """Asks why, not where: ``why is it wrong where total is used`` is about the failure."""
    return bool(re.search(r"\bwhy\b", question, re.IGNORECASE)) and bool(_FAILS.search(question.replace(name, " ")))


def _failure(question: str, evidence: Evidence) -> Iterator[Piece]:
    found = failures(evidence)
    if not found:
        return _no_failure(evidence)
    chosen = _chosen(question, found, evidence)
    return chain(explained(chosen, evidence), not_run_after(chosen, evidence), others_said(chosen, found))


def _chosen(question: str, found: list[Failure], evidence: Evidence) -> Failure:
    """The failure a question means: of the active cell, of the exception it names, else the first: later ones often
    follow from it.
    """
    named = [failure for failure in found if failure.name and failure.name.lower() in question.lower()]
    active = [failure for failure in found if failure.cell is evidence.active]
    return next(iter([*(failure for failure in named if failure in active), *named, *active, *found]))


def _no_failure(evidence: Evidence) -> Iterator[Piece]:
    which = (
        f"the {len(evidence.cells)} cells I was given (of {evidence.total})" if evidence.missing else "this notebook"
    )
    yield f"No cell of {which} shows an error.\n\n"
    yield from overview.state(evidence)
    yield "\nIf something is wrong without an error, run the cell whose result you doubt and ask what it does.\n\n"


def _state(evidence: Evidence) -> Iterator[Piece]:
    said = list(overview.state(evidence))
    yield from said
    yield "\n" if said else ""
    if not said:
        yield "Every code cell I was given has been run, in order, without an error.\n\n"


# ---------------------------------------------------------------- cells


def _numbers(question: str) -> list[int]:
    return [int(first or second) for first, second in _CELL.findall(question)]


def _numbered(question: str, evidence: Evidence) -> GivenCell | None:
    return next((cell for number in _numbers(question) if (cell := evidence.numbered(number))), None)


def _no_such_cell(number: int, evidence: Evidence) -> Iterator[Piece]:
    if number > evidence.total or number < 1:
        yield f"The notebook has {evidence.total} cells; there is no cell {number}.\n\n"
    else:
        yield f"Cell {number} is not among the cells I was given. Click into it and ask again.\n\n"


def _about_cell(cell: GivenCell, question: str, evidence: Evidence) -> Iterator[Piece]:
    if cell.content.error and _FAILS.search(question):
        failure = next(failure for failure in failures(evidence) if failure.cell is cell)
        return chain(explained(failure, evidence), not_run_after(failure, evidence))
    return cells.cell(cell, evidence)


def _here(evidence: Evidence) -> Iterator[Piece] | None:
    if evidence.selection and evidence.selection.source.strip():
        return cells.selection(evidence.selection, evidence)
    if evidence.active:
        return cells.cell(evidence.active, evidence)
    return None


# ---------------------------------------------------------------- names


def asked_name(evidence: Evidence) -> str | None:
    """The name of the notebook that the question is about; for *it*, the one of the question before."""
    known = names.known_names(evidence) | {one.name for one in evidence.kernel.looked}
    if name := _name_in(evidence.question[:4000], known):
        return name
    if _PRONOUN.search(evidence.question) and not _THIS.search(evidence.question):
        return next((name for text in reversed(evidence.earlier) if (name := _name_in(text[:4000], known))), None)
    return None


def _name_in(text: str, known: set[str]) -> str | None:
    quoted: list[str] = [first or second for first, second in _TICKED.findall(text)]
    for phrase in quoted:
        plain = phrase.strip().removesuffix("()")
        if plain in known:
            return plain
        if inner := next((match[0] for match in _NAME.finditer(plain) if match[0] in known), None):
            return inner
    words: list[str] = _NAME.findall(text)
    whole = [word for word in words if word in known and word.lower() not in _STOP]
    if joined := next((word for word in whole if "_" in word), None):
        return joined
    return _joined(words, known, (4, 3, 2)) or max(whole, key=len, default=None) or _joined(words, known, (1,))


def _joined(words: list[str], known: set[str], lengths: tuple[int, ...]) -> str | None:
    """Words that make a name together (``monthly revenue`` for ``monthly_revenue``), or differ from it in case."""
    folded = {name.replace("_", "").lower(): name for name in sorted(known)}
    for length in lengths:
        for at in range(len(words) - length + 1):
            phrase = "".join(words[at : at + length]).replace("_", "").lower()
            if phrase in folded and phrase not in _STOP and len(phrase) > 2:
                return folded[phrase]
    return None


def _from_kernel(question: str, name: str | None, evidence: Evidence) -> Iterator[Piece] | None:
    """What a name holds in the kernel now, if the kernel was asked for this question."""
    looked = evidence.kernel.looked_at(name) if name else None
    return kernel.variable(looked, evidence) if looked and not _STATE.search(question) else None


def _is_function(name: str, evidence: Evidence) -> bool:
    return any(one.name == name for cell in evidence.code_cells for one in cell.facts.functions)


def _by_words(question: str, evidence: Evidence) -> Iterator[Piece]:
    words = [word.lower() for word in _NAME.findall(question) if len(word) > 2 and word.lower() not in _STOP]
    if _WHERE.search(question):
        asked = [first or second for first, second in _TICKED.findall(question)]
        asked += [word for word in _NAME.findall(question) if "_" in word]
        known = sorted(names.known_names(evidence))
        for name in asked:
            if match := closest(name, known):
                return chain(_did_you_mean(name, match), names.where(match, evidence))
    return search.search(words, evidence)


def _did_you_mean(name: str, match: str) -> Iterator[Piece]:
    yield f"No cell I was given has {code(name)}. The nearest name is {code(match)}.\n\n"
