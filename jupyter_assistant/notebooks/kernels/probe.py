"""What is run inside the user's Python kernel to see its variables; its text is sent, it is not imported there.

The law: nothing of the user's changes and nothing of theirs runs. No name is left in their namespace, nothing is
imported, no method, property or ``repr`` of an object is called unless its class is one of those named here, and
everything is bounded: names, characters, elements looked at. Standard library only, and Python 3.8 or newer.
"""

from __future__ import annotations

import asyncio
import builtins
import fnmatch
import sys
import threading
import types
from typing import Any

MIME = "application/vnd.jupyter-assistant.variables+json"
MAX_NAMES = 500
MAX_TEXT = 200
MAX_DOC = 2000
MAX_ITEMS = 10
MAX_ROWS, MAX_COLUMNS = 5, 30
CHEAP = 1_000_000
"""Elements of an array, or cells of a table, that are counted and compared; more than these are not."""

_NAME = type.__dict__["__qualname__"].__get__
_MODULE = type.__dict__["__module__"].__get__
_MRO = type.__dict__["__mro__"].__get__
_SCALARS = (int, float, complex, bool, type(None))
_SIZED = (list, tuple, dict, set, frozenset, str, bytes, bytearray, range)


# ---------------------------------------------------------------- names of types, and what a value looks like


def kind(value: Any) -> str:
    """The name of its class, with the module where that is not plain Python."""
    return class_name(type(value))


def class_name(cls: type) -> str:
    module = _MODULE(cls)
    prefix = f"{module}." if type(module) is str and module not in ("builtins", "__main__") else ""
    return (prefix + str.__str__(_NAME(cls)))[:MAX_TEXT]


def comes_from(value: Any, module: str, name: str) -> bool:
    """Whether its class is, or derives from, that class of a library the user has imported."""
    library = sys.modules.get(module)
    wanted = types.ModuleType.__getattribute__(library, "__dict__").get(name) if library is not None else None
    return wanted is not None and any(base is wanted for base in _MRO(type(value)))


def is_one(cls: type, classes: Any) -> bool:
    """Whether the class is one of these; ``in`` would ask a metaclass of the user's for equality."""
    return any(cls is each for each in classes)


def is_exactly(value: Any, module: str, name: str) -> bool:
    library = sys.modules.get(module)
    return library is not None and type(value) is library.__dict__.get(name)


def clipped(text: str, limit: int = MAX_TEXT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def look(value: Any, depth: int = 2) -> str:
    """A value as short text, without asking it."""
    cls = type(value)
    if cls is str:
        return clipped(repr(value[:MAX_TEXT]))
    if cls is bytes or cls is bytearray:
        return clipped(repr(bytes(value[:MAX_TEXT])))
    if cls is int:
        return clipped(repr(value)) if value.bit_length() < 2_000 else f"an int of {value.bit_length()} bits"
    if is_one(cls, _SCALARS) or cls is range:
        return repr(value)
    if is_one(cls, (list, tuple, set, frozenset)):
        return _items(value, depth)
    if cls is dict:
        return _pairs(value, depth)
    return _scalar(value) or _named(value)


def _named(value: Any) -> str:
    if is_one(type(value), (types.FunctionType, types.BuiltinFunctionType)):
        return f"<function {value.__name__}>"
    if type(value) is types.ModuleType:
        return f"<module {module_name(value)}>"
    return f"<class {class_name(value)}>" if type(value) is type else f"<{kind(value)}>"


def _scalar(value: Any) -> str:
    """Numbers and times of numpy and pandas, whose ``str`` is their own."""
    for module, name in (("numpy", "generic"), ("pandas", "Timestamp"), ("pandas", "Timedelta")):
        if comes_from(value, module, name) and _MODULE(type(value)).split(".")[0] in ("numpy", "pandas"):
            if is_exactly(value, "numpy", "void") or is_exactly(value, "numpy", "object_"):
                return ""
            return clipped(str(value))
    for module, name in (
        ("datetime", "datetime"),
        ("datetime", "date"),
        ("datetime", "timedelta"),
        ("decimal", "Decimal"),
    ):
        if is_exactly(value, module, name):
            return (
                clipped(str(value))
                if name == "Decimal" or getattr(value, "tzinfo", None) is None
                else value.strftime("%F %T")
            )
    return "NaT" if kind(value).endswith("NaTType") else ("NA" if kind(value).endswith("missing.NAType") else "")


def _items(value: Any, depth: int) -> str:
    opening, closing = ("[", "]") if type(value) is list else ("(", ")") if type(value) is tuple else ("{", "}")
    if not depth:
        return f"{opening}…{closing}" if len(value) else opening + closing
    first = [look(item, depth - 1) for item in _first(value)]
    more = [f"… {len(value) - len(first)} more"] if len(value) > len(first) else []
    return clipped(opening + ", ".join(first + more) + closing)


def _pairs(value: dict[Any, Any], depth: int) -> str:
    if not depth:
        return "{…}" if value else "{}"
    keys = _first(value)
    first = [f"{look(key, depth - 1)}: {look(dict.get(value, key), depth - 1)}" for key in keys if _plain_key(key)]
    more = [f"… {len(value) - len(first)} more"] if len(value) > len(first) else []
    return clipped("{" + ", ".join(first + more) + "}")


def _plain_key(key: Any) -> bool:
    """A key that can be looked up without calling a ``__hash__`` or ``__eq__`` of the user's."""
    return is_one(type(key), (*_SCALARS, str, bytes)) or (type(key) is tuple and all(map(_plain_key, key)))


def _first(value: Any) -> list[Any]:
    found = []
    try:
        for item in value:
            found.append(item)
            if len(found) == MAX_ITEMS:
                break
    except RuntimeError:  # it changed meanwhile: the kernel is at work
        pass
    return found


# ---------------------------------------------------------------- one line a variable


def summary(name: str, value: Any) -> dict[str, Any]:
    """Name, type, shape or length, and a short text."""
    line = {"name": name, "type": kind(value), "shape": None, "size": None, "summary": ""}
    try:
        line.update(_measured(value))
    except Exception as error:
        line["summary"] = f"<cannot be read: {class_name(type(error))}>"
    return line


def _measured(value: Any) -> dict[str, Any]:
    for test, measure in _LIBRARIES:
        if test(value):
            return measure(value)
    if is_one(type(value), _SIZED):
        return {"size": len(value), "summary": look(value)}
    if _is_callable(value):
        return {"summary": signature(value) or _named(value)}
    return {"summary": look(value)}


def _array(value: Any) -> dict[str, Any]:
    return {"shape": list(value.shape), "size": int(value.nbytes), "summary": f"dtype {value.dtype}"}


def _frame(value: Any) -> dict[str, Any]:
    columns = ", ".join(
        look(label, 0) if type(label) is not str else label for label in list(value.columns[:MAX_ITEMS])
    )
    more = f", … {value.shape[1] - MAX_ITEMS} more" if value.shape[1] > MAX_ITEMS else ""
    return {"shape": list(value.shape), "summary": clipped(f"columns {columns}{more}")}


def _series(value: Any) -> dict[str, Any]:
    label = f", name {look(value.name, 0)}" if value.name is not None else ""
    return {"shape": list(value.shape), "summary": f"dtype {value.dtype}{label}"}


def _polars(value: Any) -> dict[str, Any]:
    return {"shape": list(value.shape), "summary": clipped("columns " + ", ".join(value.columns[:MAX_ITEMS]))}


def _xarray(value: Any) -> dict[str, Any]:
    sizes = ", ".join(f"{look(name, 0)}: {length}" for name, length in value.sizes.items())
    return {"shape": list(value.sizes.values()), "summary": clipped(f"dimensions {sizes}")}


def _tensor(value: Any) -> dict[str, Any]:
    return {"shape": list(value.shape), "summary": f"dtype {value.dtype}, device {value.device}"}


def _figure(value: Any) -> dict[str, Any]:
    width, height = value.get_size_inches()
    return {"summary": f"{width:g} x {height:g} inches, {len(value.axes)} axes"}


def _library(module: str, name: str, exactly: bool = True) -> Any:
    return (
        (lambda value: is_exactly(value, module, name)) if exactly else (lambda value: comes_from(value, module, name))
    )


_LIBRARIES = [
    (_library("numpy", "ndarray"), _array),
    (_library("numpy.ma", "MaskedArray"), _array),
    (_library("pandas", "DataFrame"), _frame),
    (_library("pandas", "Series"), _series),
    (_library("polars", "DataFrame"), _polars),
    (_library("xarray", "DataArray"), _xarray),
    (_library("xarray", "Dataset"), _xarray),
    (_library("torch", "Tensor"), _tensor),
    (_library("matplotlib.figure", "Figure"), _figure),
]


# ---------------------------------------------------------------- a closer look


def digest(name: str, value: Any) -> dict[str, Any]:
    """The line of a variable, and what helps to work with it: ``text`` in lines, ``kind`` of the digest."""
    found = summary(name, value)
    found["text"] = ""
    try:
        found["text"] = _closer(value)
    except Exception as error:
        found["text"] = f"It cannot be looked into: {class_name(type(error))}."
    return found


def _closer(value: Any) -> str:
    if is_exactly(value, "numpy", "ndarray"):
        return _statistics(value)
    if is_exactly(value, "pandas", "DataFrame"):
        return _table(value)
    if is_exactly(value, "pandas", "Series"):
        return _column_text(value)
    if is_exactly(value, "polars", "DataFrame"):
        return "\n".join(f"{name}: {dtype}" for name, dtype in list(value.schema.items())[:MAX_COLUMNS])
    if _is_callable(value) or type(value) is types.ModuleType:
        return documentation(value)
    if type(value) is str:
        return clipped(value, MAX_DOC)
    if is_one(type(value), (list, tuple, set, frozenset)):
        return "\n".join(look(item) for item in _first(value))
    if type(value) is dict:
        return "\n".join(f"{look(key)}: {look(dict.get(value, key))}" for key in _first(value) if _plain_key(key))
    return documentation(type(value))


def _statistics(value: Any) -> str:
    if value.size == 0 or value.size > CHEAP or value.dtype.kind not in "biuf":
        return f"dtype {value.dtype}, shape {value.shape}"
    numpy = sys.modules["numpy"]
    missing = int(numpy.isnan(value).sum()) if value.dtype.kind == "f" else 0
    known = value[~numpy.isnan(value)] if missing else value
    first = ", ".join(str(item) for item in value.reshape(-1)[:MAX_ITEMS].tolist())
    span = f"min {known.min()}, max {known.max()}, mean {float(known.mean()):g}, " if known.size else ""
    return f"dtype {value.dtype}, shape {value.shape}\n{span}{missing} missing\nfirst: {first}"


def _table(value: Any) -> str:
    rows, columns = value.shape
    shown = [value.iloc[:, at] for at in range(min(columns, MAX_COLUMNS))]
    count = rows * columns <= CHEAP
    lines = [f"{rows} rows x {columns} columns"]
    for column in shown:
        missing = f", {int(column.isna().sum())} missing" if count else ""
        lines.append(f"{_label(column.name)}: {column.dtype}{missing}")
    lines += [f"… {columns - MAX_COLUMNS} more columns"] if columns > MAX_COLUMNS else []
    lines += ["", "\t".join(_label(column.name) for column in shown)]
    heads = [[look(item, 1) for item in column.iloc[:MAX_ROWS].tolist()] for column in shown]
    return "\n".join(lines + ["\t".join(row) for row in zip(*heads)])  # noqa: B905  (Python 3.8)


def _column_text(value: Any) -> str:
    missing = f", {int(value.isna().sum())} missing" if len(value) <= CHEAP else ""
    head = "\n".join(look(item, 1) for item in value.iloc[:MAX_ITEMS].tolist())
    return f"{len(value)} values, dtype {value.dtype}{missing}\n{head}"


def _label(label: Any) -> str:
    return clipped(label, 80) if type(label) is str else look(label, 1)


# ---------------------------------------------------------------- functions, classes, modules


def _is_callable(value: Any) -> bool:
    return is_one(type(value), (types.FunctionType, types.BuiltinFunctionType, types.MethodType)) or isinstance_of_type(
        value
    )


def isinstance_of_type(value: Any) -> bool:
    return any(base is type for base in _MRO(type(value)))


def signature(value: Any) -> str:
    """``f(a, b=1, *, c)``, from the code object: nothing is called. Empty where there is none."""
    if type(value) is types.MethodType:
        value = value.__func__
    if isinstance_of_type(value):
        made = next((vars_of(base)["__init__"] for base in _MRO(value) if "__init__" in vars_of(base)), None)
        inner = _parameters(made, skip=1) if type(made) is types.FunctionType else "…"
        return f"class {_NAME(value)}({inner})"
    if type(value) is not types.FunctionType:
        return ""
    return clipped(f"{value.__name__}({_parameters(value)})", 2 * MAX_TEXT)


def vars_of(cls: type) -> Any:
    return type.__dict__["__dict__"].__get__(cls)


def _parameters(function: Any, skip: int = 0) -> str:
    code = function.__code__
    names, count = code.co_varnames, code.co_argcount
    defaults, by_name = function.__defaults__ or (), function.__kwdefaults__ or {}
    parts = []
    for at in range(skip, count):
        behind = at - (count - len(defaults))
        parts.append(names[at] + (f"={clipped(look(defaults[behind], 0), 40)}" if behind >= 0 else ""))
        if at + 1 == code.co_posonlyargcount:
            parts.append("/")
    after = count + code.co_kwonlyargcount
    if code.co_flags & 4:
        parts.append("*" + names[after])
    elif code.co_kwonlyargcount:
        parts.append("*")
    for name in names[count:after]:
        parts.append(name + (f"={clipped(look(by_name[name], 0), 40)}" if name in by_name else ""))
    if code.co_flags & 8:
        parts.append("**" + names[after + bool(code.co_flags & 4)])
    return ", ".join(parts)


def documentation(value: Any) -> str:
    """Signature and the first paragraph of the docstring."""
    if type(value) is types.MethodType:
        value = value.__func__
    if isinstance_of_type(value):
        text = vars_of(value).get("__doc__")
    elif is_one(type(value), (types.FunctionType, types.BuiltinFunctionType)):
        text = value.__doc__
    else:
        text = (
            types.ModuleType.__getattribute__(value, "__dict__").get("__doc__")
            if type(value) is types.ModuleType
            else None
        )
    paragraph = (
        "\n".join(line.strip() for line in text.strip().split("\n\n")[0].split("\n")) if type(text) is str else ""
    )
    return clipped("\n".join(part for part in (signature(value), paragraph) if part), MAX_DOC)


def module_name(module: Any) -> str:
    name = types.ModuleType.__getattribute__(module, "__dict__").get("__name__")
    return name if type(name) is str else "?"


# ---------------------------------------------------------------- the namespace


def variables(namespace: dict[Any, Any], hidden: dict[Any, Any], pattern: str) -> list[Any]:
    """A line for each of the user's names that fits, in the order of their making."""
    names = [
        name for name in list(namespace) if _is_users(name, namespace, hidden) and fnmatch.fnmatchcase(name, pattern)
    ]
    found = names[:MAX_NAMES]
    return [summary(name, namespace[name]) for name in found if name in namespace]


def _is_users(name: Any, namespace: dict[Any, Any], hidden: dict[Any, Any]) -> bool:
    if type(name) is not str or name.startswith("_"):
        return False
    return name not in hidden or namespace.get(name) is not hidden[name]


def answer(namespace: dict[Any, Any], hidden: dict[Any, Any], what: str, argument: str) -> dict[str, Any]:
    """What is asked, as JSON: ``variables`` with a pattern, ``inspect`` with a name (also one of Python's own)."""
    if what == "variables":
        return {"variables": variables(namespace, hidden, argument)}
    if argument in namespace:
        return {"found": digest(argument, namespace[argument])}
    if argument in vars(builtins):
        return {"found": digest(argument, vars(builtins)[argument])}
    return {
        "found": None,
        "names": [name for name in list(namespace) if _is_users(name, namespace, hidden)][:MAX_NAMES],
    }


# ---------------------------------------------------------------- IPython


class Answer:
    """Goes back as a mime bundle, which IPython sends as it is."""

    def __init__(self, content: dict[Any, Any]) -> None:
        self.content = content

    def __repr__(self) -> str:
        return ""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {MIME: self.content}


def shell() -> Any:
    return sys.modules["IPython"].get_ipython()


def replied(what: str, argument: str) -> Answer:
    try:
        ours = shell()
        return Answer(answer(ours.user_ns, ours.user_ns_hidden, what, argument))
    except Exception as error:
        return Answer({"error": class_name(type(error))})


class Quiet(list):  # type: ignore[type-arg]  # Python 3.8
    """Callbacks of an event, unseen by the thread that asks: after a cell, matplotlib shows and closes all figures.

    While the user's cell draws, a request beside it must not do that. What is registered meanwhile is kept.
    """

    def __init__(self, loud: list[Any]) -> None:
        list.__init__(self, loud)
        self.loud = loud
        self.thread = threading.get_ident()

    def __getitem__(self, at: Any) -> Any:
        return [] if threading.get_ident() == self.thread else list.__getitem__(self, at)

    def give(self, what: str, argument: str) -> Answer:
        try:
            return replied(what, argument)
        finally:
            self.loud[:] = list(self)
            shell().events.callbacks["post_execute"] = self.loud
            stay_busy()


def keep_quiet() -> None:
    callbacks = shell().events.callbacks
    if not hasattr(callbacks["post_execute"], "give"):
        callbacks["post_execute"] = Quiet(callbacks["post_execute"])


def stay_busy() -> None:
    """While the user's cell runs, let our own end not pass for the cell's.

    Front-ends and the server take any "idle" for the kernel's, but that of requests which are no user's activity.
    """
    if "execute_request" in _at_work():
        shell().kernel.get_parent("control")["header"]["msg_type"] = "kernel_info_request"


def _at_work() -> Any:
    """The names of the functions that the main thread is in, or that one of its tasks waits in."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        yield frame.f_code.co_name
        frame = frame.f_back
    for task in asyncio.all_tasks(shell().kernel.io_loop.asyncio_loop):
        waiting: Any = task.get_coro()
        while type(waiting) is types.CoroutineType:
            yield waiting.__name__
            waiting = waiting.cr_await
