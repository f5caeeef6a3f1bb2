"""A question may end in ``?``; everything else that ends so is IPython's."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core import inputtransformer2

from jupyter_assistant.kernel.transformer import keep_questions


def ipython() -> Any:
    """IPython's own transformation of cells."""
    made: Any = inputtransformer2.TransformerManager
    return made()


def transformed(cell: str) -> str:
    manager = ipython()
    manager.cleanup_transforms.append(keep_questions)
    return str(manager.transform_cell(cell))


def asks(question: str) -> str:
    return f"get_ipython().run_line_magic('ask', {question!r})\n"


@pytest.mark.parametrize(
    "question",
    [
        "what is df?",
        "what is df??",
        "what is {df}??",
        "what's {'a': 1}?",
        'say "why?',
        "--fresh is this right?",
        "ends in words",
        "a (bracket?",
        "# is this a comment?",
        "ünïcode ändert nichts?",
    ],
)
def test_a_question_reaches_the_magic_as_it_was_written(question: str) -> None:
    assert transformed(f"%ask {question}") == asks(question)


def test_it_works_indented_between_other_lines_and_more_than_once() -> None:
    cell = "if x:\n    %ask why 'a?\nelse:\n    %ask why not?\ny = 1\ndf?"
    assert transformed(cell) == (
        f"if x:\n    {asks(chr(39).join(['why ', 'a?']))}else:\n    {asks('why not?')}"
        "y = 1\nget_ipython().run_line_magic('pinfo', 'df')\n"
    )


def test_a_continued_line_is_one_question() -> None:
    assert transformed("%ask what is \\\n  this?") == asks("what is    this?")


def test_an_assignment_keeps_the_answer_in_that_variable() -> None:
    assert transformed("told = %ask what is df?") == asks("--var told what is df?")
    assert transformed("if x:\n    told=%ask --fresh why") == f"if x:\n    {asks('--var told --fresh why')}"


@pytest.mark.parametrize(
    "cell",
    [
        "df?",
        "x = %asking",
        "x = y = 3",
        "x = 5 % ask",
        "f(x)[0] = %ask",
        "df.head??",
        "%ask?",
        "%time x",
        "%asking what?",
        "x = 5 %ask\n",
        "!ls a?",
        "s = '''\n%ask not this?\n'''",
    ],
)
def test_other_lines_are_left_to_ipython(cell: str) -> None:
    assert transformed(cell) == ipython().transform_cell(cell)


def test_a_cells_magic_has_its_body_to_itself() -> None:
    for cell in ("%%ask what is df?\nand %this?\n%ask x?", "%%bash\n%ask x?", "%%ask\nwhat is df?"):
        assert transformed(cell) == ipython().transform_cell(cell)
