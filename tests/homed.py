"""What the tests of a notebook's homes share: what a home must give them, and notebooks to put there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

from jupyter_assistant.notebooks import Document, Notebooks

Json = dict[str, Any]


class Homed(Protocol):
    """Notebooks of one home, and how to put one there and look at it from outside."""

    @property
    def notebooks(self) -> Notebooks:
        """What is tried."""

    @property
    def root(self) -> Path:
        """The folder of the server's notebooks."""

    async def put(self, content: Json, name: str = "a.ipynb") -> Document:
        """A notebook with this content (nbformat JSON), at this path and in this home; and its document."""

    def stored(self, name: str = "a.ipynb") -> Any:
        """The notebook as the home holds it when an edit has returned, read by nbformat and found valid."""

    def mark(self, name: str = "a.ipynb") -> object:
        """What is equal as long as nothing has been written there."""


def code(name: str, source: str, *outputs: Json, count: int | None = None) -> Json:
    return {
        "cell_type": "code",
        "execution_count": count,
        "id": name,
        "metadata": {"tags": [f"t{name}"]},
        "outputs": list(outputs),
        "source": source.splitlines(True),
    }


def markdown(name: str, source: str) -> Json:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source.splitlines(True)}


def notebook(*cells: Json, minor: int = 5) -> Json:
    return {"cells": list(cells), "metadata": {"mine": {"b": 1, "a": 2}}, "nbformat": 4, "nbformat_minor": minor}


def printed(text: str) -> Json:
    return {"name": "stdout", "output_type": "stream", "text": text}


PLOT: Json = {
    "output_type": "display_data",
    "data": {"image/png": "iVBORw==", "text/plain": "a\nplot"},
    "metadata": {},
}
THREE = notebook(code("a", "x = 1\ny = 2", printed("one\ntwo\n"), count=3), markdown("b", "# Ä title"), code("c", "x"))


def hashed(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:12]


async def sources(document: Document) -> list[tuple[str, str]]:
    return [(cell.id, cell.source) for cell in (await document.read()).cells]
