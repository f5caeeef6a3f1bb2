"""Cells, outline and selection as text for a model, between fences that nothing inside can close.

The law: whatever a notebook holds, its text stays inside its fence, and a cell's number is its position from 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from ..messages import CellContent, CellError, ContextItem
from ..notebooks.cells import Cell, Snapshot
from .excerpts import LEAST_USEFUL, Excerpt, Redact, encodable, estimate_tokens, excerpt

_TICKS = re.compile(r"`{3,}")
_LANGUAGE = re.compile(r"[A-Za-z][\w+#-]{0,30}")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(\S.*)$", re.MULTILINE)
_CODE_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINE_CHARS = 80
_LABEL_CHARS = 60
_SHARES = (1.0, 0.6, 0.3, 0.1)
_MOST_RANGES = 12


def fenced(text: str, language: str = "text") -> str:
    """``text`` between fences longer than any run of backticks inside it."""
    fence = "`" * max(3, *(len(run) + 1 for run in _TICKS.findall(text)), 3)
    return f"{fence}{language}\n{text}\n{fence}"


def number(cell: Cell) -> str:
    """How a cell is called everywhere a person or a model sees it: its position, from 1."""
    return f"cell {cell.index + 1}"


def language_of(snapshot: Snapshot) -> str:
    """The notebook's language as a fence's info string; ``text`` if it is not a plain word."""
    return snapshot.language if _LANGUAGE.fullmatch(snapshot.language) else "text"


def label_of(cell: Cell) -> str:
    """``cell 5``, or ``cell 5 · KeyError`` for one that failed."""
    error = error_of(cell)
    name = "".join(char for char in error.name if char.isprintable())[:_LABEL_CHARS] if error else ""
    return f"{number(cell)} · {name}" if name else number(cell)


def error_of(cell: Cell) -> CellError | None:
    """The error a cell ended with, if it did."""
    return next((output.error for output in cell.outputs if output.error is not None), None)


def cell_item(
    cell: Cell, snapshot: Snapshot, redact: Redact, tokens: int, *, active: bool = False
) -> ContextItem | None:
    """A cell with its outputs and error in at most ``tokens``, cut where it must be; None if nothing useful fits."""
    if _least_tokens(cell, active=active) > tokens:
        return None
    error = error_of(cell)
    source = excerpt(cell.source, redact)
    output = excerpt("\n".join(out.text for out in cell.outputs if out.error is None and out.text), redact)
    traceback = excerpt(error.traceback, redact) if error else Excerpt("")
    name, value = (excerpt(text, redact).within(200).text for text in (error.name, error.value)) if error else ("", "")
    for share in _SHARES:
        content = CellContent(
            index=cell.index,
            cell_type=cell.cell_type,
            source=source.text,
            output=output.text,
            error=CellError(name, value, traceback.text) if error else None,
            execution_count=cell.execution_count,
        )
        text = _cell_text(cell, content, snapshot, active=active)
        over = estimate_tokens(text) - tokens
        if over <= 0:
            break
        source, output, traceback = _shrunk(source, output, traceback, int(tokens * share))
    else:
        return None
    parts = (source, output, traceback)
    if cell.source and not source.head:
        return None
    return ContextItem(
        kind="error" if error else "cell",
        label=redact(encodable(label_of(cell)))[0],
        text=text,
        path=snapshot.path,
        cell_id=cell.id,
        truncated=any(part.cut for part in parts),
        redacted=sum(part.redacted for part in parts),
        active=active,
        cell=content,
    )


def _least_tokens(cell: Cell, *, active: bool) -> int:
    """What a cell takes at least: its header, and of its source what is worth giving."""
    return estimate_tokens(_header(cell, active=active) + cell.source[:LEAST_USEFUL])


def _shrunk(source: Excerpt, output: Excerpt, traceback: Excerpt, tokens: int) -> tuple[Excerpt, Excerpt, Excerpt]:
    """The three parts of a cell in about ``tokens``: half for the source, and what one part leaves, the others get."""
    wanted = estimate_tokens(source.text), estimate_tokens(output.text), estimate_tokens(traceback.text)
    for_traceback = min(wanted[2], tokens * 3 // 10)
    for_output = min(wanted[1], tokens // 5)
    for_source = min(wanted[0], tokens - for_traceback - for_output)
    spare = tokens - for_source - for_traceback - for_output
    for_output = min(wanted[1], for_output + spare)
    return source.within(for_source), output.within(for_output), traceback.within(for_traceback)


def _cell_text(cell: Cell, content: CellContent, snapshot: Snapshot, *, active: bool) -> str:
    language = {"code": language_of(snapshot), "markdown": "markdown"}.get(cell.cell_type, "text")
    blocks = [_header(cell, active=active), fenced(content.source, language)]
    if content.output:
        blocks += ["Output:", fenced(content.output)]
    if content.error:
        said = content.error.traceback or f"{content.error.name}: {content.error.value}"
        blocks += ["Error:", fenced(said)]
    return "\n".join(blocks)


def _header(cell: Cell, *, active: bool) -> str:
    facts = [f"[{number(cell)}] id {json.dumps(cell.id[:64])}", f"hash {cell.hash}"]
    if cell.cell_type != "code":
        facts.append(cell.cell_type if cell.cell_type in ("markdown", "raw") else "unknown type")
    else:
        facts.append("not run" if cell.execution_count is None else f"run as [{cell.execution_count}]")
    facts += [fact for fact, holds in (("not saved yet", cell.unsaved), ("the active cell", active)) if holds]
    return " · ".join(facts)


def selection_item(
    cell: Cell | None, snapshot: Snapshot, selection: str, redact: Redact, tokens: int
) -> ContextItem | None:
    """What the user has selected, in at most ``tokens``; None if that is too little."""
    where = f" in {number(cell)}" if cell else ""
    language = language_of(snapshot) if cell is None or cell.cell_type == "code" else "text"
    whole = excerpt(selection, redact)
    for share in _SHARES:
        part = whole.within(int(tokens * share) - 20)
        text = f"Selected by the user{where}:\n{fenced(part.text, language)}"
        if part.head and estimate_tokens(text) <= tokens:
            break
    else:
        return None
    return ContextItem(
        kind="selection",
        label=f"selection{where}",
        text=text,
        path=snapshot.path,
        cell_id=cell.id if cell else None,
        truncated=part.cut,
        redacted=part.redacted,
        active=True,
        cell=CellContent(cell.index if cell else -1, cell.cell_type if cell else "code", part.text),
    )


# ---------------------------------------------------------------- the outline


def outline_item(snapshot: Snapshot, active: int | None, redact: Redact, tokens: int) -> ContextItem | None:
    """What the notebook is, its headings, and the first line of its code cells, as many as fit in ``tokens``."""
    about = _about(snapshot)
    lines, redacted = _outline_lines(snapshot.cells, redact)
    kept = _within(lines, active, tokens - estimate_tokens(about) - 20)
    text = about if not kept else f"{about}\n{fenced(chr(10).join(kept))}"
    if estimate_tokens(text) > tokens:
        text, kept = about, []
    if estimate_tokens(text) > tokens:
        return None
    return ContextItem(
        kind="notebook",
        label="outline",
        text=text,
        path=snapshot.path,
        truncated=len(kept) < len(lines),
        redacted=redacted if kept else 0,
    )


def _about(snapshot: Snapshot) -> str:
    code = sum(cell.cell_type == "code" for cell in snapshot.cells)
    kernel = f", kernel {json.dumps(snapshot.kernel[:60])}" if snapshot.kernel else ""
    path = json.dumps(encodable(snapshot.path[:400]), ensure_ascii=False)
    note = f" {snapshot.note}" if snapshot.note else ""
    cells = f"{len(snapshot.cells)} cells, {code} of them code."
    return f"The notebook {path}: {language_of(snapshot)}{kernel}, {cells}{note}"


def _outline_lines(cells: Sequence[Cell], redact: Redact) -> tuple[list[tuple[int, int, str]], int]:
    """(rank, position, line) of each heading (rank: its level) and code cell (rank 9), without secrets."""
    raw = [(rank, cell.index, line) for cell in cells for rank, line in _lines_of(cell.cell_type, cell.source)]
    clean, redacted = redact(encodable("\n".join(line for _, _, line in raw)))
    texts = clean.split("\n")
    if len(texts) != len(raw):
        texts = [redact(encodable(line))[0].replace("\n", " ") for _, _, line in raw]
    marks = {cell.index: _mark(cell) for cell in cells if cell.cell_type == "code"}
    lines = [
        (rank, index, _heading_line(rank, index, text) if rank < 9 else f"{index + 1} {marks[index]} {_short(text)}")
        for (rank, index, _), text in zip(raw, texts, strict=True)
    ]
    return lines, redacted


@lru_cache(4096)
def _lines_of(cell_type: str, source: str) -> list[tuple[int, str]]:
    """(rank, line) of a cell; remembered, since a notebook is asked about again and again."""
    source = source[:4000]
    if cell_type == "markdown":
        prose = _CODE_FENCE.sub("", source) if "#" in source and ("```" in source or "~~~" in source) else source
        return [(len(marks), text) for marks, text in _HEADING.findall(prose)]
    if cell_type != "code":
        return []
    lines = [line for line in source.splitlines() if line.strip()]
    first = next((line for line in lines if not line.lstrip().startswith("#")), lines[0] if lines else "")
    return [(9, first.strip())] if first else []


def _heading_line(level: int, index: int, text: str) -> str:
    return f"{index + 1} {'#' * level} {_short(text)}"


def _mark(cell: Cell) -> str:
    run = "[ ]" if cell.execution_count is None else f"[{cell.execution_count}]"
    return f"{run} error:" if error_of(cell) else run


def _short(text: str) -> str:
    return text if len(text) <= _LINE_CHARS else f"{text[:_LINE_CHARS]}…"


def _within(lines: Sequence[tuple[int, int, str]], active: int | None, tokens: int) -> list[str]:
    """As many lines as fit: headings first, by level, then code cells, the nearest to the active one first."""
    here = active if active is not None else 0
    order = sorted(range(len(lines)), key=lambda at: (lines[at][0], abs(lines[at][1] - here), at))
    kept, room = set(), tokens
    for at in order:
        room -= estimate_tokens(lines[at][2]) + 1
        if room < 0:
            break
        kept.add(at)
    return [line for at, (_, _, line) in enumerate(lines) if at in kept]


def coverage(outline: ContextItem, snapshot: Snapshot, given: Collection[int], tokens: int) -> ContextItem:
    """The outline with a line that names the cells given and those not given, if that takes at most ``tokens`` more."""
    missing = [at for at in range(len(snapshot.cells)) if at not in given]
    if not missing:
        line = "All of its cells are given below."
    elif not given:
        line = "None of its cells is given."
    else:
        line = f"Given below: cells {ranges(given)}. Not given: cells {ranges(missing)}."
    if _takes_over(line, tokens):
        line = f"Given below: {len(given)} cells. Not given: {len(missing)} cells."
    if _takes_over(line, tokens):
        return outline
    return replace(outline, text=f"{outline.text}\n{line}")


def _takes_over(line: str, tokens: int) -> bool:
    return estimate_tokens(line) + 1 > tokens


def ranges(indices: Iterable[int]) -> str:
    """Cell numbers, from 1, as a reader writes them: ``1-3, 7``; a very ragged set is cut with its count."""
    spans: list[list[int]] = []
    numbers = sorted(index + 1 for index in indices)
    for value in numbers:
        if spans and spans[-1][1] == value - 1:
            spans[-1][1] = value
        else:
            spans.append([value, value])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    if len(texts) <= _MOST_RANGES:
        return ", ".join(texts)
    return f"{', '.join(texts[:_MOST_RANGES])} … ({len(numbers)} cells)"
