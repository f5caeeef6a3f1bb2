"""The prompts an MCP client offers its user as commands: what to do with a notebook, in words for a model; pure.

The law: a prompt says what a good answer has in it and which tools lead there; it never claims what a notebook holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ...errors import AssistantError


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a prompt; all are texts."""

    name: str
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt: ``text`` stands before the outline of its notebook; ``{name}`` are the arguments, quoted."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    text: str
    without: str = ""
    """What stands for the second argument where it is not given."""

    def rendered(self, given: dict[str, str]) -> str:
        """The text with its arguments in it."""
        optional = self.arguments[1] if len(self.arguments) > 1 else None
        said = self.without
        if optional is not None and given.get(optional.name):
            said = f"{optional.description}: {json.dumps(given[optional.name], ensure_ascii=False)}."
        path = json.dumps(given["path"], ensure_ascii=False)
        return self.text.replace("{path}", path, 1).replace("{more}", said, 1)


class PromptRefused(AssistantError):
    """A prompt about a notebook that cannot be read; the text says why and what to do."""

    code = "prompt_refused"
    default_hint = ""


PATH = Argument("path", "Notebook, relative to the server's root", required=True)

PROMPTS = (
    Prompt(
        "explain_notebook",
        "Explain a notebook",
        "What a notebook does, step by step, and what it found",
        (PATH, Argument("audience", "Who the explanation is for")),
        "Explain the notebook {path}. {more} Read it with read_notebook first. Say in two sentences what it is for and "
        "what it found; then go through its steps in order, each with what goes in, what comes out and why it is done, "
        "naming the ids of the cells. Quote figures only from its outputs. End with what is unclear or missing.",
        "Write for a colleague who knows the field and not this notebook.",
    ),
    Prompt(
        "fix_error",
        "Fix an error",
        "Find why a cell fails, correct it and show that it runs",
        (PATH, Argument("cell_id", "Id of the cell that fails")),
        "A cell of the notebook {path} fails. {more} Read the cell and what it depends on; look at the values in "
        "question with list_variables, inspect_variable or execute_code. Say in one sentence what the cause is. "
        "Correct it where it arises with the smallest edit_cell that does, run the cell and those after it that depend "
        "on it with run_cells, and say what you changed and what the run gave. Hide no error: no bare except, no "
        "deleted check.",
        "Find it: it is the first cell whose output is an error.",
    ),
    Prompt(
        "review_notebook",
        "Review a notebook",
        "Errors of fact, method and code, and what keeps others from running it",
        (PATH, Argument("focus", "What to look at above all")),
        "Review the notebook {path}; change nothing. {more} Read it whole. Look for results that the outputs do not "
        "support, errors of method (leakage, wrong joins, silent drops of rows, units), errors in the code, cells that "
        "depend on an order other than top to bottom, paths and secrets of one machine, and steps nobody can repeat. "
        "List what you found by gravity, each with its cell id, the evidence, and the change you would make. Say what "
        "is good in one line, and what you could not check.",
        "Treat correctness first, then whether others can run it, then how it reads.",
    ),
    Prompt(
        "continue_analysis",
        "Continue an analysis",
        "The next step: a new cell that is run, and what it shows",
        (PATH, Argument("goal", "Where the analysis should go")),
        "Continue the analysis in the notebook {path}. {more} Read it, and look with list_variables at what the kernel "
        "holds; if it holds nothing, run what is needed first. Choose one next step and say why it is the best one. "
        "Add it with insert_cells (a short text cell and a code cell, in the notebook's own style, using its "
        "variables), run it with run_cells, and say what its output shows and what it leaves open.",
        "Take the question that the last results leave open.",
    ),
)
