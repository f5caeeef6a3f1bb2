"""Why a cell failed: the error in plain words, its place, a likely cause, and what to do next.

The law: it points only at what the cells that were given show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...messages import CellError
from .causes import cause_of
from .evidence import Cited, Evidence, Piece, citing
from .exceptions import Meaning, clue_for, meaning_of
from .markdown import block, code, listing
from .tracebacks import Failure

_HEADLINE_CHARS = 160
_COMPILED_NAME = re.compile(r"\s*\([^()\s]{1,200}, line \d+\)$")
"""What a SyntaxError adds to its message: the name IPython compiled the cell under."""


def explained(failure: Failure, evidence: Evidence) -> Iterator[Piece]:
    """The explanation of one failure."""
    cell, error = failure.cell, failure.error
    meaning = clue_for(failure.name, error.value) or meaning_of(failure.name)
    yield Cited(cell, failure.places[0].line if failure.places else 1)
    yield f"**{cell.ref} fails with {code(_headline(error), _HEADLINE_CHARS)}.** {meaning.says}\n\n"
    yield from _place(failure)
    cause = cause_of(failure, evidence)
    if cause:
        yield f"**Likely cause:** {cause.says}\n\n"
        yield from _seen(cause.seen)
    yield f"**Next step:** {cause.next_step if cause else _step(meaning, failure)}\n\n"


def _headline(error: CellError) -> str:
    value = _COMPILED_NAME.sub("", error.value)
    return f"{error.name}: {value}" if value else error.name


def _step(meaning: Meaning, failure: Failure) -> str:
    again = "" if failure.name == "KeyboardInterrupt" else f" Then run {failure.cell.ref} again."
    return meaning.next_step + again


def _place(failure: Failure) -> Iterator[Piece]:
    if not failure.places:
        if "In[" in failure.error.traceback:
            yield "The line in the traceback is no longer in the cell: it was edited after it failed. "
            yield "Run it again to see whether it still fails.\n\n"
        return
    last, first = failure.places[-1], failure.places[0]
    inside = f", in {code(last.function)}" if last.function else ""
    if last.cell is failure.cell:
        yield f"It happens in line {last.line}{inside}:\n\n"
    else:
        yield f"It happens in {last.cell.ref}, line {last.line}{inside}, "
        yield f"which {failure.cell.ref} calls in line {first.line}:\n\n"
    yield Cited(last.cell, last.line)
    yield block(last.cell.line(last.line).strip(), last.cell.language)


def _seen(seen: Sequence[Cited]) -> Iterator[Piece]:
    for place in seen[:3]:
        yield place
        yield f"{place.cell.ref}, line {place.line}:\n\n"
        yield block(place.cell.statement(place.line), place.cell.language)


def others_said(explained_failure: Failure, all_failures: Sequence[Failure]) -> Iterator[Piece]:
    """The other failed cells, briefly."""
    others = [failure for failure in all_failures if failure.cell is not explained_failure.cell]
    if not others:
        return
    for failure in others[:12]:
        yield Cited(failure.cell)
    names = listing([f"{failure.cell.ref} ({code(failure.name)})" for failure in others])
    yield f"Also failing: {names}. Ask about one of them by its number.\n\n"


def not_run_after(failure: Failure, evidence: Evidence) -> Iterator[Piece]:
    """The code cells after the failed one that were not run, if any."""
    waiting = [cell for cell in evidence.code_cells if cell.number > failure.cell.number and not cell.run]
    waiting = [cell for cell in waiting if cell.content.source.strip()]
    if waiting and not any(cell.run for cell in evidence.code_cells if cell.number > failure.cell.number):
        yield f"The code cells after it have not been run: {citing(waiting)}.\n\n"
