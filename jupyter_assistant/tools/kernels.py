"""Tools for the kernels behind notebooks: which there are, what they hold, and how to stop them.

The law: looking disturbs nothing, not even a busy kernel; stopping is the caller's will and says what was lost.
"""

from __future__ import annotations

from typing import Annotated

from ..errors import KernelError, KernelUnable, VariableNotFound
from ..notebooks import Notebooks
from ..notebooks.kernels import Kernels, KernelState, Variable
from ..notebooks.outputs import clean
from .arguments import echo
from .fields import NotebookPath
from .rendering import named
from .text import BUDGET, encodable, fenced, listed, within

SUMMARY_CHARS = 120


class KernelTools:
    def __init__(self, notebooks: Notebooks, kernels: Kernels) -> None:
        self._notebooks = notebooks
        self._kernels = kernels

    async def list_kernels(self) -> str:
        """List the running kernels of this server and the notebooks they belong to."""
        states = await self._kernels.list()
        return (
            "\n".join(listed(map(_kernel_line, states)))
            or "No kernel is running. run_cells starts one for its notebook."
        )

    async def list_variables(self, path: NotebookPath, pattern: Annotated[str, "Glob on the names"] = "*") -> str:
        """List the variables in the notebook's kernel with type and shape; works while a cell runs, too."""
        found = await self._kernels.variables(await self._path(path), pattern)
        if not found:
            return f"No variable matches {echo(pattern)}."
        lines = listed(map(_variable_line, found), BUDGET - 100)
        missing = len(found) - len(lines)
        return "\n".join([*lines, *([f"and {missing} more: narrow it with pattern"] if missing else [])])

    async def inspect_variable(self, path: NotebookPath, name: Annotated[str, "Name of a variable or function"]) -> str:
        """Look into one variable: a dataframe's schema and head, an array's range, a function's documentation."""
        path = await self._path(path)
        try:
            found = await self._kernels.inspect(path, name)
        except (KernelUnable, VariableNotFound) as error:
            return await self._documented(path, name, error)
        return within(f"{_variable_line(found.variable)}\n{fenced(encodable(found.text))}", BUDGET)

    async def _documented(self, path: str, name: str, error: KernelError) -> str:
        """What the kernel itself says: for other languages than Python, and for dotted names."""
        try:
            text = await self._kernels.documentation(path, name)
        except KernelError:
            raise error from None
        return within(fenced(clean(text)), BUDGET)

    async def interrupt_kernel(self, path: NotebookPath) -> str:
        """Interrupt what the notebook's kernel is doing; its variables stay. What runs raises KeyboardInterrupt."""
        path = await self._path(path)
        await self._kernels.interrupt(path)
        return f"The kernel of {named(path)} was interrupted."

    async def restart_kernel(self, path: NotebookPath) -> str:
        """Restart the notebook's kernel: all its variables are lost, and what runs is stopped."""
        path = await self._path(path)
        with self._notebooks.tabs.restarting(path):
            await self._kernels.restart(path)
        return f"The kernel of {named(path)} was restarted; its variables are gone."

    async def _path(self, path: str) -> str:
        """The notebook's path as sessions know it; raises ``PathRefused``, ``NotebookNotFound``."""
        return (await self._notebooks.open(path)).path


def _kernel_line(state: KernelState) -> str:
    notebook = named(encodable(state.path)) if state.path else "no notebook"
    return f"{notebook} · {state.name} · {state.language} · {state.execution_state} · id {state.id}"


def _variable_line(variable: Variable) -> str:
    """``df: DataFrame (1000, 12) · columns …``"""
    shape = f" {variable.shape}" if variable.shape is not None else ""
    measure = f" · size {variable.size:,}" if variable.size is not None else ""
    summary = " ".join(encodable(variable.summary).split())
    summary = summary if len(summary) <= SUMMARY_CHARS else f"{summary[:SUMMARY_CHARS]}…"
    return f"{variable.name}: {variable.type}{shape}{measure}{f' · {summary}' if summary else ''}"
