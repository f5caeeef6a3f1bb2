"""Which cells a question is about, each rule of the ranking by itself."""

from __future__ import annotations

import pytest

from benchmarks.relevance import BIKES, QUESTIONS, SALES, Asked, diluted, notebook, others, recall
from jupyter_assistant.context.relevance import ranked
from jupyter_assistant.context.words import defined_names
from jupyter_assistant.notebooks.cells import Cell


def order(question: str, *sources: str, active: int | None = None) -> list[int]:
    """The ranking of cells with these sources; one that begins with ``#`` or ``>`` is prose."""
    cells = [
        Cell(str(at), at, "markdown" if text[:1] in "#>" else "code", text, execution_count=1)
        for at, text in enumerate(sources)
    ]
    return ranked(cells, question, active=active)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('frame["net"] = frame["gross"] * 2', {"frame", "net"}),
        ("frame['net'] += 1", {"frame", "net"}),
        ('print(frame["net"] == 1)', set()),
        ('frame.loc[rows, "net"] = 0', {"frame"}),
        ("d$net <- d$gross * 2", {"d", "net"}),
        ("birds <- birds %>% mutate(rate = count / hours)", {"birds", "rate"}),
        ("shop = orders.assign(net=1, tax=2)", {"shop", "net", "tax"}),
        ("conf.index = names", {"conf"}),
        ("%%sql revenue <<\nSELECT 1", {"revenue"}),
        ("%%capture shown\nrun()", {"shown"}),
        ("CREATE OR REPLACE TEMP VIEW main.paid AS SELECT 1", {"paid"}),
        ("create table if not exists parcels (id int)", {"parcels"}),
    ],
)
def test_what_is_written_counts_as_defined_also_columns_and_tables(source: str, names: set[str]) -> None:
    assert defined_names(source) == names


def test_a_cell_that_defines_a_name_of_the_question_comes_before_those_that_use_it() -> None:
    uses = [f"plot(net, {at})\nshow(net)\nnet.describe()" for at in range(6)]
    assert order("where is net set?", *uses, "net = gross - tax")[0] == 6


def test_the_best_cell_brings_what_it_depends_on() -> None:
    other = [f"alpha_{at} = beta_{at}" for at in range(6)]
    found = order("how are vans counted?", "CAPACITY = 22", *other, "vans = ceil(trips / CAPACITY)", *other)
    assert found[:2] == [7, 0]


def test_a_heading_tells_of_the_cells_under_it() -> None:
    found = order("show me the forecast", "# Load", "x = read()", "# Forecast", "y = fit(x)", "# Plot", "draw(y)")
    assert found[:2] == [2, 3]


@pytest.mark.parametrize(
    ("question", "needed"),
    [
        ("How is the calibration done?", "calibrate(probe)"),
        ("Wie wird der Kugelradius gemessen?", "kugel = 0.0125"),
        ("Quels clients ont résilié ?", "churn = 'resilie'"),
        ("which resilie", "# Clients résiliés"),
        ("利润是怎么计算的？", "数据['利润'] = 1"),
        ("where is unitPrice", "unit_price = 1"),
        ("What learning rate is used?", "cfg = dict(lr=3e-4)"),
        ("What is the expected calibration error?", "ece = gap.mean()"),
        ("what is g?", "g = 4 * pi"),
    ],
)
def test_a_word_is_found_in_another_form_another_script_and_by_its_first_letters(question: str, needed: str) -> None:
    others = [f"alpha_{at} = beta_{at}" for at in range(6)]
    assert order(question, *others, needed, *others)[0] == 6


def test_a_name_that_everything_uses_leads_less_far_than_one_of_few() -> None:
    uses = [f"x{at} = np.ones({at})" for at in range(6)]
    found = order("explain", "rate = 0.2", "import numpy as np", *uses, "np.full(3, rate)", active=8)
    assert found[:2] == [0, 1]


def test_words_by_which_people_ask_find_nothing() -> None:
    found = order("what happens here, what does it need?", "need = 1", "z = 2", "happens(need)", "q = z", active=3)
    assert found[0] == 1


@pytest.mark.parametrize("asked", [asked for asked in QUESTIONS if asked.notebook == SALES or asked.active])
def test_with_eight_thousand_tokens_the_cells_an_expert_needs_are_given_also_far_away(asked: Asked) -> None:
    snapshot, places = diluted(notebook(asked.notebook))
    assert recall(asked, snapshot, places, 8_000) == 1


@pytest.mark.parametrize("asked", others())
def test_a_notebook_of_another_trade_or_language_gives_the_cells_an_expert_needs(asked: Asked) -> None:
    whole = notebook(asked.notebook)
    assert recall(asked, whole, range(len(whole.cells)), 8_000) == 1


def test_diluting_keeps_every_cell_and_its_order() -> None:
    whole = notebook(BIKES)
    snapshot, places = diluted(whole)
    assert [snapshot.cells[at].source for at in places] == [cell.source for cell in whole.cells]
    assert len(snapshot.cells) > 7 * len(whole.cells)
