"""Values of the session in short: what a question about a dataframe, an array or a figure needs to know of it.

The law: nothing of a value is changed, a value that cannot be looked at says so, and no digest is long.
"""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Callable, Sized
from contextlib import suppress
from typing import Any

from ..messages import Variable

CHARS = 4_000
LARGE = 10_000_000
"""Values up to which an array is looked at whole."""
INLINE = 200
"""Characters up to which a plain value is written into the question itself."""

_PLAIN = (str, bytes, int, float, complex, bool, type(None), list, tuple, dict, set, frozenset)
_short = reprlib.Repr()
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdict = 40
_short.maxstring = _short.maxother = 400
_short.maxlevel = 4


def inline(value: object) -> str | None:
    """A small plain value as text for a sentence; None for one that needs a digest."""
    if isinstance(value, str):
        return value if len(value) <= INLINE and "\n" not in value else None
    if not isinstance(value, _PLAIN) or (isinstance(value, Sized) and len(value) > INLINE):
        return None
    text = _safely(repr, value)
    return text if len(text) <= INLINE and "\n" not in text else None


def digest(name: str, value: object) -> Variable:
    """What there is to know of a value: its type, its shape, and in short what it holds."""
    return Variable(name, _type(value), _shape(value), cut(_safely(_told, value)))


def cut(text: str, chars: int = CHARS) -> str:
    """A text with its middle left out when it is longer."""
    if len(text) <= chars:
        return text
    tail = chars // 3
    return f"{text[: chars - tail]}\n[… {len(text) - chars} characters left out …]\n{text[-tail:]}"


def _type(value: object) -> str:
    return type(value).__name__


def _shape(value: object) -> str:
    with suppress(Exception):
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple):
            return " x ".join(map(str, shape))
        if isinstance(value, Sized) and not isinstance(value, type):
            return f"{len(value)} {'characters' if isinstance(value, str) else 'items'}"
    return ""


def _told(value: Any) -> str:
    if isinstance(value, str):
        return value
    tell = next((tell for fits, tell in _KINDS if fits(value)), None)
    return tell(value) if tell else _short.repr(value)


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda value: not isinstance(value, type) and all(hasattr(value, name) for name in names)


def _lazy(value: Any) -> str:
    """A frame that would have to be computed first: what it is, not what it holds."""
    names = [str(column) for column in value.columns]
    return f"columns: {', '.join(names[:100])}\nnot computed yet: its rows are not known"


def _frame(value: Any) -> str:
    types = value.dtypes
    if hasattr(types, "items"):  # pandas
        columns = ", ".join(f"{name}: {kind}" for name, kind in list(types.items())[:100])
        return f"columns: {columns}\nfirst rows:\n{value.head(5).to_string(max_cols=20, max_colwidth=40)}"
    return f"columns: {', '.join(map(str, value.columns))}\nfirst rows:\n{value.head(5)}"


def _series(value: Any) -> str:
    summary = value.describe() if len(value) <= LARGE else "too long for a summary"
    return f"dtype: {value.dtype}\nfirst values:\n{value.head(10)}\n{summary}"


def _array(value: Any) -> str:
    lines = [f"dtype: {value.dtype}"]
    if math.prod(value.shape) <= LARGE:
        with suppress(Exception):
            lines.append(f"min {value.min()}, max {value.max()}, mean {value.mean()}")
    first = value[tuple(slice(20) for _ in value.shape)]  # a view: to flatten may copy all of it
    return "\n".join([*lines, f"first values: {first.ravel()[:20].tolist()}"])


def _figure(value: Any) -> str:
    size = value.get_size_inches()
    return "\n".join([f"figure of {size[0]:g} x {size[1]:g} inches", *map(_axes, value.axes)])


def _axes(value: Any) -> str:
    drawn = {"lines": value.lines, "bars and patches": value.patches, "collections": value.collections}
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in drawn.items() if len(found))
    labels = [text.get_text() for text in (value.get_legend().get_texts() if value.get_legend() else [])]
    return (
        f"axes {value.get_title()!r}: x {value.get_xlabel()!r} {_span(value.get_xlim())}, "
        f"y {value.get_ylabel()!r} {_span(value.get_ylim())}; {counts or 'empty'}"
        + (f"; legend: {', '.join(labels)}" if labels else "")
    )


def _span(limits: Any) -> str:
    return f"{limits[0]:g} to {limits[1]:g}"


def _callable(value: Any) -> str:
    told = ""
    with suppress(TypeError, ValueError):
        told = f"{getattr(value, '__name__', '')}{inspect.signature(value)}"
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        return "\n".join(filter(None, [told, inspect.getdoc(value) or ""]))


def _module(value: Any) -> str:
    return f"module {value.__name__}\n{(inspect.getdoc(value) or '').partition(chr(10))[0]}"


def _is_lazy(value: Any) -> bool:
    """Whether it is a frame of Dask's, Spark's or Polars' that computes only when told to."""
    return hasattr(value, "columns") and (hasattr(type(value), "compute") or hasattr(type(value), "collect"))


def _is_code(value: object) -> bool:
    return inspect.isroutine(value) or inspect.isclass(value)


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], str]], ...] = (
    (inspect.ismodule, _module),
    (_is_code, _callable),
    (_is_lazy, _lazy),
    (_has("columns", "dtypes", "head"), _frame),
    (_has("dtype", "head", "describe"), _series),
    (_has("get_size_inches", "axes"), _figure),
    (_has("get_xlabel", "get_xlim", "lines"), _axes),
    (_has("dtype", "shape", "ravel"), _array),
)


def _safely(tell: Callable[[Any], str], value: object) -> str:
    """What is told of a value; a value's own code may raise anything."""
    try:
        return tell(value)
    except Exception as error:
        return f"(cannot be shown: {type(error).__name__})"
