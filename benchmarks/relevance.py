"""Which of the cells an expert would need are in the context: recall by budget, over questions with their cells.

Each question names its notebook, the active cell (or none) and the cells that an answer has to stand on, by hand.
The notebooks are the examples, and ``notebooks/*.txt``: of other trades and in other languages, with questions that
were written before they were first measured. They are asked in the notebook as it is and *diluted*: between its cells
stand those of other analyses with names of their own, eight times as many, so that definitions are far away and a small
budget must choose.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from jupyter_assistant.context import Redactor, build
from jupyter_assistant.messages import NotebookFocus
from jupyter_assistant.notebooks.cells import Cell, Snapshot, digest

EXAMPLES = Path(__file__).parent.parent / "examples"
OTHERS = Path(__file__).parent / "notebooks"
BUDGETS = (2_000, 8_000, 32_000)
DILUTION = 8
PLAIN = Redactor(())


@dataclass(frozen=True)
class Asked:
    """A question in a notebook; cells are counted from 1, ``active`` is 0 for none."""

    notebook: str
    question: str
    active: int
    needed: tuple[int, ...]


SALES, PLOT, BIKES = "failing-sales", "sales-plot", "bike-rentals"
QUESTIONS = (
    Asked(SALES, "Why does this fail?", 11, (7, 10, 11)),
    Asked(SALES, "Why does this fail?", 0, (7, 10, 11)),
    Asked(SALES, "fix it", 11, (7, 10, 11)),
    Asked(SALES, "Where does unit_price come from?", 0, (7,)),
    Asked(SALES, "How many orders had no region, and what happened to them?", 0, (5, 6, 7)),
    Asked(SALES, "what would this plot show?", 14, (10, 12, 14)),
    Asked(SALES, "Is the discount subtracted twice?", 0, (9, 10)),
    Asked(SALES, "explain this cell", 12, (11, 12)),
    Asked(PLOT, "Which product earns the most?", 0, (6,)),
    Asked(PLOT, "What does the dashed line mean?", 10, (9, 10)),
    Asked(PLOT, "How was the share computed?", 0, (3, 6)),
    Asked(PLOT, "How much above the mean is the best month?", 0, (9, 11)),
    Asked(PLOT, "what is this", 11, (9, 11)),
    Asked(PLOT, "Make the left chart a pie chart", 10, (6, 10)),
    Asked(BIKES, "How is the number of vans calculated?", 0, (3, 61)),
    Asked(BIKES, "what happens here?", 64, (51, 61, 64)),
    Asked(BIKES, "What does this function need?", 61, (3, 61)),
    Asked(BIKES, "Why is wind not in the model?", 0, (39, 40, 50)),
    Asked(BIKES, "Which columns go into the forecast?", 0, (49, 50)),
    Asked(BIKES, "How good is the forecast compared with the rule of thumb?", 0, (55, 56, 59)),
    Asked(BIKES, "How much of the income comes from casual riders?", 0, (46, 47, 48)),
    Asked(BIKES, "explain this cell", 48, (46, 47, 48)),
    Asked(BIKES, "explain", 56, (52, 53, 55, 56)),
    Asked(BIKES, "Where is free_day set?", 0, (15,)),
    Asked(BIKES, "What counts as a rainy day?", 0, (3, 15)),
    Asked(BIKES, "How many rentals are lost to rain?", 0, (36, 37)),
    Asked(BIKES, "how were missing values handled?", 0, (11, 12, 13)),
    Asked(BIKES, "What is growth from 2024 to 2025?", 0, (20,)),
    Asked(BIKES, "plot the residuals by rain", 58, (53, 58)),
    Asked(BIKES, "Is the test set leaking into the training?", 0, (52, 53)),
    Asked(BIKES, "what are the units of slope?", 34, (33, 34)),
    Asked(BIKES, "why is the trade-off computed like that?", 65, (62, 64, 65)),
    Asked(BIKES, "How can I change the price of a casual ride?", 0, (46, 47)),
    Asked(BIKES, "Which season is busiest?", 0, (22, 23)),
    Asked(BIKES, "add a second reserve of 30 %", 65, (64, 65)),
    Asked(BIKES, "what does working mean", 28, (15, 28)),
)

_TOPICS = ("alpha", "turbine", "wheat", "ledger", "clinic", "galaxy", "harbour", "parcel", "orchard", "tariff")
_TEMPLATES = (
    "{0}_raw = read_{0}('data/{0}.parquet')\n{0}_raw.shape",
    "{0}_clean = {0}_raw.dropna(subset=['{1}', 'value'])\n{0}_clean['ratio'] = {0}_clean['value'] / {0}_clean['{1}']",
    "def {0}_score(table, weight=0.{2}):\n    return (table['ratio'] * weight).clip(0, 1)",
    "{0}_scored = {0}_score({0}_clean)\n{0}_scored.describe()",
    "## {3} {1}\n\nNotes on the {0} of the {1}, as agreed in week {2}.",
    "for step in range({2}):\n    {0}_state = {0}_update({0}_state, step)\nplot_{0}({0}_state, title='{3}')",
)


def notebook(name: str) -> Snapshot:
    """A notebook as a reader sees it."""
    path = EXAMPLES / f"{name}.ipynb"
    content = json.loads(path.read_text()) if path.exists() else _written(name)[0]
    return digest(content, path=path.name, revision="")


def others() -> tuple[Asked, ...]:
    """The questions about the notebooks that are no examples."""
    return tuple(asked for path in sorted(OTHERS.glob("*.txt")) for asked in _written(path.stem)[1])


def _written(name: str) -> tuple[dict[str, Any], list[Asked]]:
    """A notebook written as text, and its questions.

    ``=m`` and ``=c`` with an id begin a cell, ``=>`` is a line of its output, ``=!`` its error (``name|value``), ``=l``
    the notebook's language, ``=?`` a question (``question | active cell or - | cells needed``).
    """
    cells: list[dict[str, Any]] = []
    asked: list[tuple[str, str, list[str]]] = []
    language = "python"
    for line in (OTHERS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        mark, text = line[:3], line[3:]
        if mark == "=l ":
            language = text
        elif mark in ("=m ", "=c "):
            cells.append(_cell(text, "markdown" if mark == "=m " else "code", len(cells) + 1))
        elif mark == "=> ":
            cells[-1]["outputs"].append({"output_type": "stream", "name": "stdout", "text": f"{text}\n"})
        elif mark == "=! ":
            name_of, value = text.split("|", 1)
            error = {"ename": name_of, "evalue": value, "traceback": [f"{name_of}: {value}"]}
            cells[-1]["outputs"].append({"output_type": "error", **error})
        elif mark == "=? ":
            question, active, needed = text.rsplit(" | ", 2)
            asked.append((question, active, needed.split()))
        else:
            cells[-1]["source"] += f"\n{line}" if cells[-1]["source"] else line
    numbers = {"-": 0} | {cell["id"]: number for number, cell in enumerate(cells, 1)}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": language}}, "cells": cells}
    return content, [Asked(name, text, numbers[at], tuple(map(numbers.__getitem__, need))) for text, at, need in asked]


def _cell(name: str, kind: str, count: int) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": ""}
    return cell if kind == "markdown" else {**cell, "outputs": [], "execution_count": count}


def diluted(snapshot: Snapshot, times: int = DILUTION) -> tuple[Snapshot, list[int]]:
    """The notebook between ``times`` as many cells of others, and where its own cells are now, from 0."""
    chance = random.Random(snapshot.path)
    cells: list[Cell] = []
    places: list[int] = []
    for cell in snapshot.cells:
        cells += [_foreign(len(cells) + at, chance) for at in range(chance.randint(times // 2, times * 3 // 2))]
        places.append(len(cells))
        cells.append(replace(cell, index=len(cells)))
    return replace(snapshot, cells=tuple(cells)), places


def _foreign(index: int, chance: random.Random) -> Cell:
    template = chance.choice(_TEMPLATES)
    topic, other = chance.sample(_TOPICS, 2)
    source = template.format(f"{topic}_{chance.randint(1, 40)}", other, chance.randint(2, 9), topic.title())
    kind = "markdown" if source.startswith("#") else "code"
    return Cell(f"foreign-{index}", index, kind, source, execution_count=index + 1 if kind == "code" else None)


def recall(asked: Asked, snapshot: Snapshot, places: Sequence[int], budget: int) -> float:
    """The share of the needed cells that are given within ``budget`` tokens."""
    active = snapshot.cells[places[asked.active - 1]].id if asked.active else None
    focus = NotebookFocus(snapshot.path, active)
    given = build(asked.question, snapshot=snapshot, focus=focus, budget=budget, redact=PLAIN)
    ids = {item.cell_id for item in given.messages[-1].context if item.kind in ("cell", "error")}
    return mean(snapshot.cells[places[number - 1]].id in ids for number in asked.needed)


def table(questions: Iterable[Asked], dilute: bool) -> dict[str, list[float]]:
    """Mean recall at each budget: of all questions, of those with an active cell, of those without."""
    rows: dict[str, list[list[float]]] = {"all": [], "by active cell": [], "by question": []}
    for asked in questions:
        whole = notebook(asked.notebook)
        snapshot, places = diluted(whole) if dilute else (whole, list(range(len(whole.cells))))
        found = [recall(asked, snapshot, places, budget) for budget in BUDGETS]
        rows["all"].append(found)
        rows["by active cell" if asked.active else "by question"].append(found)
    return {name: [mean(column) for column in zip(*found, strict=True)] for name, found in rows.items()}


def misses(budget: int, dilute: bool) -> None:
    """The questions that miss a cell, for whoever works on the ranking."""
    for asked in (*QUESTIONS, *others()):
        whole = notebook(asked.notebook)
        snapshot, places = diluted(whole) if dilute else (whole, list(range(len(whole.cells))))
        if (found := recall(asked, snapshot, places, budget)) < 1:
            print(f"  {found:.2f}  {asked.notebook} [{asked.active or '-'}] {asked.question} needs {asked.needed}")


def main() -> None:
    """Print the table."""
    print(f"Relevance: recall of the needed cells at {', '.join(f'{budget:,}' for budget in BUDGETS)} tokens")
    for source, questions in (("the examples", QUESTIONS), ("other notebooks", others())):
        for label, dilute in (("as it is", False), (f"diluted {DILUTION}x", True)):
            for name, found in table(questions, dilute).items():
                print(f"  {source:15} {label:12} {name:15} " + "  ".join(f"{value:6.1%}" for value in found))


if __name__ == "__main__":
    main()
