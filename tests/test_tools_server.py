"""The tools on a real Jupyter server: its contents, its sessions, its kernels; and light to load."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import nbformat

from jupyter_assistant.notebooks.kernels import Kernels
from jupyter_assistant.tools import Registry
from jupyter_assistant.tools.notebook import notebook_tools
from tests.conftest import Server
from tests.test_house import HEAVY, fresh

LOADING = """
import json, sys
import jupyter_server.serverapp
before = set(sys.modules)
import jupyter_assistant.tools.notebook
from jupyter_assistant.tools import Registry
names = [tool.name for tool in jupyter_assistant.tools.notebook.notebook_tools(None, None)]
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_making_the_tools_imports_nothing_heavy(tmp_path: Path) -> None:
    assert set(fresh(LOADING, tmp_path)) & (HEAVY | {"png", "PIL", "pydantic_core", "nbformat"}) == set()


async def test_a_server_is_worked_with_from_an_empty_folder_to_outputs_on_disk(server: Server) -> None:
    app, log = server.app, logging.getLogger("tests.tools")
    notebooks = server.built.notebooks
    kernels = Kernels(
        kernel_manager=app.kernel_manager,
        session_manager=app.session_manager,
        kernel_spec_manager=app.kernel_spec_manager,
        log=log,
    )
    tools = Registry(notebook_tools(notebooks, kernels), log=log)
    cells = [{"cell_type": "code", "source": "x = 20\nx + 1"}]
    created = await tools.call("create_notebook", {"path": "new.ipynb", "cells": cells, "kernel": "python3"})
    assert not created.is_error, created.text
    ran = await tools.call("run_cells", {"path": "new.ipynb"})
    assert "```result\n21\n```" in ran.text
    [cell] = nbformat.read(server.root / "new.ipynb", as_version=4).cells
    assert cell.outputs[0].data["text/plain"] == "21"
    sessions = await server.client.get(str(server.client.base_url).replace("/assistant/", "/api/sessions"))
    assert [session["path"] for session in json.loads(sessions.text)] == ["new.ipynb"]
    assert "x: int" in (await tools.call("list_variables", {"path": "new.ipynb"})).text
    await kernels.close()
