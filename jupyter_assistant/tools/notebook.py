"""Our tools: everything that can be done with notebooks and their kernels (DESIGN §7).

The law: one list, in one order, for the agent and for MCP clients alike; every call names its notebook.
"""

from __future__ import annotations

from ..notebooks import Notebooks
from ..notebooks.kernels import Kernels
from . import Tool
from .editing import Editing
from .images import Images
from .kernels import KernelTools
from .reading import Reading
from .running import Running


def notebook_tools(notebooks: Notebooks, kernels: Kernels, *, images: Images | None = None) -> list[Tool]:
    """The tools over these notebooks and kernels; ``images`` scales what results show."""
    images = images or Images()
    reading = Reading(notebooks, kernels, images)
    editing = Editing(notebooks)
    running = Running(notebooks, kernels, images)
    kernel = KernelTools(notebooks, kernels)
    return [
        Tool(reading.list_notebooks, "read", "List notebooks", core=True),
        Tool(reading.read_notebook, "read", "Read notebook", core=True),
        Tool(reading.read_cell, "read", "Read cell"),
        Tool(reading.search_notebooks, "read", "Search notebooks"),
        Tool(kernel.list_variables, "read", "List variables"),
        Tool(kernel.inspect_variable, "read", "Inspect variable"),
        Tool(kernel.list_kernels, "read", "List kernels"),
        Tool(running.get_execution, "read", "Get execution"),
        Tool(editing.create_notebook, "write", "Create notebook"),
        Tool(editing.insert_cells, "write", "Insert cells", core=True),
        Tool(editing.edit_cell, "write", "Edit cell", core=True, destroys=True),
        Tool(editing.replace_cell, "write", "Replace cell", destroys=True, repeats=True),
        Tool(editing.move_cell, "write", "Move cell", repeats=True),
        Tool(editing.delete_cells, "write", "Delete cells", destroys=True),
        Tool(editing.clear_outputs, "write", "Clear outputs", destroys=True, repeats=True),
        Tool(running.run_cells, "execute", "Run cells", core=True, destroys=True),
        Tool(running.execute_code, "execute", "Execute code", core=True, destroys=True),
        Tool(kernel.interrupt_kernel, "execute", "Interrupt kernel", destroys=True, repeats=True),
        Tool(kernel.restart_kernel, "execute", "Restart kernel", destroys=True, repeats=True),
    ]
