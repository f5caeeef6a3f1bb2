"""Names of the notebook: where they get their values, are changed and used, and what its functions do.

The law: a place is a cell and a line of it, and the line is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .evidence import Cited, Evidence, GivenCell, Piece, citing
from .facts import Bind, Function
from .markdown import block, code, plain

_MOST_PLACES = 6


def known_names(evidence: Evidence) -> set[str]:
    """Every name that a given cell binds, every module it imports, and every column or key it writes."""
    known: set[str] = set()
    for one in evidence.code_cells:
        known.update(bind.name for bind in one.facts.binds)
        known.update(one.facts.modules)
        known.update(_columns_made(one))
    return known


def _columns_made(cell: GivenCell) -> list[str]:
    written = [key.text for key in cell.facts.keys if key.written]
    return [*written, *(rename.new for rename in cell.facts.renames)]


def where(name: str, evidence: Evidence, *, uses_only: bool = False) -> Iterator[Piece]:
    """Where a name gets its value, is changed and is used; or only the last."""
    cells = evidence.code_cells
    made = [(cell, bind) for cell in cells for bind in _notable(_bound(name, cell))]
    columns = [(cell, line) for cell in cells for line in _lines_making(name, cell)]
    first = [(cell, bind) for cell, bind in made if bind.how != "changed"]
    changed = [(cell, bind) for cell, bind in made if bind.how == "changed"]
    making = [cell for cell, _ in (*made, *columns)]
    if not uses_only:
        yield from _defined(name, first)
        yield from _changed([cell for cell, _ in first], changed)
        yield from _column(name, columns)
    yield from _used(name, making, cells, bool(columns))


def _changed(defining: Sequence[GivenCell], changed: Sequence[tuple[GivenCell, Bind]]) -> Iterator[Piece]:
    elsewhere = [(cell, bind) for cell, bind in changed if cell not in defining]
    if elsewhere:
        yield from (Cited(cell, bind.line) for cell, bind in elsewhere)
        yield f"It is changed in {citing(list(dict.fromkeys(cell for cell, _ in elsewhere)))}.\n\n"


_VERBS = {
    "function": "defined",
    "class": "defined",
    "imported": "imported",
    "loop": "a loop variable",
    "with": "opened",
}


def _bound(name: str, cell: GivenCell) -> list[Bind]:
    """Where a cell binds a name; a module counts by its own name too (``numpy`` for ``import numpy as np``)."""
    module = cell.facts.modules.get(name)
    return cell.facts.bound(name) or ([Bind(name, module, "imported")] if module else [])


def _notable(binds: Sequence[Bind]) -> list[Bind]:
    """One bind of each kind and scope: the first."""
    seen: dict[tuple[str, str], Bind] = {}
    for bind in binds:
        seen.setdefault((bind.how, bind.scope), bind)
    return list(seen.values())


def _defined(name: str, found: Sequence[tuple[GivenCell, Bind]]) -> Iterator[Piece]:
    for at, (cell, bind) in enumerate(found[:_MOST_PLACES]):
        verb = _VERBS.get(bind.how, "computed")
        again = " again" if at else ""
        inside = f" (inside {code(bind.scope)})" if bind.scope else ""
        unrun = "" if cell.run else ", which has not been run"
        yield Cited(cell, bind.line)
        yield f"{code(name)} is {verb}{again} in {cell.ref}, line {bind.line}{inside}{unrun}:\n\n"
        yield block(cell.statement(bind.line), cell.language)
    if len(found) > _MOST_PLACES:
        rest = list(dict.fromkeys(cell for cell, _ in found[_MOST_PLACES:]))
        yield f"It gets a value in {len(found) - _MOST_PLACES} more places: {citing(rest)}.\n\n"


def _lines_making(name: str, cell: GivenCell) -> list[int]:
    written = [key.line for key in cell.facts.keys if key.written and key.text == name]
    return [*written, *(rename.line for rename in cell.facts.renames if rename.new == name)][:1]


def _column(name: str, found: Sequence[tuple[GivenCell, int]]) -> Iterator[Piece]:
    for cell, line in found[:_MOST_PLACES]:
        yield Cited(cell, line)
        yield f"The column or key {code(name)} is made in {cell.ref}, line {line}:\n\n"
        yield block(cell.statement(line), cell.language)


def _used(name: str, made: Iterable[GivenCell], cells: Sequence[GivenCell], column: bool) -> Iterator[Piece]:
    making = {cell.number for cell in made}
    users = [cell for cell in cells if cell.number not in making and _use(name, cell, column)]
    if users:
        yield from (Cited(cell, _use(name, cell, column)) for cell in users)
        yield f"{code(name)} is used in {citing(users, 12)}.\n\n"
    else:
        yield f"No other cell I was given uses {code(name)}.\n\n"


def _use(name: str, cell: GivenCell, column: bool) -> int:
    """The first line that uses a name, or reads a column; 0 if there is none."""
    read = next((key.line for key in cell.facts.keys if key.text == name and not key.written), 0) if column else 0
    return read or cell.facts.uses.get(name, 0)


def function(name: str, evidence: Evidence) -> Iterator[Piece]:
    """What a function or class of the notebook does: signature, docstring, code, callers."""
    cells = evidence.code_cells
    found = [(cell, one) for cell in cells for one in cell.facts.functions if one.name == name]
    for cell, one in found[-2:]:
        yield Cited(cell, one.line)
        kind = "class" if one.is_class else "function"
        yield f"{code(one.name + one.signature)} is a {kind} defined in {cell.ref}, line {one.line}.\n\n"
        if one.doc:
            yield f"> {plain(one.doc)}\n\n"
        yield from _body(one, cell)
    callers = [cell for cell in cells if name in cell.facts.uses]
    if callers:
        yield from (Cited(cell, cell.facts.uses[name]) for cell in callers)
        yield f"It is used in {citing(callers, 12)}.\n\n"
    else:
        yield "No cell I was given uses it.\n\n"


def _body(one: Function, cell: GivenCell) -> Iterator[Piece]:
    """The lines of a function, without its docstring's if that was quoted already."""
    lines = cell.content.source.splitlines()[one.line - 1 :]
    indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    end = next(
        (
            at
            for at, line in enumerate(lines[1:], 1)
            if line.strip()
            and len(line) - len(line.lstrip()) <= indent
            and not line.lstrip().startswith((")", "]", "}"))
        ),
        len(lines),
    )
    yield block("\n".join(lines[:end]).rstrip(), cell.language)
