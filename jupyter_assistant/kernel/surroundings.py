"""What a session without a server knows of itself, as context for a question: cells that ran, errors, variables.

The law: nothing of the user's is run or changed to tell it, and what goes is bounded; the newest goes first.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..messages import CellContent, CellError, ContextItem, Variable
from .digests import INLINE, cut, digest, inline

CELLS = 20
CELL_CHARS = 3_000
OUTPUT_CHARS = 1_000
VARIABLES = 100


def items(
    names: Mapping[str, Any], hidden: Mapping[str, Any], failures: Mapping[int, str], context: str
) -> tuple[ContextItem, ...]:
    """What goes with a question at ``context`` (none, cell: the last cell that ran, notebook, workspace)."""
    if context == "none":
        return ()
    count = 1 if context == "cell" else CELLS
    cells = tuple(reversed([*_cells(names, failures, count)]))
    return (*cells, *_listed(names, hidden)) if context != "cell" else cells


def variable_items(variables: Sequence[Variable]) -> tuple[ContextItem, ...]:
    """The values that a question names."""
    return tuple(_variable(one) for one in variables)


def _cells(names: Mapping[str, Any], failures: Mapping[int, str], most: int) -> Iterator[ContextItem]:
    """The latest cells that ran, newest first; the one that asks is not among them, nor others that asked."""
    sources = names.get("In")
    results = names.get("Out")
    if not isinstance(sources, list) or not isinstance(results, dict):
        return
    found = 0
    for number in range(len(sources) - 2, 0, -1):
        source = str(sources[number])
        if not source.strip() or "run_line_magic('ask'" in source or "run_cell_magic('ask'" in source:
            continue
        yield _cell(number, source, results.get(number), failures.get(number, ""))
        found += 1
        if found == most:
            return


def _cell(number: int, source: str, result: object, failure: str) -> ContextItem:
    source = cut(source, CELL_CHARS)
    output = "" if result is None else cut(inline(result) or digest("", result).digest, OUTPUT_CHARS)
    error = None
    if failure:
        kind, _, said = failure.rpartition("\n")[2].partition(": ")
        error = CellError(kind, said, failure)
    told = [f"In [{number}]:", _fenced(source, "python")]
    told += [f"Out [{number}]:", _fenced(output)] if output else []
    told += ["It raised:", _fenced(failure)] if failure else []
    return ContextItem(
        kind="error" if failure else "cell",
        label=f"In [{number}]",
        text="\n".join(told),
        cell_id=str(number),
        cell=CellContent(number - 1, "code", source, output, error, number),
    )


def _listed(names: Mapping[str, Any], hidden: Mapping[str, Any]) -> Iterator[ContextItem]:
    shown = [
        Variable(name, type(value).__name__, digest_shape(value))
        for name, value in list(names.items())
        if not name.startswith("_") and name not in hidden and not inspect.ismodule(value)
    ][:VARIABLES]
    if shown:
        lines = "\n".join(" ".join(filter(None, (one.name, one.type, one.shape))) for one in shown)
        text = f"Variables now (name, type, shape):\n{_fenced(lines)}"
        yield ContextItem(kind="variables", label="variables", text=text, variables=tuple(shown))


def digest_shape(value: object) -> str:
    """A value's shape, or a small one itself."""
    short = inline(value)
    if short is not None and len(short) <= INLINE // 4:
        return short
    return " x ".join(map(str, shape)) if isinstance(shape := getattr(value, "shape", None), tuple) else ""


def _variable(one: Variable) -> ContextItem:
    head = " ".join(filter(None, (one.name, one.type, one.shape)))
    return ContextItem(
        kind="variable",
        label=one.name,
        text=f"In the session now, {head}:\n{_fenced(one.digest)}",
        variables=(one,),
    )


def _fenced(text: str, language: str = "") -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
