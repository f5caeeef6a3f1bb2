"""The built-in responder on the example notebooks, on real tracebacks, and on notebooks made to break it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from jupyter_assistant.context import Redactor, build
from jupyter_assistant.llm.offline import CONNECT, Offline
from jupyter_assistant.llm.offline.exceptions import CLUES, MEANINGS
from jupyter_assistant.llm.offline.facts import read
from jupyter_assistant.llm.offline.tracebacks import frames
from jupyter_assistant.messages import CellError, Finish, Message, ModelEvent, NotebookFocus, Source, Sources, Token
from jupyter_assistant.notebooks.cells import Cell, Output, Snapshot, digest

EXAMPLES = Path(__file__).parent.parent / "examples"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def example(name: str) -> Snapshot:
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text("utf-8"))
    return digest(notebook, path=f"{name}.ipynb", revision="1")


class Answer:
    """What the responder said, and the events it said it in."""

    def __init__(self, events: Sequence[ModelEvent]) -> None:
        self.events = events
        self.text = "".join(event.text for event in events if isinstance(event, Token))
        self.sources: list[Source] = [
            source for event in events if isinstance(event, Sources) for source in event.sources
        ]

    @property
    def cited(self) -> list[str]:
        return [source.title for source in self.sources]


def ask(
    question: str,
    snapshot: Snapshot | None,
    *,
    active: int | None = None,
    selection: str = "",
    earlier: Sequence[str] = (),
    budget: int = 200_000,
) -> Answer:
    """The answer to a question about a notebook; ``active`` is a cell's number."""
    cell_id = snapshot.cells[active - 1].id if snapshot and active else None
    given = build(
        question,
        snapshot=snapshot,
        focus=NotebookFocus(snapshot.path, cell_id=cell_id, selection=selection) if snapshot else None,
        history=[message for text in earlier for message in (Message("user", text), Message("assistant", "…"))],
        budget=budget,
        redact=Redactor(),
    )
    return asyncio.run(_asked(given.messages))


async def _asked(messages: Sequence[Message]) -> Answer:
    return Answer([event async for event in Offline().stream(messages)])


# ---------------------------------------------------------------- the seam


def test_answer_ends_with_how_to_connect_a_model_then_sources_and_finish() -> None:
    events = ask("why does this fail?", example("failing-sales")).events
    assert events[-1] == Finish("stop")
    assert isinstance(events[-2], Sources)
    assert events[-3] == Token(CONNECT)
    assert sum(isinstance(event, Finish) for event in events) == 1


def test_answer_comes_in_pieces_as_it_is_worked_out() -> None:
    tokens = [
        event
        for event in ask("what does this notebook do?", example("bike-rentals")).events
        if isinstance(event, Token)
    ]
    assert len(tokens) > 20
    assert max(len(token.text) for token in tokens) < 2000


def test_sources_open_at_their_cell() -> None:
    snapshot = example("failing-sales")
    moved = Snapshot("my work/año #1.ipynb", snapshot.cells, kernel=snapshot.kernel)
    source = ask("why does this fail?", moved).sources[0]
    assert source.url == f"lab/tree/my%20work/a%C3%B1o%20%231.ipynb#cell-id={snapshot.cells[10].id}"
    assert (source.title, source.path, source.cell_id) == ("cell 11", "my work/año #1.ipynb", snapshot.cells[10].id)
    assert source.snippet == "orders = add_revenue(orders)"


@pytest.mark.parametrize("question", ["hello", "why does this fail?", "where is x computed?", "", "?"])
def test_without_a_notebook_it_says_what_it_can_do(question: str) -> None:
    text = ask(question, None).text
    assert "No notebook came with this question" in text
    assert text.endswith(CONNECT)


# ---------------------------------------------------------------- the examples


@pytest.mark.parametrize(
    ("question", "active"),
    [
        ("why does this fail?", None),
        ("Why does this fail?", 14),
        ("what's the error in cell 11?", None),
        ("explain the KeyError", 1),
        ("How do I fix it?", 11),
        ("it doesn't work", None),
    ],
)
def test_error_is_explained_with_its_place_and_its_cause_some_cells_away(question: str, active: int | None) -> None:
    answer = ask(question, example("failing-sales"), active=active)
    assert "[cell 11] fails with `KeyError: 'price'`" in answer.text
    assert "[cell 10], line 4, in `add_revenue`, which [cell 11] calls in line 1" in answer.text
    assert "[cell 7] renames `price` to `unit_price`" in answer.text
    assert answer.cited == ["cell 11", "cell 10", "cell 7"]


def test_cells_that_wait_for_the_failed_one_are_named() -> None:
    assert "have not been run: [cell 12] and [cell 14]" in ask("why does this fail?", example("failing-sales")).text


@pytest.mark.parametrize(
    ("notebook", "question", "said", "cited"),
    [
        ("bike-rentals", "where is the forecast computed?", "`forecast` is made in [cell 53], line 2", "cell 53"),
        ("bike-rentals", "Where is `coefficients` defined?", "[cell 53], line 1", "cell 53"),
        ("bike-rentals", "which cell computes losses", "[cell 37], line 8", "cell 37"),
        ("bike-rentals", "where does by season come from", "`by_season` is computed in [cell 22]", "cell 22"),
        ("bike-rentals", "where is vans_needed used?", "`vans_needed` is used in [cell 62]", "cell 62"),
        ("bike-rentals", "where is numpy imported", "`numpy` is imported in [cell 2], line 2", "cell 2"),
        ("bike-rentals", "where is np imported", "`np` is imported in [cell 2], line 2", "cell 2"),
        ("failing-sales", "where is by_region computed?", "[cell 12], line 1, which has not been run", "cell 12"),
        ("failing-sales", "where is unit_price made?", "[cell 7], line 2", "cell 7"),
        ("sales-plot", "where is monthly changed?", "`monthly` is computed in [cell 9]", "cell 9"),
    ],
)
def test_names_are_found_with_cell_and_line(notebook: str, question: str, said: str, cited: str) -> None:
    answer = ask(question, example(notebook))
    assert said in answer.text
    assert cited in answer.cited


def test_follow_up_is_about_the_name_asked_before() -> None:
    answer = ask("and where is it used?", example("failing-sales"), earlier=["where is by_region computed?"])
    assert "`by_region` is used in [cell 14]" in answer.text


def test_overview_outlines_the_notebook() -> None:
    text = ask("What does this notebook do?", example("bike-rentals")).text
    assert "**`bike-rentals.ipynb`** has 66 cells, 44 of them code." in text
    assert (
        "- Two years of bike rentals [cell 1]\n  - 1\\. Load and check [cell 4]\n    - Missing wind [cell 10]\n" in text
    )
    assert "**Packages:** `matplotlib`, `numpy` and `pandas` [cell 2]" in text
    assert "**Reads:** `data/bike-rentals.csv` [cell 5]" in text
    assert "**Figures:** [cell 19], [cell 26], [cell 33], [cell 43] and [cell 57]" in text
    assert "`vans_needed` [cell 61]" in text


def test_overview_says_what_failed_and_what_was_not_run() -> None:
    text = ask("summarise this", example("failing-sales")).text
    assert "**Fails:** [cell 11] (`KeyError`)" in text
    assert "**Not run:** [cell 12] and [cell 14]" in text


def test_function_is_described_by_signature_docstring_and_callers() -> None:
    text = ask("what does vans_needed do?", example("bike-rentals")).text
    assert "`vans_needed(rentals_a_day)` is a function defined in [cell 61], line 4" in text
    assert "> Return how many vans move the bikes" in text
    assert "It is used in [cell 62] and [cell 64]" in text


def test_active_cell_is_described_by_what_it_makes_and_needs() -> None:
    text = ask("explain this cell", example("bike-rentals"), active=53).text
    assert "[cell 53] is a code cell (run as [35])" in text
    assert "**Makes:** `coefficients`" in text
    assert "`fit` from [cell 51]" in text
    assert "`train` from [cell 52]" in text


def test_selection_goes_before_the_active_cell() -> None:
    text = ask("what does this do?", example("bike-rentals"), active=53, selection='fit(train, "total", start)').text
    assert "The selection in [cell 53]" in text
    assert "`predict`" not in text


@pytest.mark.parametrize(
    ("notebook", "question", "said"),
    [
        ("failing-sales", "which cells have not been run?", "**Not run:** [cell 12] and [cell 14]"),
        ("bike-rentals", "which cells were not executed?", "Every code cell I was given has been run"),
        ("bike-rentals", "which variables are there?", "`rentals` [cell 5]"),
        ("bike-rentals", "list the functions", "`check_days` [cell 9]"),
        ("bike-rentals", "why does this fail?", "No cell of this notebook shows an error"),
        ("bike-rentals", "explain cell 99", "there is no cell 99"),
        ("bike-rentals", "explain cell 34", "[cell 34] is a code cell"),
        ("bike-rentals", "how does rain affect rentals?", "rain_effect"),
        ("bike-rentals", "what about quantum chromodynamics?", "found nothing about that"),
        ("bike-rentals", "where is `coeficients` computed?", "The nearest name is `coefficients`"),
    ],
)
def test_other_questions(notebook: str, question: str, said: str) -> None:
    answer = ask(question, example(notebook))
    assert said in answer.text
    assert answer.text.endswith(CONNECT)


def test_it_says_when_it_saw_only_a_part() -> None:
    answer = ask("what does this notebook do?", example("bike-rentals"), budget=3000)
    assert re.search(r"has 66 cells\. I was given \d+ of them", answer.text)
    assert (
        "is not among the cells I was given"
        in ask("explain cell 2", example("bike-rentals"), active=60, budget=1500).text
    )


def test_every_citation_is_of_a_cell_that_was_given_and_is_a_source() -> None:
    for name in ("failing-sales", "sales-plot", "bike-rentals"):
        snapshot = example(name)
        for question in ("why does this fail?", "where is orders computed?", "explain this cell", "what is revenue?"):
            answer = ask(question, snapshot, active=2)
            numbers = {int(number) for number in re.findall(r"\[cell (\d+)\]", answer.text)}
            assert numbers <= {cell.index + 1 for cell in snapshot.cells}
            assert {int(title.split()[1]) for title in answer.cited} <= {cell.index + 1 for cell in snapshot.cells}


# ---------------------------------------------------------------- real tracebacks


class Shell(InteractiveShell):
    """IPython, keeping errors as outputs would hold them."""

    errors: ClassVar[list[CellError]] = []

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.errors.append(CellError(etype.__name__, str(evalue), ANSI.sub("", "\n".join(stb))))


@pytest.fixture
def shell() -> Iterator[Shell]:
    Shell.clear_instance()
    shell = Shell.instance()
    if shell.history_manager:
        shell.history_manager.enabled = False
    yield shell
    shell.reset()  # type: ignore[no-untyped-call]  # IPython has few types
    shell.restore_sys_module_state()  # type: ignore[no-untyped-call]  # IPython has few types
    Shell.clear_instance()


def run(shell: Shell, sources: Sequence[str], skip: Sequence[int] = ()) -> Snapshot:
    """A notebook of these cells, each run for real; those whose numbers are in ``skip`` are not."""
    cells = []
    for at, source in enumerate(sources):
        if at + 1 in skip:
            cells.append(Cell(f"c{at}", at, "code", source))
            continue
        shell.errors.clear()
        count = shell.execution_count
        with contextlib.redirect_stdout(io.StringIO()) as said:
            shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]  # IPython has few types
        outputs = [Output("stream", said.getvalue())] if said.getvalue() else []
        outputs += [Output("error", error=error) for error in shell.errors]
        cells.append(Cell(f"c{at}", at, "code", source, tuple(outputs), count))
    return Snapshot("real.ipynb", tuple(cells))


@pytest.mark.parametrize(
    ("sources", "skip", "said"),
    [
        (["a = 1", "print(total)", "total = 5"], [3], "`total` is defined in [cell 3], which has not been run"),
        (["print(total)", "total = 5"], [], "`total` is defined in [cell 2], further down the notebook"),
        (["total = 5", "del total", "print(total)"], [], "the kernel did not have it"),
        (["def f():\n    inner = 2", "inner"], [], "`inner` exists only inside `f`, defined in [cell 1]"),
        (["np.zeros(3)"], [], "add `import numpy as np` to [cell 1]"),
        (["revenue = 1", "revenu + 1"], [], "[cell 1] defines `revenue`"),
        (["zzz"], [], "no cell given defines `zzz`"),
        (["import sklearnn"], [], "`%pip install sklearnn`"),
        (["import yaml2.x as y"], [], "`%pip install yaml2`"),
        (["d = {'Price': 1}", "d['price']"], [], "[cell 1] has `Price`"),
        (["d = {}", "d['x'] = 1", "d['x']"], [2], "`x` is made in [cell 2], which has not been run"),
        (["d = {}", "d['qqqq']"], [], "List what there is"),
        (["list = [1, 2]", "list((1, 2))"], [], "[cell 1] gives the name `list`, which is a function, to a variable"),
        (["names = [3, 1].sort()", "names[0]"], [], "[cell 1] assigns to `names` the result of a call"),
        (
            ["def scale(values, factor):\n    return 1", "scale(3)"],
            [],
            "defined in [cell 1] as `scale(values, factor)`",
        ),
        (["def f(a): pass", "f(b=1)"], [], "an argument named `b`, which it does not have"),
        (["1 + 'a'"], [], "`+` does not work between int and str"),
        (["'a' + 1"], [], "A text and int were added"),
        (["[1, 2][5]"], [], "positions count from 0"),
        (["open('data/missing.csv')"], [], "relative to the notebook's folder"),
        (
            ["open('out.csv', 'w')", "open('data/out.csv')"],
            [1],
            "`out.csv` is written by [cell 1], which has not been run",
        ),
        (["x = (1,\ny = 2"], [], "fails with `SyntaxError: '(' was never closed`"),
        (["def f():\nreturn 1"], [], "indentation of a line does not fit"),
        (["float('abc')"], [], "A text that is not a number"),
        (["a, b = 1, 2, 3"], [], "number of names on the left"),
        (["1 / 0"], [], "divided by zero"),
        (["assert 1 == 2, 'totals differ'"], [], "AssertionError: totals differ"),
        (["None.foo"], [], "`.foo` was asked of `None`"),
        (["raise KeyboardInterrupt"], [], "stopped by hand; it did not fail by itself"),
        (["class OddError(Exception): pass", "raise OddError('x')"], [], "raised an exception"),
        (["import json", "json.loads('<html>')"], [], "is not valid JSON"),
        (["def f(n):\n    return f(n - 1)", "f(1)"], [], "called itself too many times"),
        (["def f():\n    x += 1", "x = 1\nf()"], [], "uses a variable before it gives it a value"),
        (
            ["import pandas as pd\ndf = pd.DataFrame({'a': [1], 'Total Sales': [2]})", "df[['a', 'total_sales']]"],
            [],
            "[cell 1] has `Total Sales`",
        ),
        (
            ["import pandas as pd\ndf = pd.DataFrame({'revenue': [1]})", "df.revenu"],
            [],
            "[cell 1] has `revenue`",
        ),
        (
            ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})", "df['b'] = [1, 2, 3]"],
            [],
            "column of 3 values was given to a table of 2 rows",
        ),
        (["import pandas as pd\ndf = pd.DataFrame({'a': [1]})", "if df: pass"], [], "one yes or no is needed"),
        (["import numpy as np", "np.zeros(3) + np.zeros(4)"], [], "sizes that do not fit"),
        (["import numpy as np", "np.zeros(3)[7]"], [], "Position 7 was asked for, but axis 0 has only 3"),
    ],
)
def test_real_error_is_explained(shell: Shell, sources: list[str], skip: list[int], said: str) -> None:
    snapshot = run(shell, sources, skip)
    answer = ask("why does this fail?", snapshot)
    assert said in answer.text
    failed = next(cell for cell in snapshot.cells if any(output.error for output in cell.outputs))
    assert answer.cited[0] == f"cell {failed.index + 1}"


def test_line_of_the_error_is_shown(shell: Shell) -> None:
    text = ask("why does this fail?", run(shell, ["x = 1\ny = 0\nz = x / y\nprint(z)"])).text
    assert "It happens in line 3:\n\n```python\nz = x / y\n```" in text


def test_cell_edited_since_it_failed_is_not_pointed_into(shell: Shell) -> None:
    snapshot = run(shell, ["x = 1\ny = x / 0"])
    edited = Cell("c0", 0, "code", "x = 1\ny = x / 2", snapshot.cells[0].outputs, snapshot.cells[0].execution_count)
    text = ask("why does this fail?", Snapshot("x.ipynb", (edited,))).text
    assert "was edited after it failed" in text
    assert "y = x / 2" not in text


def test_first_of_several_errors_is_explained_and_the_others_named(shell: Shell) -> None:
    answer = ask("why does this fail?", run(shell, ["1 / 0", "[][1]", "{}['k']"]))
    assert "**[cell 1] fails with `ZeroDivisionError" in answer.text
    assert "Also failing: [cell 2] (`IndexError`) and [cell 3] (`KeyError`)" in answer.text
    assert "**[cell 2] fails" in ask("explain the IndexError", run(shell, ["1 / 0", "[][1]"])).text
    assert "**[cell 2] fails" in ask("why does this fail?", run(shell, ["1 / 0", "[][1]"]), active=2).text


def test_frames_of_old_and_new_ipython_are_read() -> None:
    steps = [("2", "1", "f(1)", ""), ("1", "2", "return x", "f(x)")]
    new = "".join(f"Cell In[{n}], line {line}, in {f}\n----> {line} {code}\n\n" for n, line, code, f in steps)
    old = "".join(
        f"<ipython-input-{n}-ab1> in {f or '<module>'}\n----> {line} {code}\n\n" for n, line, code, f in steps
    )
    middle = "".join(
        f"Input In [{n}], in {f or '<cell line: 1>()'}\n----> {line} {code}\n" for n, line, code, f in steps
    )
    for text in (new, old, middle):
        assert [(frame.execution_count, frame.line, frame.code) for frame in frames(text)] == [
            (2, 1, "f(1)"),
            (1, 2, "return x"),
        ]
    assert [frame.function for frame in frames(new)] == ["", "f"]


def test_every_clue_can_be_filled_in_and_names_a_known_exception() -> None:
    for clue in CLUES:
        assert clue.exception in MEANINGS
        blanks = ["x"] * (clue.message.groups + 1)
        assert clue.says.format(*blanks)
        assert clue.next_step.format(*blanks)


# ---------------------------------------------------------------- made to break it

EVIL = [
    "```\n# Heading\n![x](http://evil.example/?d=1)\n```",
    "`` ` `` <script>alert(1)</script>",
    "[cell 99](javascript:alert(1)) ![](http://evil.example/x.png)",
    "</details><img src=x onerror=alert(1)>",
    "| a | b |\n|---|---|\n$$\\href{javascript:1}{x}$$",
    "www.evil.example http://evil.example/?q=secret &lt;b&gt;",
]


def outside_code(markdown: str) -> str:
    """An answer without its fenced blocks and code spans: what Markdown gives a meaning to."""
    kept, fence = [], ""
    for line in markdown.split("\n"):
        ticks = re.match(r"`{3,}", line)
        if not fence and ticks:
            fence = ticks[0]
        elif fence and line == fence:
            fence = ""
        elif not fence:
            kept.append(line)
    assert not fence, "a fence was left open"
    text = "\n".join(kept).replace("\\`", "")
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize(
    "question",
    [
        "why does this fail?",
        "what does this notebook do?",
        "explain this cell",
        "what does f do?",
        "evil heading script",
        "list the variables",
    ],
)
def test_notebook_text_is_only_ever_quoted(text: str, question: str) -> None:
    error = CellError("Value`Error" + text, text, f"---\nCell In[1], line 1\n----> 1 {text}\n")
    cells = (
        Cell(
            "a", 0, "code", f'def f(x={text!r}):\n    """{text}"""\nopen({text!r})', (Output("error", error=error),), 1
        ),
        Cell("b", 1, "markdown", f"# {text}\n\n{text}"),
        Cell("c", 2, "code", text, (Output("stream", text),), 2),
    )
    for active in (1, 2, 3):
        answer = ask(question, Snapshot(f"{text}.ipynb", cells), active=active, selection=text if active == 3 else "")
        seen = outside_code(answer.text)
        assert not re.search(r"(?<!\\)<\w", seen)
        assert not re.search(r"(?<!\\)\]\(", seen)
        assert not re.search(r"(?<!\\):\/\/", seen)
        assert not re.search(r"(?<!\\)\$", seen)
        assert not re.search(r"^#", seen, re.MULTILINE)


HARD = [
    "x = " + "(" * 5000,
    "x = " + "-" * 15_000 + "1",
    "a" + ".a" * 9000,
    "\x00\x01\x02",
    "x = 1 \ud800",
    "if " * 3000,
    "x" * 100_000,
    "y = '" + "z" * 100_000 + "'",
    "%%bash\nrm -rf /",
    "!ls\n%matplotlib inline\nx = !pwd\ny = %time 1\ndf?\nz = 3",
    "\\d" * 50,
    "print('\\d')",
    "lambda " * 2000,
    "f'{" * 500,
    "def f():\n" + "".join(" " * at + "if x:\n" for at in range(1, 90)),
    "library(dplyr)\nx <- c(1, 2)\nf <- function(a) a",
    "using CSV\nfunction g(x)\n x\nend",
    "",
    "   \n\n",
]


@pytest.mark.parametrize("source", HARD)
def test_any_source_can_be_read(source: str) -> None:
    read(source)
    snapshot = Snapshot("x.ipynb", (Cell("a", 0, "code", source), Cell("b", 1, "odd", source)))
    for question in ("explain this cell", "what does this notebook do?", "why does this fail?", "where is x defined?"):
        assert ask(question, snapshot, active=1).text.endswith(CONNECT)


def test_magics_do_not_hide_the_python_around_them() -> None:
    facts = read("%matplotlib inline\n!ls\nx = !pwd\ny = 3 % 2\nz = y\nx?")
    assert facts.parsed
    assert [(bind.name, bind.line) for bind in facts.binds] == [("x", 3), ("y", 4), ("z", 5)]
    assert read("%%time\nx = 1").binds[0].line == 2
    assert not read("%%bash\nx=1").parsed


def test_local_names_are_not_taken_for_uses_of_the_notebooks() -> None:
    facts = read("def f(a):\n    b = a + c\n    return [d for d in b if d > e]\n")
    assert set(facts.uses) == {"c", "e"}


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["code", "markdown", "raw"]), st.text(max_size=120), st.text(max_size=60)), max_size=5
    ),
    st.text(max_size=80) | st.sampled_from(["why does this fail?", "explain this cell", "what does this notebook do?"]),
)
def test_any_notebook_and_question_get_an_answer(cells: list[tuple[str, str, str]], question: str) -> None:
    snapshot = Snapshot(
        "x.ipynb",
        tuple(
            Cell(f"c{at}", at, kind, source, (Output("error", error=CellError(said, said, said)),), at)
            for at, (kind, source, said) in enumerate(cells)
        ),
    )
    answer = ask(question or "?", snapshot, active=1 if cells else None)
    assert answer.text.endswith(CONNECT)
    assert answer.events[-1] == Finish("stop")


async def test_other_work_goes_on_while_a_long_notebook_is_read() -> None:
    cells = tuple(Cell(f"c{at}", at, "code", f"value_{at} = {at}\n" * 20) for at in range(600))
    given = build(
        "where is value_599 computed?",
        snapshot=Snapshot("x.ipynb", cells),
        focus=None,
        budget=400_000,
        redact=Redactor(),
    )
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(others())
    try:
        answer = await _asked(given.messages)
    finally:
        task.cancel()
    assert "[cell 600], line 1" in answer.text
    assert turns > 50


def test_how_to_connect_a_model_is_told_by_the_ways_there_are() -> None:
    for snapshot in (None, example("failing-sales")):
        answer = ask("How do I connect a model?", snapshot)
        assert "export JUPYTER_ASSISTANT_BASE_URL=" in answer.text
        assert "settings" not in answer.text.lower()
