"""A run in a tab: begun as its user would begin it, followed from here.

The law: whoever follows the run learns its end, from the tab or from the tab's loss; stopping it leaves everything
alone that its user has in the kernel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ...errors import TabClosed, TabUnresponsive
from .asking import unsaved
from .faults import told
from .frames import Json
from .window import Asking, Opened

GOES_ON = "The kernel goes on with the cell it is at; run the others again, and look at the notebook first."


class TabRun:
    """Cells on their way through a tab."""

    def __init__(self, path: str, asking: Asking, *, saved: Callable[[Opened], Awaitable[None]]) -> None:
        self._path = path
        self._asking = asking
        self._saved = saved

    async def end(self) -> tuple[Sequence[Json], str]:
        """Wait for its end; all cells as they are then, in the words of the protocol, and what else is to be known.

        Raises ``TabClosed``, ``TabUnresponsive`` (the kernel goes on), ``KernelUnable``, ``EditRefused``,
        ``CellNotFound``.
        """
        try:
            with told(self._path, "run", sent=True):
                answer = await self._asking.answer
        except TabClosed:
            self._asking.opened.is_open = False  # it may say so only after this
            text = f"The tab with {self._path} was closed while the run was on its way."
            raise TabClosed(text, GOES_ON) from None
        except TabUnresponsive as error:
            raise TabUnresponsive(error.text, GOES_ON) from None
        if answer.get("saved") is True:
            await self._saved(self._asking.opened)
        cells = answer.get("cells")
        found = [each for each in cells if isinstance(each, dict)] if isinstance(cells, list) else []
        return found, unsaved(answer)

    def stop(self) -> None:
        """Take what has not begun out of the queue, and interrupt the kernel where it is at a cell of this run."""
        self._asking.give_up()
