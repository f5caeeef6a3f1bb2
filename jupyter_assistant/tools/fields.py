"""The parameters that tools share, as hints: one wording for one thing.

The law: names, order and defaults are those of DESIGN §7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from ..notebooks.edits import NewCell
from .arguments import Range

MAX_WAIT = 600
CellType = Literal["code", "markdown", "raw"]

NotebookPath = Annotated[str, "Notebook, relative to the server's root"]
FolderPath = Annotated[str, "Only in this folder"]
CellId = Annotated[str, "Id of the cell"]
After = Annotated[str | None, "Id of the cell to go behind"]
Before = Annotated[str | None, "Id of the cell to go in front of"]
Offset = Annotated[int, "How many to skip", Range(0)]
Wait = Annotated[float, "Seconds to wait for the end; longer work goes on, under an execution_id", Range(0, MAX_WAIT)]
Timeout = Annotated[float | None, "Interrupt the kernel after this many seconds", Range(0.1)]


@dataclass(frozen=True)
class CellInput:
    """A cell to be made."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    cell_type: CellType
    source: str

    def made(self) -> NewCell:
        return NewCell(self.cell_type, self.source)
