"""Tool and Registry: what a model sees of a function, and what comes of whatever a model sends."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.errors import NotebookNotFound, StaleCell, ToolError
from jupyter_assistant.tools import Image, Registry, Text, Tool, ToolOutput
from jupyter_assistant.tools.arguments import Range
from jupyter_assistant.tools.fields import CellInput

LOG = logging.getLogger("test")


async def take(
    path: Annotated[str, "Where"],
    cells: Annotated[list[CellInput] | None, "What"] = None,
    names: Annotated[list[str] | None, "Which"] = None,
    hashes: Annotated[dict[str, str] | None, "Of what"] = None,
    detail: Annotated[Literal["full", "outline"], "How much"] = "full",
    limit: Annotated[int, "How many", Range(1, 100)] = 50,
    wait_s: Annotated[float, "How long", Range(0)] = 5.0,
    outputs: Annotated[bool, "Also those"] = True,
) -> str:
    """Take it all.

    And say what
    was taken.
    """
    taken = [path, [cell.source for cell in cells or ()], names, hashes, detail, limit, wait_s, outputs]
    return json.dumps(taken)


async def fail(how: str) -> ToolOutput:
    """Fail."""
    if how == "stale":
        raise StaleCell("It has changed.", cell_id="a", source="x = `1`", hash="0123456789ab")
    if how == "late":
        raise ToolError("Too late.", "Be quicker.", (Text("so far"), Image("image/png", b"x"), "no content"))
    if how == "missing":
        raise NotebookNotFound("There is no notebook at x.ipynb.")
    raise RuntimeError("/home/user/secret is where it broke")


async def endless() -> str:
    """Never end."""
    await asyncio.get_running_loop().create_future()
    return ""


def registry() -> Registry:
    return Registry([Tool(take, "read", "Take"), Tool(fail, "write", "Fail"), Tool(endless, "execute", "Go")], log=LOG)


async def called(name: str, arguments: object) -> ToolOutput:
    return await registry().call(name, arguments)


async def taken(**arguments: object) -> Any:
    output = await called("take", {"path": "p", **arguments})
    assert not output.is_error, output.text
    return json.loads(output.text)


async def refused(**arguments: object) -> str:
    output = await called("take", {"path": "p", **arguments})
    assert output.is_error
    assert "take" in output.text
    return output.text


def test_the_schema_is_the_functions_hints_and_nothing_more() -> None:
    assert Tool(take, "read", "Take").parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["path"],
        "properties": {
            "path": {"type": "string", "description": "Where"},
            "cells": {
                "type": "array",
                "description": "What",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["cell_type", "source"],
                    "properties": {
                        "cell_type": {"type": "string", "enum": ["code", "markdown", "raw"]},
                        "source": {"type": "string"},
                    },
                },
            },
            "names": {"type": "array", "items": {"type": "string"}, "description": "Which"},
            "hashes": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Of what"},
            "detail": {"type": "string", "enum": ["full", "outline"], "default": "full", "description": "How much"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50, "description": "How many"},
            "wait_s": {"type": "number", "minimum": 0, "default": 5.0, "description": "How long"},
            "outputs": {"type": "boolean", "default": True, "description": "Also those"},
        },
    }


def test_the_description_is_the_docstring_a_line_per_paragraph() -> None:
    assert Tool(take, "read", "Take").description == "Take it all.\nAnd say what was taken."


def test_annotations_follow_from_the_rights() -> None:
    assert Tool(take, "read", "Take").annotations == {"title": "Take", "readOnlyHint": True, "openWorldHint": False}
    assert Tool(fail, "write", "Fail", destroys=True).annotations == {
        "title": "Fail",
        "readOnlyHint": False,
        "destructiveHint": True,
        "idempotentHint": False,
        "openWorldHint": False,
    }
    assert Tool(endless, "execute", "Go").annotations["openWorldHint"] is True


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="take"):
        Registry([Tool(take, "read", "Take"), Tool(take, "read", "Take")], log=LOG)


async def test_what_came_as_text_is_taken_as_it_was_meant() -> None:
    assert (await taken(outputs="false"))[-1] is False
    assert (await taken(limit="7"))[5] == 7
    assert (await taken(limit=7.0))[5] == 7
    assert (await taken(wait_s="0.5"))[6] == 0.5
    assert (await taken(names='["a", "b"]'))[2] == ["a", "b"]
    assert (await taken(hashes='{"a": "1"}'))[3] == {"a": "1"}
    assert (await taken(cells='[{"cell_type": "code", "source": "[1]"}]'))[1] == ["[1]"]
    assert (await taken(path="[1]"))[0] == "[1]"


async def test_a_null_is_the_default_of_what_need_not_be_sent() -> None:
    assert await taken(limit=None, names=None, detail=None) == await taken()
    assert "path: expected a string, got null" in await refused(path=None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"limit": "many"}, 'limit: expected a whole number from 1 to 100, got "many"'),
        ({"limit": 0}, "limit: expected a whole number from 1 to 100, got 0"),
        ({"limit": 2.5}, "limit: expected a whole number from 1 to 100, got 2.5"),
        ({"limit": True}, 'limit: expected a whole number from 1 to 100, got "True"'),
        ({"wait_s": "nan"}, 'wait_s: expected a number of at least 0, got "nan"'),
        ({"wait_s": float("inf")}, "wait_s: expected a number of at least 0, got Infinity"),
        ({"path": 5}, "path: expected a string, got 5"),
        ({"path": "\ud800"}, "path: expected text that can be written as UTF-8"),
        ({"detail": "whole"}, 'detail: expected one of "full", "outline", got "whole"'),
        ({"outputs": "maybe"}, 'outputs: expected true or false, got "maybe"'),
        ({"names": "a"}, 'names: expected a list, each item a string, got "a"'),
        ({"names": ["a", 1]}, "names[1]: expected a string, got 1"),
        ({"names": "[" * 100_000}, "names: expected a list"),
        ({"hashes": {"a": 1}}, "hashes.a: expected a string, got 1"),
        ({"cells": [{"cell_type": "code"}]}, "cells[0].source: missing, expected a string"),
        ({"cells": [{"cell_type": "codes", "source": ""}]}, 'cells[0].cell_type: expected one of "code", "markdown"'),
        ({"cells": [{"type": "code", "source": ""}]}, "cells[0].type: there is no such parameter"),
        ({"cells": ["x"]}, 'cells[0]: expected an object with cell_type, source, got "x"'),
        ({"pth": "x"}, 'pth: there is no such parameter, did you mean "path"?'),
        ({"zzz": "x"}, "zzz: there is no such parameter (there are: path, cells"),
    ],
)
async def test_a_wrong_argument_is_named_with_what_belongs_there(arguments: dict[str, object], said: str) -> None:
    assert said in await refused(**arguments)


async def test_a_missing_argument_is_named() -> None:
    output = await called("take", {})
    assert output.is_error
    assert "path: missing, expected a string" in output.text


async def test_every_wrong_argument_is_named_at_once_but_not_without_end() -> None:
    text = await refused(limit=0, detail="x", **{f"wrong{at}": 1 for at in range(20)})
    assert "limit: expected" in text
    assert "detail: expected" in text
    assert "and 17 more" in text


@pytest.mark.parametrize("arguments", [None, [], "x", 5, {5: 5}])
async def test_arguments_that_are_no_object_are_refused(arguments: object) -> None:
    output = await called("take", arguments)
    assert output.is_error
    assert "take" in output.text


async def test_an_unknown_tool_is_answered_with_the_closest_one() -> None:
    assert "Did you mean take?" in (await called("tkae", {})).text
    assert "The tools are: take, fail, endless." in (await called("run", {})).text
    assert len((await called("x" * 100_000, {})).text) < 300


async def test_an_error_says_what_happened_and_what_to_do() -> None:
    output = await called("fail", {"how": "missing"})
    assert output == ToolOutput(
        (Text(f"There is no notebook at x.ipynb.\n{NotebookNotFound.default_hint}"),), is_error=True
    )


async def test_a_stale_edit_is_told_the_source_and_hash_there_are_now() -> None:
    text = (await called("fail", {"how": "stale"})).text
    assert 'The cell with id "a" · hash 0123456789ab now is:\n```text\nx = `1`\n```' in text


async def test_an_error_keeps_the_content_there_is() -> None:
    output = await called("fail", {"how": "late"})
    assert output == ToolOutput((Text("so far"), Image("image/png", b"x"), Text("Too late.\nBe quicker.")), True)


async def test_a_defect_of_ours_is_an_error_without_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    output = await called("fail", {"how": "unexpectedly"})
    assert output.is_error
    assert "/home" not in output.text
    assert "RuntimeError" not in output.text
    assert "RuntimeError" in caplog.text


async def test_a_cancelled_call_is_cancelled_and_logged_as_such(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    call = asyncio.ensure_future(called("endless", {}))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert "endless cancelled" in caplog.text


async def test_a_call_is_logged_without_what_it_was_about(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await called("take", {"path": "secret.ipynb"})
    await called("secret", {})
    assert "take done" in caplog.text
    assert "unknown failed" in caplog.text
    assert "secret" not in caplog.text


async def test_secrets_are_taken_out_of_every_result() -> None:
    tools = Registry([Tool(take, "read", "Take")], log=LOG, redact=lambda text: (text.replace("sk-1", "[key]"), 1))
    assert "sk-1" not in (await tools.call("take", {"path": "sk-1"})).text
    assert "sk-1" not in (await tools.call("take", {"path": "p", "detail": "sk-1"})).text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["path", "cells", "names", "hashes", "detail", "limit", "wait_s", "outputs"]) | st.text()


@given(json_values | st.dictionaries(names, json_values))
def test_any_arguments_give_a_result_or_an_error_that_can_be_sent(arguments: object) -> None:
    output = asyncio.run(called("take", arguments))
    assert "Traceback" not in output.text
    output.text.encode()
    assert len(output.text) < 3_000 or not output.is_error
