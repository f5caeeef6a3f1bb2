"""What a question brings along: names, attributes and subscripts, never code; large values as digests."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_assistant.kernel.digests import CHARS, cut, digest, inline
from jupyter_assistant.kernel.interpolation import MOST, fill

np: Any = pytest.importorskip("numpy")
pd: Any = pytest.importorskip("pandas")
plots: Any = pytest.importorskip("matplotlib.figure")

FRAME = pd.DataFrame({"city": ["Rome", "Oslo"] * 50, "sales": range(100)})
NAMES: dict[str, Any] = {
    "x": 41,
    "name": "Ada",
    "rows": [{"k": "v"}, 2],
    "at": 1,
    "df": FRAME,
    "box": SimpleNamespace(size=3, inner=SimpleNamespace(deep="yes")),
    "In": ["", "a = 1", "b = 2\nc = 3"],
    "Out": {1: "result"},
    "Err": {3: "Traceback\nValueError: no"},
    "long": "line\n" * 500,
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("is {x} odd?", "is 41 odd?"),
        ("is $x odd? $x.", "is 41 odd? 41."),
        ("hello {name}, $name!", "hello Ada, Ada!"),
        ("{box.size} {box.inner.deep} $box.size", "3 yes 3"),
        ("{rows[1]} {rows[-1]} {rows[0]['k']} {rows[at]}", "2 2 v 2"),
        ("{Out[1]} and {In[1]}", "result and a = 1"),
    ],
)
def test_names_attributes_and_subscripts_are_filled_in(text: str, filled: str) -> None:
    assert fill(text, NAMES).text == filled


@pytest.mark.parametrize(
    "text",
    [
        "a dict {'a': 1} and {x: 1} and {x + 1} and {x!r} and {x:>3}",
        "{unknown} $unknown $100 costs $ 5 {}",
        "{{x}} and \\{x} and \\$x",
        "{f()} {__import__('os').getcwd()} {rows[0:1]} {box.nope} {rows[99]}",
        "in code `{x} $x` stays",
        "```python\nprint(f'{x} $x')\n```\nstays",
        "```\nopen {x}",
    ],
)
def test_code_and_unknown_names_stay_text(text: str) -> None:
    assert fill(text, NAMES).text == text


def test_large_values_stand_by_name_and_come_as_digests() -> None:
    filled = fill("what is {df}, $df and {Err[3]}?", NAMES)
    assert filled.text == "what is `df`, `df` and `Err[3]`?"
    frame, error = filled.variables
    assert (frame.name, frame.type, frame.shape) == ("df", "DataFrame", "100 x 2")
    assert "city" in frame.digest
    assert "sales: int64" in frame.digest
    assert "Rome" in frame.digest
    assert "ValueError: no" in error.digest


def test_no_more_than_a_few_values_go_with_one_question() -> None:
    names = {f"t{at}": "x\n" * 300 for at in range(20)}
    assert len(fill(" ".join(f"{{{name}}}" for name in names), names).variables) == MOST


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    @property
    def shape(self) -> Any:
        raise RuntimeError("no")

    @property
    def part(self) -> Any:
        raise RuntimeError("no")


def test_a_value_that_raises_is_told_as_such() -> None:
    filled = fill("{h} {h.part}", {"h": Hostile()})
    assert filled.text == "`h` {h.part}"
    assert "cannot be shown" in filled.variables[0].digest or "Hostile" in filled.variables[0].digest


def _named(a: int, b: str = "x") -> str:
    """Joins."""
    return b * a


def _figure() -> Any:
    figure = plots.Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 3], label="sales")
    axes.set(title="By year", xlabel="year")
    axes.legend()
    return figure


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (FRAME, ["columns:", "city", "first rows"]),
        (FRAME["sales"], ["dtype: int64", "mean"]),
        (np.arange(12).reshape(3, 4), ["dtype: int64", "min 0, max 11", "first values"]),
        (_figure(), ["By year", "year", "1 lines", "sales"]),
        (_named, ["def _named", "return b * a"]),
        (len, ["Return the number"]),
        (datetime, ["module datetime"]),
        (list(range(10_000)), ["0, 1, 2", "..."]),
        ("a\nb", ["a\nb"]),
    ],
)
def test_a_digest_tells_what_a_value_holds(value: Any, told: list[str]) -> None:
    found = digest("v", value)
    assert all(part in found.digest for part in told), found.digest
    assert len(found.digest) <= CHARS + 60


def test_a_digest_changes_nothing() -> None:
    before = FRAME.copy()
    digest("df", FRAME)
    pd.testing.assert_frame_equal(FRAME, before)


class Lazy:
    """A frame as Dask and Spark have them: to look at its rows is to compute them."""

    columns = ("city", "sales")
    dtypes = ("str", "int")

    def head(self, rows: int) -> None:
        raise AssertionError("computed")

    compute = collect = head


def test_a_frame_that_would_have_to_be_computed_is_not() -> None:
    assert digest("lazy", Lazy()).digest == "columns: city, sales\nnot computed yet: its rows are not known"


def test_an_array_larger_than_memory_is_told_of_by_its_first_values() -> None:
    huge = np.broadcast_to(np.arange(3), (1_000_000, 1_000_000, 3)).transpose()
    found = digest("huge", huge)
    assert found.shape == "3 x 1000000 x 1000000"
    assert found.digest == f"dtype: int64\nfirst values: {[0] * 20}"


def test_small_plain_values_are_written_in_and_others_not() -> None:
    assert inline(None) == "None"
    assert inline({"a": 1}) == "{'a': 1}"
    assert inline("two\nlines") is None
    assert inline("x" * 1_000) is None
    assert inline(list(range(1_000))) is None
    assert inline(object()) is None


def test_a_cut_keeps_both_ends() -> None:
    text = cut("a" * 5_000 + "z" * 5_000, 300)
    assert text.startswith("aaa")
    assert text.endswith("zzz")
    assert "characters left out" in text
