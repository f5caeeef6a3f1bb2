"""What of the kernel goes with a question, and how the built-in responder tells it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.context import Redactor, build, estimate_tokens
from jupyter_assistant.context.kernel import documentation_asked, is_asked, kernel_items, names_asked
from jupyter_assistant.llm.offline import Offline
from jupyter_assistant.messages import KernelView, NotebookFocus, Token, Variable
from jupyter_assistant.notebooks.cells import Cell, Snapshot

FRAME = Variable(
    "orders", "DataFrame", "421 x 6", "order_id  int64\nprice     float64\n\n   order_id  price\n0  1  9.5"
)
TOTAL = Variable("total", "float", "", "1234.5")
NUMPY = Variable("np", "module")
SNAPSHOT = Snapshot(
    "sales.ipynb",
    (
        Cell("a", 0, "code", "import pandas as pd\norders = pd.read_csv('orders.csv')", execution_count=1),
        Cell("b", 1, "code", "total = orders.price.sum()", execution_count=2),
    ),
)
PLAIN = Redactor(())


def answer(question: str, view: KernelView | None) -> str:
    """What the built-in responder says."""
    focus = NotebookFocus(SNAPSHOT.path)
    messages = build(question, snapshot=SNAPSHOT, focus=focus, budget=8_000, redact=PLAIN, kernel=view).messages

    async def said() -> str:
        return "".join([event.text async for event in Offline().stream(messages) if isinstance(event, Token)])

    return asyncio.run(said())


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("what columns does orders have?", ("orders",)),
        ("compare `total` with orders", ("total", "orders")),
        ("what is x?", ()),
        ("what is `x`?", ("x",)),
        ("Orders by month", ()),
    ],
)
def test_a_question_names_the_variables_it_spells(question: str, names: tuple[str, ...]) -> None:
    assert names_asked(question, [FRAME, TOTAL, Variable("x", "int")]) == names


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("how do I use pd.merge?", ("pd.merge",)),
        ("show the documentation of `orders.groupby()`", ("orders.groupby",)),
        ("help on np.linalg.norm please", ("np.linalg.norm",)),
        ("why does orders.price fail?", ()),
        ("what is the weather", ()),
    ],
)
def test_documentation_is_asked_for_by_a_dotted_or_quoted_name(question: str, names: tuple[str, ...]) -> None:
    assert documentation_asked(question) == names


def test_secrets_in_the_kernel_do_not_leave() -> None:
    view = KernelView((TOTAL,), (Variable("config", "dict", "1", "{'key': 'sk-live-canary-12345'}"),))
    items = list(kernel_items(view, "a.ipynb", Redactor(("sk-live-canary-12345",)), 2_000))
    assert sum(item.redacted for item in items) == 1
    assert "canary" not in "".join(item.text for item in items) + repr(items)


def test_what_is_not_known_is_said_in_the_context() -> None:
    (item,) = kernel_items(KernelView(missing="The kernel is busy with a cell."), "a.ipynb", PLAIN, 1_000)
    assert item.text.endswith("The kernel is busy with a cell.")


@given(
    st.lists(st.builds(Variable, st.text(), st.text(), st.text(), st.text(max_size=2_000)), max_size=30),
    st.integers(0, 2_000),
    st.text(),
)
def test_a_kernel_of_any_content_stays_within_its_share_and_in_its_fences(
    variables: list[Variable], tokens: int, missing: str
) -> None:
    view = KernelView(tuple(variables), tuple(variables[:4]), tuple(variables[4:6]), missing)
    items = list(kernel_items(view, "a.ipynb", PLAIN, tokens))
    assert sum(estimate_tokens(item.text) for item in items) <= tokens
    assert all(item.text.encode() for item in items)


def test_the_list_says_how_many_names_it_leaves_out() -> None:
    variables = tuple(Variable(f"name_{number}", "int") for number in range(2_000))
    (item,) = kernel_items(KernelView(variables), "a.ipynb", PLAIN, 3_000)
    assert f"{2_000 - len(item.variables)} more are not listed." in item.text
    assert item.truncated


def test_the_responder_lists_what_the_kernel_holds_and_where_it_is_made() -> None:
    said = answer("which variables are there?", KernelView((FRAME, NUMPY, TOTAL)))
    assert "`orders` DataFrame 421 x 6 [cell 1]" in said
    assert "`total` float [cell 2]" in said
    assert "`np`" not in said


def test_the_responder_tells_dataframes_from_the_rest() -> None:
    said = answer("list the dataframes", KernelView((FRAME, TOTAL)))
    assert "`orders`" in said
    assert "`total`" not in said


def test_the_responder_tells_what_a_variable_holds_now() -> None:
    said = answer("what columns does orders have?", KernelView((FRAME, TOTAL), (FRAME,)))
    assert "price     float64" in said
    assert "[cell 1], line 2" in said


def test_the_responder_shows_the_kernels_documentation() -> None:
    merge = Variable("pd.merge", "function", "", "merge(left, right, how='inner')\nJoin two frames.")
    assert "Join two frames." in answer("how do I use pd.merge?", KernelView(documentation=(merge,)))


def test_without_a_kernel_the_responder_reads_the_code_as_before() -> None:
    said = answer("which variables are there?", None)
    assert "`orders` [cell 1]" in said
    assert "what they hold in the kernel now I cannot see" in said


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("which variables are there?", True),
        ("what is total?", True),
        ("what columns does orders have?", True),
        ("is unit_price the same everywhere?", True),
        ("show `x`", True),
        ("what does np.mean do?", True),
        ("is unitPrice set?", True),
        ("Why does this fail?", False),
        ("Explain this cell", False),
        ("Where is the mean computed?", False),
        ("fix it", False),
    ],
)
def test_only_a_question_about_what_the_kernel_holds_waits_long_for_it(question: str, asked: bool) -> None:
    assert is_asked(question) is asked
