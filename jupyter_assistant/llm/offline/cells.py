"""One cell, or a selection: what it makes and needs, calls, reads and shows.

The law: it tells what the source does by its form, and does not guess at what is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...messages import CellContent
from . import facts
from .evidence import Cited, Evidence, GivenCell, Piece
from .facts import is_builtin
from .markdown import block, bullet, code, plain

_OUTPUT_LINES = 8


def cell(one: GivenCell, evidence: Evidence) -> Iterator[Piece]:
    """What a cell does: what it makes, needs, calls, reads and shows."""
    yield Cited(one)
    if not one.is_code:
        yield f"{one.ref} is {plain(one.content.cell_type)}:\n\n"
        yield block(one.content.source)
        return
    run = f"run as [{one.content.execution_count}]" if one.run else "not run"
    yield f"{one.ref} is a code cell ({run}).\n\n"
    yield from _does(one.facts, one, evidence)
    if one.content.output.strip():
        yield f"Its output begins:\n\n{block(_first_lines(one.content.output))}"


def selection(text: CellContent, evidence: Evidence) -> Iterator[Piece]:
    """What the selected text does."""
    where_ = evidence.numbered(text.index + 1)
    yield f"The selection{f' in {where_.ref}' if where_ else ''}:\n\n"
    known = facts.read(_dedented(text.source)) if text.cell_type == "code" else facts.Facts()
    yield block(text.source, "python" if known.parsed else "")
    if where_:
        yield Cited(where_)
    if text.cell_type == "code":
        yield from _does(known, where_, evidence)


def _dedented(text: str) -> str:
    lines = text.splitlines()
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    cut = min(indents, default=0)
    return "\n".join(line[cut:] for line in lines)


def _first_lines(text: str) -> str:
    return "\n".join(text.strip("\n").splitlines()[:_OUTPUT_LINES])


def _does(known: facts.Facts, here: GivenCell | None, evidence: Evidence) -> Iterator[Piece]:
    made = list(
        dict.fromkeys(bind.name for bind in known.binds if not bind.scope and bind.how in ("assigned", "loop", "with"))
    )
    changed = list(dict.fromkeys(bind.name for bind in known.binds if not bind.scope and bind.how == "changed"))
    said = [
        bullet("Makes", map(code, made)),
        bullet("Changes", map(code, (name for name in changed if name not in made))),
        bullet("Defines", (code(one.name + one.signature) for one in known.functions)),
        bullet("Imports", map(code, known.modules)),
        bullet("Reads", (code(path) for path, _ in known.reads)),
        bullet("Writes", (code(path) for path, _ in known.writes)),
        bullet("Makes columns", map(code, dict.fromkeys(key.text for key in known.keys if key.written))),
    ]
    for one in known.functions:
        if one.doc:
            said.append(f"- {code(one.name)}: {plain(one.doc)}\n")
    yield from (line for line in said if line)
    yield from _needs(known, here, evidence)
    calls = [name for name in known.calls if not is_builtin(name)]
    yield bullet("Calls", map(code, calls)) or ""
    if not known.parsed:
        yield "- I cannot read it as Python, so this is only what its lines look like.\n"
    yield "\n"


def _needs(known: facts.Facts, here: GivenCell | None, evidence: Evidence) -> Iterator[Piece]:
    """The names it uses with the cells they come from: the last one above that sets them."""
    own = {bind.name for bind in known.binds if not bind.scope and bind.how in ("function", "class", "imported")}
    needed = []
    for name, line in known.uses.items():
        if name in own or is_builtin(name) or _set_before(name, line, known):
            continue
        if source := _setter(name, here, evidence):
            yield Cited(source, next(bind.line for bind in source.facts.bound(name)))
            needed.append(f"{code(name)} from {source.ref}")
    yield bullet("Needs", needed)


def _set_before(name: str, line: int, known: facts.Facts) -> bool:
    return any(bind.name == name and bind.line < line and bind.how != "changed" for bind in known.binds)


def _setter(name: str, here: GivenCell | None, evidence: Evidence) -> GivenCell | None:
    number = here.number if here else evidence.total + 1
    setters = [
        cell
        for cell in evidence.code_cells
        if cell.number != number and any(not bind.scope for bind in cell.facts.bound(name))
    ]
    above = [cell for cell in setters if cell.number < number]
    return above[-1] if above else setters[0] if setters else None
