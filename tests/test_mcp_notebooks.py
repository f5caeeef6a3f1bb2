"""Notebooks through the MCP endpoint: the real tools in real kernels, prompts and completions."""

from __future__ import annotations

import asyncio
import json
import re

import httpx
import nbformat
import pytest

from tests.conftest import Json, Server
from tests.mcp_clients import (
    ERAS,
    MODERN,
    call,
    code,
    fastmcp_client,
    message,
    put,
    request,
    sdk_client,
    text_of,
    texts,
    until,
)

MOST_LISTED = 14_000
MOST_ANSWERED = 20_000


@pytest.fixture
def assistant_config() -> Json:
    return {"model": "offline/responder"}


@pytest.fixture
def mcp(server: Server) -> Server:
    """The server with its own endpoint."""
    return server


# ---------------------------------------------------------------- tools


async def test_the_list_of_tools_fits_a_prompt_and_every_tool_is_described(mcp: Server) -> None:
    listed = message(await mcp.client.post("mcp", **request("tools/list")))["result"]
    tools = {tool["name"]: tool for tool in listed["tools"]}
    assert len(json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()) <= MOST_LISTED
    assert "nextCursor" not in listed
    assert len(tools) == 20
    assert all(
        tool["description"] and tool["title"] and "readOnlyHint" in tool["annotations"] for tool in tools.values()
    )
    assert not any("outputSchema" in tool for tool in tools.values())
    core = {name for name, tool in tools.items() if tool.get("_meta") == {"anthropic/alwaysLoad": True}}
    assert core == {"list_notebooks", "read_notebook", "insert_cells", "edit_cell", "run_cells", "execute_code"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_notebook_is_made_edited_run_and_read_back(mcp: Server, era: str) -> None:
    async with sdk_client(mcp, era) as client:
        made = await client.call_tool("create_notebook", {"path": "new.ipynb"})
        assert not made.is_error, text_of(made)
        cells = [{"cell_type": "code", "source": "print('hello')\n1 + 1"}]
        assert not (await client.call_tool("insert_cells", {"path": "new.ipynb", "cells": cells})).is_error
        ran = await client.call_tool("run_cells", {"path": "new.ipynb"})
    assert not ran.is_error, text_of(ran)
    assert text_of(ran).count("hello") == 1
    assert ran.structured_content is None
    [cell] = [cell for cell in nbformat.read(mcp.root / "new.ipynb", 4).cells if "hello" in cell.source]
    assert cell.execution_count == 1
    assert [output.output_type for output in cell.outputs] == ["stream", "execute_result"]


async def test_what_raises_is_an_error_with_the_outputs_so_far(mcp: Server) -> None:
    put(mcp, "bad.ipynb", code("print('before')\n1 / 0"))
    async with fastmcp_client(mcp, MODERN) as client:
        result = await client.call_tool("run_cells", {"path": "bad.ipynb"}, raise_on_error=False)
    assert result.is_error
    assert "before" in text_of(result)
    assert "ZeroDivisionError" in text_of(result)
    assert "\x1b" not in text_of(result)


@pytest.mark.parametrize("era", ERAS)
async def test_a_print_of_two_megabytes_answers_in_twenty_kilobytes(mcp: Server, era: str) -> None:
    put(mcp, "much.ipynb")
    async with sdk_client(mcp, era) as client:
        result = await client.call_tool(
            "execute_code", {"path": "much.ipynb", "code": "print('x' * 2_000_000 + 'tail')"}
        )
    assert len(result.model_dump_json(by_alias=True, exclude_none=True).encode()) <= MOST_ANSWERED + 1_000
    assert len(text_of(result).encode()) <= MOST_ANSWERED
    assert "tail" in text_of(result)


async def test_closing_the_stream_interrupts_what_that_call_started(mcp: Server) -> None:
    put(mcp, "long.ipynb", code("import time\nopen('began', 'w').close()\ntime.sleep(60)\nopen('ended', 'w').close()"))
    async with httpx.AsyncClient(base_url=mcp.client.base_url, headers=mcp.client.headers, trust_env=False) as client:
        calling = asyncio.create_task(client.post("mcp", timeout=60, **call("run_cells", {"path": "long.ipynb"})))
        await until(lambda: (mcp.root / "began").exists(), 60)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    after = call("execute_code", {"path": "long.ipynb", "code": "print('free')"})
    answer = message(await mcp.client.post("mcp", timeout=60, **after))["result"]
    assert "free" in "".join(texts(answer))
    assert not (mcp.root / "ended").exists()


async def test_a_question_is_answered_with_its_sources(mcp: Server) -> None:
    put(
        mcp,
        "sales.ipynb",
        code(
            "total = 41 + 1\ntotal",
            nbformat.v4.new_output("execute_result", data={"text/plain": "42"}, execution_count=1),
        ),
    )
    asked = call("ask_notebook", {"question": "Which cell computes the total?", "path": "sales.ipynb"})
    result = message(await mcp.client.post("mcp", **asked))["result"]
    assert not result.get("isError"), texts(result)
    assert "total" in texts(result)[0]


async def test_a_question_that_is_none_is_an_error(mcp: Server) -> None:
    for question in ("", "  ", "x" * 32_001):
        result = message(await mcp.client.post("mcp", **call("ask_notebook", {"question": question})))["result"]
        assert result["isError"]
        assert "1 to 32000 characters" in texts(result)[0]


async def test_no_base64_of_any_output_becomes_text(mcp: Server) -> None:
    put(mcp, "page.ipynb")
    made = """
import base64, random
from IPython.display import HTML, Markdown, display
data = base64.b64encode(random.Random(1).randbytes(90_000)).decode()
print(data)
print(base64.encodebytes(random.Random(2).randbytes(3_000)).decode())
display(HTML(f'<p>before</p><img src="data:image/png;base64,{data}"/><p>after</p>'))
display(Markdown(f"![](data:image/png;base64,{data})"))
display({"application/pdf": data}, raw=True)
print("x" * 300, "https://example.org/" + "a" * 300)
raise ValueError(data)
"""
    asked = call("execute_code", {"path": "page.ipynb", "code": made})
    result = message(await mcp.client.post("mcp", timeout=60, **asked))["result"]
    said = "".join(texts(result))
    assert max(map(len, re.findall(r"(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]+", said))) < 100, said
    assert "characters of base64 left out" in said
    assert "x" * 300 in said
    assert "a" * 300 in said


# ---------------------------------------------------------------- prompts and completions


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", ["explain_notebook", "fix_error", "review_notebook", "continue_analysis"])
async def test_prompts_speak_of_their_notebook_and_show_its_outline(mcp: Server, era: str, name: str) -> None:
    put(mcp, "x.ipynb", nbformat.v4.new_markdown_cell("# My title"))
    async with sdk_client(mcp, era) as client:
        assert name in [prompt.name for prompt in (await client.list_prompts()).prompts]
        result = await client.get_prompt(name, {"path": "x.ipynb"})
        named = {"fix_error": "cell_id", "explain_notebook": "audience", "review_notebook": "focus"}.get(name, "goal")
        more = await client.get_prompt(name, {"path": "x.ipynb", named: "the {path} thing"})
    said = [each.content.text for each in result.messages]
    assert '"x.ipynb"' in said[0]
    assert "{" not in said[0]
    assert "My title" in said[1]
    assert '"the {path} thing"' in more.messages[0].content.text


async def test_a_prompt_without_its_notebook_says_so(mcp: Server, caplog: pytest.LogCaptureFixture) -> None:
    for arguments, why in (({}, "needs the argument path"), ({"path": "no.ipynb"}, "no.ipynb")):
        asked = request("prompts/get", {"name": "explain_notebook", "arguments": arguments})
        error = message(await mcp.client.post("mcp", **asked))["error"]
        assert error["code"] == -32602
        assert why in error["message"]
    assert not [record for record in caplog.records if record.exc_info]


async def completed(server: Server, argument: str, value: str, **context: str) -> list[str]:
    params: Json = {
        "ref": {"type": "ref/prompt", "name": "fix_error"},
        "argument": {"name": argument, "value": value},
        "context": {"arguments": context},
    }
    found = message(await server.client.post("mcp", **request("completion/complete", params)))["result"]["completion"]
    values: list[str] = found["values"]
    return values


async def test_paths_and_cell_ids_are_completed(mcp: Server) -> None:
    put(mcp, "sales.ipynb", code("1"), code("2"))
    put(mcp, "sub/salaries.ipynb")
    put(mcp, "other.ipynb")
    assert await completed(mcp, "path", "sal") == ["sales.ipynb", "sub/salaries.ipynb"]
    assert await completed(mcp, "path", "LARI") == ["sub/salaries.ipynb"]
    assert await completed(mcp, "path", "[sal]") == []
    assert len(await completed(mcp, "path", "")) == 3
    assert await completed(mcp, "cell_id", "", path="sales.ipynb") == ["a", "b"]
    assert await completed(mcp, "cell_id", "b", path="sales.ipynb") == ["b"]
    assert await completed(mcp, "cell_id", "", path="no.ipynb") == []
    assert await completed(mcp, "goal", "x") == []
