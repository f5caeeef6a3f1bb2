"""What a question is about, read while the store takes the question in: its notebook, the kernel, cells of others.

The law: what a question does not ask for is not waited for; a large notebook is never looked through on the loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from ..context.workspace import FoundCell, is_foreign, names_beyond
from ..messages import KernelView, NotebookFocus, Question
from ..notebooks import Notebooks
from ..notebooks.cells import Snapshot, overlay
from . import kernel, workspace
from .kernel import Kernels

LARGE_CELLS = 100
LARGE_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class Looked:
    """What a question is about, as it is now; ``note`` says what the search for ``found`` had to do without."""

    notebook: Snapshot | None = None
    kernel: KernelView | None = None
    found: tuple[FoundCell, ...] = ()
    note: str = ""


async def look(question: Question, notebooks: Notebooks, kernels: Kernels | None, *, send: bool = True) -> Looked:
    """The notebook as it is now (its home, overlaid with what the front-end has not saved), what its kernel knows, and
    where the question reaches beyond it, cells of others; unless ``send``, without asking an endpoint for embeddings.
    Raises ``NotebookError``.
    """
    path = question.notebook.path if question.notebook else None
    search = partial(workspace.find, notebooks, question.question, besides=path, send=send)
    if reaches_beyond(question):
        (notebook, view), others = await asyncio.gather(_notebook(question, notebooks, kernels), search(asked_for=True))
        return Looked(notebook, view, others.cells, others.note)
    notebook, view = await _notebook(question, notebooks, kernels)
    if await _is_foreign(question, notebook):
        return Looked(notebook, view, (await search(asked_for=False)).cells)
    return Looked(notebook, view)


def reaches_beyond(question: Question) -> bool:
    """Whether the question says that it is about other notebooks than the open one."""
    return names_beyond(question.question, question.notebook.path if question.notebook else None)


def is_large(snapshot: Snapshot | None, more: int = 0) -> bool:
    """Whether looking through all of it, and ``more`` characters, would hold the event loop noticeably."""
    cells = snapshot.cells if snapshot else ()
    if len(cells) > LARGE_CELLS:
        return True
    chars = sum(len(cell.source) + sum(len(output.text) for output in cell.outputs) for cell in cells)
    return chars + more > LARGE_CHARS


async def _notebook(
    question: Question, notebooks: Notebooks, kernels: Kernels | None
) -> tuple[Snapshot | None, KernelView | None]:
    focus = question.notebook
    if focus is None:
        return None, None
    document = await notebooks.open(focus.path)
    if kernels is None:
        return _shown(await document.read(), focus), None
    asked = asyncio.ensure_future(kernel.view(kernels, document.path, question.question))
    try:
        return _shown(await document.read(), focus), await asked
    finally:
        asked.cancel()


def _shown(saved: Snapshot, focus: NotebookFocus) -> Snapshot:
    """The notebook as the front-end shows it."""
    return overlay(saved, focus) if focus.unsaved or focus.order is not None else saved


async def _is_foreign(question: Question, notebook: Snapshot | None) -> bool:
    if is_large(notebook):
        return await asyncio.to_thread(is_foreign, question.question, notebook)
    return is_foreign(question.question, notebook)
