"""A question that a notebook's kernel can answer: variables, dataframes and documentation, by the built-in responder
and in what a model is given.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.conftest import Server

Json = dict[str, Any]
CODE = """
import pandas as pd
orders = pd.DataFrame({"price": [1.5, 2.5], "product": ["tea", "pot"]})
total = float(orders.price.sum())
secret_token = "sk-live-canary-0123456789abcdef"
def net(price, tax=0.19):
    "The price without its tax."
    return price / (1 + tax)
"""


@pytest.fixture
def notebook(jp_root_dir: Path) -> str:
    cells = [nbformat.v4.new_code_cell(CODE, id="load")]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), jp_root_dir / "sales.ipynb")
    return "sales.ipynb"


async def run(server: Server, path: str) -> None:
    """Run the notebook's cell, as a user or a tool does."""
    document = await server.built.notebooks.open(path)
    execution = await server.built.kernels.run(document, ["load"])
    assert await execution.wait(60)
    assert execution.state == "done", execution


async def answer(server: Server, question: str, path: str) -> str:
    events = await server.ask(question, notebook={"path": path})
    assert events[-1].event == "done"
    return "".join(json.loads(event.data)["text"] for event in events if event.event == "token")


async def test_the_responder_tells_what_the_kernel_holds(server: Server, notebook: str) -> None:
    before = await answer(server, "which variables are there?", notebook)
    await run(server, notebook)
    listed = await answer(server, "which variables are there?", notebook)
    frames = await answer(server, "list the dataframes", notebook)
    columns = await answer(server, "what columns does orders have?", notebook)
    value = await answer(server, "what is total?", notebook)
    documented = await answer(server, "how do I use `net`?", notebook)

    assert "what they hold in the kernel now I cannot see" in before
    assert "`orders` pandas.DataFrame 2 x 2 [cell 1]" in listed
    assert "`total` float 4.0 [cell 1]" in listed
    assert "`orders`" in frames
    assert "`total`" not in frames
    assert "price" in columns
    assert "float64" in columns
    assert "4.0" in value
    assert "The price without its tax." in documented


async def test_preview_shows_what_of_the_kernel_would_leave_without_secrets(server: Server, notebook: str) -> None:
    await run(server, notebook)
    body = {"question": "is secret_token the same as total?", "notebook": {"path": notebook}}
    preview = (await server.client.post("preview", json=body)).json()
    kinds = {item["kind"]: item for item in preview["items"]}
    assert kinds["variables"]["text"].startswith("Variables in the kernel now")
    assert {item["label"] for item in preview["items"] if item["kind"] == "variable"} == {"secret_token", "total"}
    assert "canary" not in json.dumps(preview)


async def test_a_busy_kernel_is_neither_waited_for_nor_disturbed(server: Server, notebook: str, tmp_path: Path) -> None:
    await run(server, notebook)
    flag = tmp_path / "go"
    code = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)\nprint('undisturbed')"
    execution = await server.built.kernels.execute(notebook, code)
    told = await asyncio.wait_for(answer(server, "what columns does orders have?", notebook), 30)
    flag.touch()
    assert await execution.wait(30)
    assert "price" in told
    assert "undisturbed" in json.dumps([cell.outputs for cell in execution.cells])
