"""Notebooks, cells and outputs as MCP resources: true nbformat, without secrets, within what a client takes."""

from __future__ import annotations

import json

import nbformat
import pytest

from tests.conftest import Json, Server
from tests.mcp_clients import ERAS, LEGACY, code, message, opened, picture, printed, put, request, sdk_client


@pytest.fixture
def mcp(server: Server) -> Server:
    """The server with its own endpoint."""
    return server


async def read(server: Server, uri: str) -> Json:
    """The resource, or the error."""
    answer = message(await server.client.post("mcp", **request("resources/read", {"uri": uri})))
    found: Json = answer.get("result", answer)
    return found


@pytest.mark.parametrize("era", ERAS)
async def test_notebooks_cells_and_outputs_are_resources_in_true_nbformat(mcp: Server, era: str) -> None:
    path = "a folder/cells/größe.ipynb"
    tagged = nbformat.v4.new_markdown_cell("# Title\nwith lines", metadata={"tags": ["intro"]})
    file = put(mcp, path, tagged, code("print(1)", printed("1\n2\n"), picture()), code("2"))
    async with sdk_client(mcp, era) as client:
        [listed] = (await client.list_resources()).resources
        assert (listed.name, listed.mime_type) == (path, "application/x-ipynb+json")
        whole = (await client.read_resource(listed.uri)).contents[0]
        cell = (await client.read_resource(f"{listed.uri}/cells/b")).contents[0]
        output = (await client.read_resource(f"{listed.uri}/cells/b/outputs/0")).contents[0]
    assert whole.mime_type == "application/x-ipynb+json"
    there = nbformat.read(file, 4)
    nbformat.validate(nbformat.reads(whole.text, 4))
    assert nbformat.reads(whole.text, 4) == there
    assert json.loads(cell.text) == there.cells[1]
    assert json.loads(output.text) == {"name": "stdout", "output_type": "stream", "text": "1\n2\n"}


async def test_a_cell_without_an_id_is_read_by_its_handle(mcp: Server) -> None:
    old: Json = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ["1"]}
    (mcp.root / "old.ipynb").write_text(
        json.dumps({"cells": [old, {**old, "source": "2"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    )
    found = await read(mcp, "notebook://old.ipynb/cells/%231")
    assert json.loads(found["contents"][0]["text"]) == {**old, "source": "2"}


async def test_secrets_in_resources_are_taken_out_and_the_rest_stays_as_it_is(mcp: Server) -> None:
    key = '-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75\n"quoted"\n'
    shown = nbformat.v4.new_output(
        "display_data", {"application/json": {"api_key": "abcdef0123456789", "city": "Rome"}, "image/png": "sk-1" * 40}
    )
    put(mcp, "secret.ipynb", code('password = "hunter2hunter2"\nname = "x"', printed(key), shown))
    [notebook] = (await read(mcp, "notebook://secret.ipynb"))["contents"]
    [cell] = nbformat.reads(notebook["text"], 4).cells
    assert cell.source == 'password = "[redacted: password]"\nname = "x"'
    assert "MIIEp" not in notebook["text"]
    assert cell.outputs[1].data["application/json"] == {"api_key": "[redacted: secret]", "city": "Rome"}
    assert cell.outputs[1].data["image/png"] == "sk-1" * 40


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("notebook://no.ipynb", "no notebook at no.ipynb"),
        ("notebook://x.ipynb/cells/zz", "no cell zz"),
        ("notebook://x.ipynb/cells/a/outputs/0", "has 0 outputs"),
        ("notebook://x.ipynb/cells/a/outputs/-1", "has 0 outputs"),
        ("notebook://../x.ipynb", "Resource not found"),
        ("notebook://sub/../x.ipynb", "leads out of its folder"),
        ("notebook:///etc/passwd", "Resource not found"),
        ("notebook://%2e%2e/x.ipynb", "Resource not found"),
        ("notebook://.hidden/x.ipynb", "hidden"),
        ("other://x.ipynb", "Resource not found"),
    ],
)
async def test_what_is_not_there_or_outside_is_no_resource_and_the_reason_is_said(
    mcp: Server, caplog: pytest.LogCaptureFixture, era: str, uri: str, why: str
) -> None:
    put(mcp, "x.ipynb", code("1"))
    put(mcp, "../x.ipynb", code("1"))
    put(mcp, ".hidden/x.ipynb", code("1"))
    asked = request("resources/read", {"uri": uri}, era=era)
    if era == LEGACY:
        asked["headers"]["Mcp-Session-Id"] = await opened(mcp.client)
    response = await mcp.client.post("mcp", **asked)
    error = message(response)["error"]
    assert (error["code"], error["data"]) == (-32602, {"uri": uri})
    assert why in error["message"]
    assert str(mcp.root) not in response.text
    assert "Traceback" not in response.text
    assert not [record for record in caplog.records if record.exc_info]


async def test_outputs_too_large_for_a_client_say_so_in_their_place(mcp: Server) -> None:
    put(mcp, "large.ipynb", code("1", printed("x" * 2_000_000 + "end"), printed("short")))
    for uri in ("notebook://large.ipynb", "notebook://large.ipynb/cells/a"):
        found = (await read(mcp, uri))["contents"][0]["text"]
        assert len(found) < 10_000
        assert "[text: 2000003 characters left out]" in found
        assert "xend" in found
        assert "short" in found
    error = (await read(mcp, "notebook://large.ipynb/cells/a/outputs/0"))["error"]
    assert "too large" in error["message"]
    assert "read_cell" in error["message"]


async def test_a_notebook_too_large_even_so_is_refused_with_what_to_read_instead(mcp: Server) -> None:
    for size in (1_000_000, 5_000_000):
        put(mcp, "large.ipynb", nbformat.v4.new_markdown_cell("x" * size), code("1"))
        error = (await read(mcp, "notebook://large.ipynb"))["error"]
        assert "too large" in error["message"]
        assert "cells one by one" in error["message"]
        assert "contents" in await read(mcp, "notebook://large.ipynb/cells/b")


async def test_all_notebooks_come_as_resources_in_pages(mcp: Server) -> None:
    first = put(mcp, "n000.ipynb")
    for number in range(1, 620):
        (mcp.root / f"n{number:03}.ipynb").write_bytes(first.read_bytes())
    found: list[Json] = []
    params: Json = {}
    while len(found) < 1_000:
        page = message(await mcp.client.post("mcp", **request("resources/list", params)))["result"]
        found += page["resources"]
        assert len(page["resources"]) <= 100
        if "nextCursor" not in page:
            break
        params = {"cursor": page["nextCursor"]}
    assert [each["uri"] for each in found] == [f"notebook://n{number:03}.ipynb" for number in range(620)]
    assert found[0]["size"] == first.stat().st_size
    wrong = message(await mcp.client.post("mcp", **request("resources/list", {"cursor": "nonsense"})))["error"]
    assert wrong["code"] == -32602
