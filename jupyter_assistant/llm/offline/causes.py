"""Likely causes of errors, looked up in the notebook's other cells.

The law: a cause is named only when the cells that were given show it.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

from .evidence import Cited, Evidence, GivenCell
from .exceptions import ALIASES, PACKAGES
from .facts import Rename, is_builtin
from .markdown import code
from .tracebacks import Failure

_QUOTED = re.compile(r"'([^'\n]{1,200})'|\"([^\"\n]{1,200})\"")
_UNDEFINED = re.compile(r"name '([^']{1,200})' is not defined")
_NO_MODULE = re.compile(r"No module named '([\w.]{1,200})'")
_NO_FILE = re.compile(r"No such file or directory: '([^'\n]{1,500})'|^File (\S{1,500}) does not exist")
_WORD = re.compile(r"[^\W\d]\w*")


class Cause(NamedTuple):
    """A likely cause: a sentence, where it is seen, what to do about it."""

    says: str
    seen: Sequence[Cited]
    next_step: str


def cause_of(failure: Failure, evidence: Evidence) -> Cause | None:
    """The likely cause of a failure, if the other cells show one."""
    value = failure.error.value[:2000]
    if failure.name in ("KeyError", "ValueError", "AttributeError") and (found := _missing_key(failure, evidence)):
        return found
    if failure.name == "NameError" and (match := _UNDEFINED.search(value)):
        return _undefined(match[1], failure, evidence)
    if failure.name in ("ModuleNotFoundError", "ImportError") and (match := _NO_MODULE.search(value)):
        return _not_installed(match[1], failure)
    if failure.name == "FileNotFoundError" and (match := _NO_FILE.search(value)):
        return _no_file(match[1] or match[2], failure, evidence)
    if failure.name == "TypeError" and "not callable" in value:
        return _overwritten(failure, evidence)
    if "NoneType" in value:
        return _set_to_none(failure, evidence)
    if failure.name == "TypeError" and "argument" in value:
        return _wrong_call(value, failure, evidence)
    return None


def _missing_key(failure: Failure, evidence: Evidence) -> Cause | None:
    """A column or key that is gone: renamed, written in a cell that was not run, or spelled differently."""
    for key in _keys(failure):
        cause = (
            _renamed(key, failure, evidence)
            or _not_written(key, failure, evidence)
            or _misspelled(key, failure, evidence)
        )
        if cause:
            return cause
    return None


def _keys(failure: Failure) -> list[str]:
    """The keys an error's message says are missing."""
    value = failure.error.value[:2000]
    if failure.name == "KeyError":
        try:
            literal = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            literal = None
        text = literal if isinstance(literal, str) else value
        quoted = [first or second for first, second in _QUOTED.findall(text)]
        return quoted or [str(literal if literal is not None else value)]
    if "has no attribute" in value and ("DataFrame" in value or "Series" in value):
        return [first or second for first, second in _QUOTED.findall(value)][-1:]
    if "not in" in value or "not found" in value:
        return [first or second for first, second in _QUOTED.findall(value)]
    return []


def _renamed(key: str, failure: Failure, evidence: Evidence) -> Cause | None:
    for cell in _others(failure, evidence):
        for rename in cell.facts.renames:
            if rename.old == key and rename.new != key:
                return _renamed_cause(rename, cell, failure)
    return None


def _renamed_cause(rename: Rename, cell: GivenCell, failure: Failure) -> Cause:
    old, new = code(rename.old), code(rename.new)
    again = failure.cell.ref
    if failure.places and failure.places[-1].cell is not failure.cell:
        again = f"that cell and {again}"
    return Cause(
        f"{cell.ref} renames {old} to {new}, so after it there is no {old} any more.",
        [Cited(cell, rename.line)],
        f"use {new} instead of {old} in {_where(failure)} and run {again} again; or take the rename out of {cell.ref} "
        "and run the cells from there.",
    )


def _where(failure: Failure) -> str:
    if not failure.places:
        return failure.cell.ref
    return f"{failure.places[-1].cell.ref}, line {failure.places[-1].line}"


def _not_written(key: str, failure: Failure, evidence: Evidence) -> Cause | None:
    """The key is written, but in a cell that was not run or that comes later."""
    writers = [
        (cell, entry.line)
        for cell in _others(failure, evidence)
        for entry in cell.facts.keys
        if entry.written and entry.text == key
    ]
    if not writers or any(cell.run and cell.number < failure.cell.number for cell, _ in writers):
        return None
    cell, line = writers[0]
    why = "has not been run" if not cell.run else "comes only after it"
    return Cause(
        f"{code(key)} is made in {cell.ref}, which {why}.",
        [Cited(cell, line)],
        f"run {cell.ref} first, then {failure.cell.ref} again.",
    )


def _misspelled(key: str, failure: Failure, evidence: Evidence) -> Cause | None:
    """A known key that differs in case, blanks or a letter or two."""
    known: dict[str, Cited] = {}
    for cell in evidence.code_cells:
        for rename in cell.facts.renames:
            known.setdefault(rename.new, Cited(cell, rename.line))
        for entry in cell.facts.keys:
            if entry.written or not _fails_there(cell, entry.line, failure):
                known.setdefault(entry.text, Cited(cell, entry.line))
    known.pop(key, None)
    match = closest(key, list(known))
    shown_in = None if match else _closest_in_outputs(key, failure, evidence)
    if match:
        says = f"there is no {code(key)}, but {known[match].cell.ref} has {code(match)}: probably that is meant."
        return Cause(
            says, [known[match]], f"write {code(match)} in {_where(failure)}, then run {failure.cell.ref} again."
        )
    if shown_in:
        cell, word = shown_in
        says = f"there is no {code(key)}, but the output of {cell.ref} shows {code(word)}: probably that is meant."
        return Cause(
            says, [Cited(cell)], f"write {code(word)} in {_where(failure)}, then run {failure.cell.ref} again."
        )
    return None


def _fails_there(cell: GivenCell, line: int, failure: Failure) -> bool:
    return any(place.cell is cell and place.line == line for place in failure.places)


def _closest_in_outputs(key: str, failure: Failure, evidence: Evidence) -> tuple[GivenCell, str] | None:
    for cell in reversed(
        [cell for cell in evidence.code_cells if cell.number < failure.cell.number and cell.content.output]
    ):
        words = list(dict.fromkeys(_WORD.findall(cell.content.output[:2000])))[:200]
        if match := closest(key, [word for word in words if word != key]):
            return cell, match
    return None


def closest(word: str, known: Sequence[str]) -> str | None:
    """The known word that differs only in case or blanks, else the most alike; None if none is alike enough."""
    plainly = _folded(word)
    if not plainly:
        return None
    same = next((other for other in known if _folded(other) == plainly), None)
    if same or len(word) > 100:
        return same
    alike = difflib.get_close_matches(word, [other for other in known[:500] if len(other) <= 100], n=1, cutoff=0.75)
    return alike[0] if alike else None


def _folded(word: str) -> str:
    return re.sub(r"[\W_]+", "", word).lower()


def _others(failure: Failure, evidence: Evidence) -> list[GivenCell]:
    """The other code cells: those before the failed one, the nearest first, then those after it."""
    before = [cell for cell in evidence.code_cells if cell.number < failure.cell.number]
    after = [cell for cell in evidence.code_cells if cell.number > failure.cell.number]
    return [*reversed(before), *after]


def _undefined(name: str, failure: Failure, evidence: Evidence) -> Cause | None:
    if failure.name == "UnboundLocalError":
        return None
    definers = [
        (cell, bind) for cell in _others(failure, evidence) for bind in cell.facts.bound(name) if bind.how != "changed"
    ]
    top = [(cell, bind) for cell, bind in definers if not bind.scope]
    if top:
        cell, bind = next(((cell, bind) for cell, bind in top if not cell.run), top[0])
        return Cause(
            _unrun(name, cell, failure), [Cited(cell, bind.line)], f"run {cell.ref}, then {failure.cell.ref} again."
        )
    if definers:
        cell, bind = definers[0]
        says = f"{code(name)} exists only inside {code(bind.scope)}, defined in {cell.ref}; it is not visible outside."
        return Cause(says, [Cited(cell, bind.line)], f"return it from {code(bind.scope)}, or define it outside.")
    if name in ALIASES:
        return Cause(
            f"{code(name)} is not imported in any cell given.",
            [],
            f"add {code(ALIASES[name])} to {failure.cell.ref}, or better to the first code cell, and run it.",
        )
    return _alike(name, failure, evidence)


def _unrun(name: str, cell: GivenCell, failure: Failure) -> str:
    if not cell.run:
        return f"{code(name)} is defined in {cell.ref}, which has not been run."
    if cell.number > failure.cell.number:
        return f"{code(name)} is defined in {cell.ref}, further down the notebook, and was not there yet."
    return (
        f"{code(name)} is defined in {cell.ref}, but the kernel did not have it: probably it was restarted since, or "
        "that cell had not been run yet."
    )


def _alike(name: str, failure: Failure, evidence: Evidence) -> Cause | None:
    known: dict[str, Cited] = {}
    for cell in evidence.code_cells:
        for bind in cell.facts.binds:
            if not bind.scope:
                known.setdefault(bind.name, Cited(cell, bind.line))
    match = closest(name, list(known))
    if match is None:
        return Cause(f"no cell given defines {code(name)}.", [], f"define {code(name)}, or correct the name.")
    says = f"nothing is called {code(name)}, but {known[match].cell.ref} defines {code(match)}: probably that is meant."
    return Cause(says, [known[match]], f"write {code(match)} in {_where(failure)}, then run it again.")


def _not_installed(module: str, failure: Failure) -> Cause:
    top = module.partition(".")[0]
    package = PACKAGES.get(top, top)
    return Cause(
        f"the package that holds {code(module)} is not installed where this kernel runs (or the name is misspelled).",
        [],
        f"run {code(f'%pip install {package}')} in a cell, then {failure.cell.ref} again.",
    )


def _no_file(path: str, failure: Failure, evidence: Evidence) -> Cause | None:
    name = path.rpartition("/")[2]
    for cell in _others(failure, evidence):
        for written, line in cell.facts.writes:
            if written.rpartition("/")[2] == name:
                why = "" if cell.run else ", which has not been run"
                says = f"{code(name)} is written by {cell.ref}{why}."
                return Cause(says, [Cited(cell, line)], f"run {cell.ref} first, then {failure.cell.ref} again.")
    read = {known: Cited(cell, line) for cell in _others(failure, evidence) for known, line in cell.facts.reads}
    match = closest(path, [known for known in read if known != path])
    if match is None:
        return None
    says = f"{read[match].cell.ref} reads {code(match)}: probably that is meant."
    return Cause(says, [read[match]], f"correct the path in {_where(failure)}, then run {failure.cell.ref} again.")


def _overwritten(failure: Failure, evidence: Evidence) -> Cause | None:
    """A built-in or a function of the notebook that a variable hides."""
    called = set(failure.places[-1].cell.facts.calls) if failure.places else set(failure.cell.facts.calls)
    functions = {function.name for cell in evidence.code_cells for function in cell.facts.functions}
    for cell in [failure.cell, *_others(failure, evidence)]:
        for bind in cell.facts.binds:
            hides = is_builtin(bind.name) or bind.name in functions
            if bind.how in ("assigned", "loop") and not bind.scope and bind.name in called and hides:
                says = f"{cell.ref} gives the name {code(bind.name)}, which is a function, to a variable."
                step = f"rename that variable in {cell.ref}, restart the kernel, and run the cells again."
                return Cause(says, [Cited(cell, bind.line)], step)
    return None


def _set_to_none(failure: Failure, evidence: Evidence) -> Cause | None:
    """A name in the failing line that was given the result of a method that changes in place."""
    place = failure.places[-1] if failure.places else None
    line = place.cell.line(place.line) if place else failure.cell.content.source
    names = set(_WORD.findall(line))
    for cell in [failure.cell, *_others(failure, evidence)]:
        for name in sorted(cell.facts.nones & names):
            bind = cell.facts.bound(name)[0]
            says = f"{cell.ref} assigns to {code(name)} the result of a call that changes in place and gives `None`."
            step = f"remove the assignment (or {code('inplace=True')}) in {cell.ref}, then run from there."
            return Cause(says, [Cited(cell, bind.line)], step)
    return None


def _wrong_call(value: str, failure: Failure, evidence: Evidence) -> Cause | None:
    """The definition, in the notebook, of the function that was called with the wrong arguments."""
    match = re.match(r"(?:[\w.<>]+\.)?(\w{1,200})\(\)", value)
    if match is None:
        return None
    for cell in [failure.cell, *_others(failure, evidence)]:
        for function in cell.facts.functions:
            if function.name == match[1]:
                says = f"{code(function.name)} is defined in {cell.ref} as {code(function.name + function.signature)}."
                step = f"make the call in {_where(failure)} fit that definition."
                return Cause(says, [Cited(cell, function.line)], step)
    return None
