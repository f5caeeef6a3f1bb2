"""What a cell's source says by its form: what it binds, uses, calls, reads and renames; read, never run.

The law: any text gives an answer in bounded time. Python is parsed; what does not parse, or is another language, is
read line by line with patterns.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

_PARSED_CHARS = 20_000
_REMEMBERED = 2048
_BUILTINS = frozenset(dir(builtins))

How = Literal["assigned", "changed", "function", "class", "imported", "loop", "with"]
Scope = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """A name gets a value in ``line`` (from 1). ``scope`` is the function or class it is in, empty at the top."""

    name: str
    line: int
    how: How
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function or class: ``signature`` as written after its name, the docstring's first paragraph."""

    name: str
    line: int
    signature: str
    doc: str
    is_class: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A text used as an index (``frame["price"]``): a column or a dictionary's key, read or written."""

    text: str
    line: int
    written: bool


@dataclass(frozen=True, slots=True)
class Rename:
    """A pair of a mapping given to ``rename``."""

    old: str
    new: str
    line: int


@dataclass(slots=True)
class Facts:
    """Everything known of one source. ``uses`` and ``calls`` map a name to the first line that has it,
    ``texts`` a name to the text assigned to it; ``nones`` got the result of a call that gives None. ``reads`` and
    ``writes`` are (path, line), or the name of what holds the path.
    """

    parsed: bool = False
    binds: list[Bind] = field(default_factory=list)
    uses: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    renames: list[Rename] = field(default_factory=list)
    reads: list[tuple[str, int]] = field(default_factory=list)
    writes: list[tuple[str, int]] = field(default_factory=list)
    modules: dict[str, int] = field(default_factory=dict)
    nones: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)

    def bound(self, name: str) -> list[Bind]:
        """Where ``name`` gets a value."""
        return [bind for bind in self.binds if bind.name == name]


@lru_cache(_REMEMBERED)
def read(source: str) -> Facts:
    """The facts of a cell's source. Never changed by a reader: remembered, since cells are asked about again."""
    if len(source) <= _PARSED_CHARS and (tree := _parsed(source)) is not None:
        try:
            return _of_tree(tree)
        except (RecursionError, MemoryError):
            pass
    return _of_lines(source[:_PARSED_CHARS])


# ---------------------------------------------------------------- Python

_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_PYTHON_MAGICS = frozenset({"time", "timeit", "capture", "prun", "memit", "mprun", "lprun"})
_LINE_MAGIC = re.compile(r"^(\s*)[%!?].*$|^(\s*)[\w.]+\?{1,2}\s*$", re.MULTILINE)
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)[%!][^=].*$", re.MULTILINE)
_MUTATORS = frozenset(
    {"append", "extend", "insert", "update", "add", "pop", "drop", "sort", "remove", "clear", "setdefault"}
)
_GIVES_NONE = frozenset({"sort", "append", "extend", "insert", "update", "add", "reverse", "clear", "shuffle", "print"})


def python_only(source: str) -> str | None:
    """The source with IPython's magics made harmless, lines kept in place; None for a cell in another language."""
    first = _CELL_MAGIC.match(source)
    if first and first[1] not in _PYTHON_MAGICS:
        return None
    if first:
        source = "#" + source
    if "%" not in source and "!" not in source and "?" not in source:
        return source
    return _ASSIGNED_MAGIC.sub(r"\1None", _LINE_MAGIC.sub(lambda match: f"{match[1] or match[2] or ''}pass", source))


def _parsed(source: str) -> ast.Module | None:
    code = python_only(source)
    if code is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _of_tree(tree: ast.Module) -> Facts:
    facts = Facts(parsed=True)
    bound: dict[Scope, set[str]] = {}
    loads: list[tuple[str, int, Scope]] = []
    for node, scope in _nodes(tree):
        _note(node, facts)
        for bind in _binds(node, scope):
            bound.setdefault(scope, set()).add(bind.name)
            if not _is_comprehension(scope):
                facts.binds.append(bind)
        if isinstance(node, ast.arg):
            bound.setdefault(scope, set()).add(node.arg)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            loads.append((node.id, node.lineno, scope))
    for name, line, scope in loads:
        if not any(name in bound.get(scope[:depth], ()) for depth in range(len(scope), 0, -1)):
            facts.uses[name] = min(line, facts.uses.get(name, line))
    facts.binds.sort(key=lambda bind: bind.line)
    return facts


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.AST, Scope]]:
    """Every node with the functions, classes and comprehensions it is in; without recursion."""
    pending: list[tuple[ast.AST, Scope]] = [(tree, ())]
    while pending:
        node, scope = pending.pop()
        yield node, scope
        inner = scope
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = (*scope, node.name)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda):
            inner = (*scope, f"<{len(scope)}>")
        pending.extend((child, inner) for child in reversed(list(ast.iter_child_nodes(node))))


def _is_comprehension(scope: Scope) -> bool:
    return bool(scope) and scope[-1].startswith("<")


def _binds(node: ast.AST, scope: Scope) -> Iterator[Bind]:
    where = next((name for name in reversed(scope) if not name.startswith("<")), "")
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield Bind(node.id, node.lineno, "assigned", where)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield Bind(node.name, node.lineno, "function", where)
    elif isinstance(node, ast.ClassDef):
        yield Bind(node.name, node.lineno, "class", where)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield Bind(alias.asname or alias.name.partition(".")[0], node.lineno, "imported", where)
    elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
        if root := _root(node):
            yield Bind(root, node.lineno, "changed", where)
    elif isinstance(node, ast.Expr) and (changed := _changed_in_place(node.value)):
        yield Bind(changed, node.lineno, "changed", where)


def _changed_in_place(node: ast.AST) -> str:
    """The name that a bare call such as ``names.append(1)`` changes; empty if it changes none."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return ""
    if not isinstance(node.func.value, ast.Name) or not (node.func.attr in _MUTATORS or _in_place(node)):
        return ""
    return node.func.value.id


def _root(node: ast.AST) -> str:
    """The name at the beginning of ``name.attribute[item]``; empty if there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _in_place(call: ast.Call) -> bool:
    return any(
        keyword.arg == "inplace" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for keyword in call.keywords
    )


def _note(node: ast.AST, facts: Facts) -> None:
    """What a node adds to the facts besides bound and used names."""
    if isinstance(node, ast.Call):
        _note_call(node, facts)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        facts.functions.append(_function(node))
    elif isinstance(node, ast.Subscript):
        keys = node.slice.elts if isinstance(node.slice, ast.List | ast.Tuple) else [node.slice]
        written = isinstance(node.ctx, ast.Store)
        facts.keys += [
            Key(key.value, node.lineno, written)
            for key in keys
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        ]
    elif isinstance(node, ast.Import):
        for alias in node.names:
            facts.modules.setdefault(alias.name.partition(".")[0], node.lineno)
    elif isinstance(node, ast.ImportFrom) and node.module:
        facts.modules.setdefault(node.module.partition(".")[0], node.lineno)
    elif isinstance(node, ast.Assign):
        _note_assignment(node, facts)


def _dict_keys(node: ast.Dict) -> list[Key]:
    texts = [(key.value, key.lineno) for key in node.keys if isinstance(key, ast.Constant)]
    return [Key(text, line, True) for text, line in texts if isinstance(text, str)]


def _note_assignment(node: ast.Assign, facts: Facts) -> None:
    names = [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node.value, ast.Dict):
        facts.keys += _dict_keys(node.value)
    if isinstance(node.value, ast.Call) and _gives_none(node.value):
        facts.nones.update(names)
    elif isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        facts.texts.update(dict.fromkeys(names, node.value.value))


def _gives_none(call: ast.Call) -> bool:
    return _in_place(call) or _called(call) in _GIVES_NONE


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


_PATH_LIKE = re.compile(r"[./\\]")
_WRITERS = frozenset({"savefig", "save", "dump", "write_text", "write_csv", "write_parquet"})
_READERS = frozenset({"open", "load", "loadtxt", "genfromtxt", "imread", "load_workbook"})


def _note_call(call: ast.Call, facts: Facts) -> None:
    name = _called(call)
    if not name:
        return
    facts.calls.setdefault(name, call.lineno)
    if name == "rename":
        facts.renames += _renames(call)
    if name in ("DataFrame", "dict") and call.args and isinstance(call.args[0], ast.Dict):
        facts.keys += _dict_keys(call.args[0])
    if name in ("agg", "assign"):
        facts.keys += [Key(keyword.arg, call.lineno, True) for keyword in call.keywords if keyword.arg]
    path = _path(call)
    if path is None:
        return
    if name.startswith("to_") or name in _WRITERS or (name == "open" and _mode(call)[:1] in ("w", "a", "x")):
        facts.writes.append((path, call.lineno))
    elif name.startswith(("read_", "scan_")) or name in _READERS:
        facts.reads.append((path, call.lineno))


def _path(call: ast.Call) -> str | None:
    """The first argument where it looks like a path, or the name of a constant that may hold one."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and _PATH_LIKE.search(first.value):
        return first.value
    return first.id if isinstance(first, ast.Name) else None


def _mode(call: ast.Call) -> str:
    mode = call.args[1] if len(call.args) > 1 else next((key.value for key in call.keywords if key.arg == "mode"), None)
    return mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else "r"


def _renames(call: ast.Call) -> Iterator[Rename]:
    for mapping in [*call.args, *(keyword.value for keyword in call.keywords)]:
        if not isinstance(mapping, ast.Dict):
            continue
        for old, new in zip(mapping.keys, mapping.values, strict=True):
            if isinstance(old, ast.Constant) and isinstance(new, ast.Constant):
                yield Rename(str(old.value), str(new.value), old.lineno)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Function:
    doc = (ast.get_docstring(node) or "").partition("\n\n")[0]
    if isinstance(node, ast.ClassDef):
        return Function(node.name, node.lineno, "", doc, is_class=True)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return Function(node.name, node.lineno, f"({ast.unparse(node.args)}){returns}", doc)


# ---------------------------------------------------------------- anything else

_NAME = re.compile(r"[^\W\d]\w*")
_LINE_BIND = re.compile(
    r"^[ \t]*(?:(def|function|class|import|from|library|using|const|let|var)\b[ \t(]*)?"
    r"([^\W\d][\w.]{0,80})[ \t]*(?:(<-|<<-|:?=(?!=)|\+=|-=|\*=|/=)|)"
)
_LINE_HOWS: dict[str, How] = {
    "def": "function",
    "function": "function",
    "class": "class",
    "import": "imported",
    "from": "imported",
    "library": "imported",
    "using": "imported",
}


def _of_lines(source: str) -> Facts:
    facts = Facts()
    for number, line in enumerate(source.splitlines(), 1):
        match = _LINE_BIND.match(line)
        if match and (match[1] or match[3]):
            facts.binds.append(Bind(match[2], number, _LINE_HOWS.get(match[1] or "", "assigned")))
        for name in _NAME.findall(line[:1000]):
            facts.uses.setdefault(name, number)
    return facts


def is_builtin(name: str) -> bool:
    """Whether Python has ``name`` without an import."""
    return name in _BUILTINS
