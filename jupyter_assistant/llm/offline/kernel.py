"""What the notebook's kernel holds now: its variables, what is in them, and documentation.

The law: it repeats what the kernel said for this question and says when that is not all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...messages import Variable
from .evidence import Cited, Evidence, Piece
from .markdown import block, code, plain

_FRAMES = re.compile(r"\bdata ?frames?\b|\btables?\b", re.IGNORECASE)
_FRAME_TYPES = re.compile(r"(DataFrame|Series|LazyFrame|Dataset|Table)\b")
_FUNCTIONS = re.compile(r"\bfunctions?\b|\bclass(es)?\b", re.IGNORECASE)
_FUNCTION_TYPES = re.compile(r"\b(function|builtin_function_or_method|method|type|ufunc)\b")
_MODULES = re.compile(r"\bpackages?\b|\bmodules?\b|\blibrar(y|ies)\b|\bimports?\b", re.IGNORECASE)
_MOST = 60
_LINES = 30


def inventory(question: str, evidence: Evidence) -> Iterator[Piece]:
    """The variables of the kernel that a question asks for, with type, shape and the cell that makes them."""
    label, found = _asked(question, evidence.kernel.variables)
    if not found:
        yield f"The kernel holds no {label} now.\n\n"
    else:
        yield f"The kernel holds {'these' if len(found) > 1 else 'this'} {label} now:\n\n"
    for one in found[:_MOST]:
        place = _made(one.name, evidence)
        if place:
            yield place
        yield f"- {_described(one)}{f' {place.cell.ref}' if place else ''}\n"
    if len(found) > _MOST or evidence.kernel.cut:
        yield "- … and more; ask about one by its name\n"
    yield "\n"
    if evidence.kernel.said:
        yield f"{evidence.kernel.said}\n\n"


def _asked(question: str, variables: tuple[Variable, ...]) -> tuple[str, list[Variable]]:
    kinds = ((_FRAMES, _FRAME_TYPES, "dataframes"), (_FUNCTIONS, _FUNCTION_TYPES, "functions and classes"))
    for asked, types, label in kinds:
        if asked.search(question):
            return label, [one for one in variables if types.search(one.type)]
    modules = [one for one in variables if one.type == "module"]
    if _MODULES.search(question):
        return "modules", modules
    return "variables", [one for one in variables if one not in modules]


def variable(one: Variable, evidence: Evidence) -> Iterator[Piece]:
    """What a variable holds now, and the cells that make it."""
    yield f"In the kernel now: {_described(one)}.\n\n"
    yield block(one.digest, lines=_LINES)
    if place := _made(one.name, evidence):
        yield place
        yield f"It gets its value in {place.cell.ref}, line {place.line}.\n\n"


def documentation(evidence: Evidence) -> Iterator[Piece]:
    """What the kernel's own help says."""
    for one in evidence.kernel.documentation:
        yield f"The kernel's documentation of {code(one.name)}:\n\n"
        yield block(one.digest, lines=_LINES)


def _described(one: Variable) -> str:
    return f"{code(one.name)} {plain(f'{one.type} {one.shape}')}"


def _made(name: str, evidence: Evidence) -> Cited | None:
    """The last cell that gives the name a value."""
    for cell in reversed(evidence.code_cells):
        if binds := [bind for bind in cell.facts.bound(name) if not bind.scope and bind.how != "changed"]:
            return Cited(cell, binds[0].line)
    return None
