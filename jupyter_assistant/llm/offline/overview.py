"""The whole notebook: its outline, what it reads, defines and draws, what failed and what was not run.

The law: every line cites the cells it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .evidence import Cited, Evidence, GivenCell, Piece, citing
from .markdown import bullet, code, listing, plain

_HEADING = re.compile(r"^ {0,3}(#{1,4})[ \t]+(\S.*)$", re.MULTILINE)
_CODE_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_FIGURE = re.compile(r"<Figure|image/(?:png|svg)|<Axes")
_MOST_HEADINGS = 40


def overview(evidence: Evidence) -> Iterator[Piece]:
    """What the notebook is: headings, packages, data, functions, figures, failures, what was not run."""
    cells = evidence.code_cells
    name = code((evidence.path or "the notebook").rpartition("/")[2])
    if evidence.missing:
        yield f"**{name}** has {evidence.total} cells. I was given {len(evidence.cells)} of them, {len(cells)} of those"
        yield " code, so this is not the whole picture.\n\n"
    else:
        yield f"**{name}** has {evidence.total} cells, {len(cells)} of them code.\n\n"
    yield from _intro(evidence)
    yield from _headings(evidence)
    yield from _imports(cells)
    yield from _data(cells)
    yield from _functions(cells)
    yield from _figures(cells)
    yield from state(evidence)
    yield "\n"


def _intro(evidence: Evidence) -> Iterator[Piece]:
    """The first paragraph of prose, quoted."""
    for cell in evidence.cells[:3]:
        if cell.content.cell_type != "markdown":
            continue
        text = next(
            (part for part in cell.content.source.split("\n\n") if part.strip()[:1] not in ("", *"#-*|<!`")),
            "",
        )
        if text:
            yield Cited(cell)
            yield f"> {plain(text)} {cell.ref}\n\n"
            return


def headings(cell: GivenCell) -> list[tuple[int, str]]:
    """(level, text) of the headings of a markdown cell, those in code fences left out."""
    if cell.content.cell_type != "markdown":
        return []
    return [(len(marks), text) for marks, text in _HEADING.findall(_CODE_FENCE.sub("", cell.content.source[:20_000]))]


def _headings(evidence: Evidence) -> Iterator[Piece]:
    found = [(cell, level, text) for cell in evidence.cells for level, text in headings(cell)]
    if not found:
        return
    top = min(level for _, level, _ in found)
    yield "**Outline**\n\n"
    for cell, level, text in found[:_MOST_HEADINGS]:
        yield Cited(cell)
        yield f"{'  ' * (level - top)}- {plain(text)} {cell.ref}\n"
    if len(found) > _MOST_HEADINGS:
        yield f"- … and {len(found) - _MOST_HEADINGS} more headings\n"
    yield "\n"


def _imports(cells: Sequence[GivenCell]) -> Iterator[Piece]:
    modules: dict[str, Cited] = {}
    for cell in cells:
        for module, line in cell.facts.modules.items():
            modules.setdefault(module, Cited(cell, line))
    if modules:
        yield from modules.values()
        used = dict.fromkeys(place.cell for place in modules.values())
        yield f"- **Packages:** {listing(code(module) for module in modules)} {citing(list(used))}\n"


def _data(cells: Sequence[GivenCell]) -> Iterator[Piece]:
    texts = {name: text for cell in cells for name, text in cell.facts.texts.items()}
    for label, found in (
        ("Reads", [(path, Cited(cell, line)) for cell in cells for path, line in cell.facts.reads]),
        ("Writes", [(path, Cited(cell, line)) for cell in cells for path, line in cell.facts.writes]),
    ):
        places: dict[str, Cited] = {}
        for path, place in found:
            if (named := texts.get(path, path)) != path or not path.isidentifier():
                places.setdefault(named, place)
        yield from places.values()
        yield bullet(label, (f"{code(path)} {place.cell.ref}" for path, place in places.items()))


def _functions(cells: Sequence[GivenCell]) -> Iterator[Piece]:
    found = [(function, cell) for cell in cells for function in cell.facts.functions]
    if found:
        yield from (Cited(cell, function.line) for function, cell in found)
        yield f"- **Functions:** {listing(f'{code(function.name)} {cell.ref}' for function, cell in found)}\n"


def _figures(cells: Sequence[GivenCell]) -> Iterator[Piece]:
    found = [cell for cell in cells if _FIGURE.search(cell.content.output)]
    if found:
        yield from map(Cited, found)
        yield f"- **Figures:** {citing(found, 12)}\n"


def state(evidence: Evidence) -> Iterator[Piece]:
    """What failed, what was not run, and whether cells were run out of order."""
    failed = [cell for cell in evidence.cells if cell.content.error]
    waiting = [cell for cell in evidence.code_cells if not cell.run and cell.content.source.strip()]
    if failed:
        yield from map(Cited, failed)
        names = listing(f"{cell.ref} ({code(cell.content.error.name)})" for cell in failed if cell.content.error)
        yield f"- **Fails:** {names}\n"
    if waiting:
        yield f"- **Not run:** {citing(waiting, 12)}\n"
    if late := _out_of_order(evidence.code_cells):
        yield f"- **Run out of order:** {citing(late, 12)} ran before a cell that stands above\n"
    if not evidence.code_cells:
        yield "- There is no code in what I was given.\n"


def _out_of_order(cells: Sequence[GivenCell]) -> list[GivenCell]:
    highest, late = 0, []
    for cell in cells:
        count = cell.content.execution_count or 0
        if 0 < count < highest:
            late.append(cell)
        highest = max(highest, count)
    return late


def inventory(evidence: Evidence) -> Iterator[Piece]:
    """The variables, functions and packages of the notebook, with the cells that make them."""
    cells = evidence.code_cells
    variables: dict[str, Cited] = {}
    for one in cells:
        for bind in one.facts.binds:
            if not bind.scope and bind.how in ("assigned", "with"):
                variables.setdefault(bind.name, Cited(one, bind.line))
    if variables:
        yield from variables.values()
        named = listing((f"{code(name)} {place.cell.ref}" for name, place in variables.items()), 40)
        yield f"- **Variables:** {named}\n"
    yield from _functions(cells)
    yield from _imports(cells)
    if not variables and not any(one.facts.binds for one in cells):
        yield "The cells I was given define nothing.\n"
    yield "\nThese are names in the code; what they hold in the kernel now I cannot see.\n\n"
