"""The desk as a FastMCP server: the only module of the endpoint that knows the protocol's library.

The law: this module is imported on first use only (it costs a second), and translates: every result is text and
images, nothing twice and no structured content; an error of a tool is a result, with what to do next in it.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mcp_types
from fastmcp import FastMCP
from fastmcp.exceptions import FastMCPError
from fastmcp.prompts import Prompt, PromptArgument
from fastmcp.resources import ResourceContent, ResourceResult, ResourceTemplate
from fastmcp.server.dependencies import get_context
from fastmcp.server.middleware import Middleware, MiddlewareContext
from fastmcp.tools import Tool
from fastmcp.tools.base import ToolResult
from fastmcp.utilities.pagination import CursorState
from mcp import MCPError
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from ..._version import __version__
from ...errors import AssistantError, CellNotFound, InvalidInput, NotebookNotFound, NotFound, PathRefused
from ...notebooks.listing import Entry
from ...tools import Text, ToolOutput
from ...tools import Tool as OurTool
from ..asgi import Application
from . import prompts, resources
from .desk import INSTRUCTIONS, Desk

PATH = "/mcp"
PAGE = 100
ALWAYS = {"anthropic/alwaysLoad": True}
WRONG = (CellNotFound, InvalidInput, NotebookNotFound, NotFound, PathRefused, prompts.PromptRefused)
"""Errors of what was asked for; the others are of what happened then."""
TITLE = "Jupyter notebooks"


class Refused(FastMCPError):
    """What a client asked for is not to be had. The library logs any other error as a failure of the server."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text, log_level=logging.DEBUG)
        self.code = code

    def answer(self, data: Any = None) -> MCPError:
        """As the protocol has it."""
        return MCPError(self.code, str(self), data)


Called = Callable[[dict[str, Any]], Awaitable[ToolOutput]]


class ServedTool(Tool):
    """One of our tools; its arguments are checked by the tool itself, which says more about what is wrong."""

    called: SkipJsonSchema[Called] = Field(exclude=True)
    core: bool = Field(default=False, exclude=True)

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Call it; errors are results."""
        return _result(await self.called(arguments))

    def to_mcp_tool(self, **overrides: Any) -> mcp_types.Tool:
        """What ``tools/list`` says of it: nothing twice, since a model may get all of it."""
        return mcp_types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.parameters,
            annotations=self.annotations,
            _meta=ALWAYS if self.core else None,
        )


class ServedPrompt(Prompt):
    """One of our prompts."""

    rendering: SkipJsonSchema[Callable[[dict[str, str]], Awaitable[list[str]]]] = Field(exclude=True)

    async def render(self, arguments: dict[str, Any] | None = None) -> Any:
        """Its messages; raises ``Refused`` naming what is missing or wrong."""
        given = {name: str(value) for name, value in (arguments or {}).items() if value}
        missing = [each.name for each in self.arguments or [] if each.required and each.name not in given]
        with _told(Refused):
            if missing:
                raise prompts.PromptRefused(f"{self.name} needs the argument {missing[0]}.")
            return await self.rendering(given)


class Served(Middleware):
    """What the library would answer in words of its own, answered in ours."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_call_tool(self, context: MiddlewareContext[mcp_types.CallToolRequestParams], call_next: Any) -> Any:
        """A tool that is not served here is refused by the desk, which says why."""
        asked = context.message
        if any(tool.name == asked.name for tool in self._desk.tools):
            return await call_next(context)
        return _result(await self._desk.call(asked.name, asked.arguments or {}, _unheard))

    async def on_read_resource(
        self, context: MiddlewareContext[mcp_types.ReadResourceRequestParams], call_next: Any
    ) -> Any:
        """An error names the resource that was asked for, since a client may read several at once."""
        try:
            return await call_next(context)
        except Refused as error:
            raise error.answer({"uri": str(context.message.uri)}) from error
        except MCPError as error:
            raise MCPError(error.code, error.error.message, {"uri": str(context.message.uri)}) from error

    async def on_get_prompt(self, context: MiddlewareContext[mcp_types.GetPromptRequestParams], call_next: Any) -> Any:
        """An error in the protocol's form."""
        try:
            return await call_next(context)
        except Refused as error:
            raise error.answer() from error


def served(desk: Desk) -> FastMCP[Any]:
    """The desk as a server of the library."""
    server: FastMCP[Any] = FastMCP(
        "jupyter-assistant",
        instructions=INSTRUCTIONS,
        version=__version__,
        middleware=[Served(desk)],
        mask_error_details=True,
        dereference_schemas=False,
        strict_input_validation=False,
        list_page_size=PAGE,
        tasks=False,
        on_duplicate="error",
    )
    for tool in desk.tools:
        server.add_tool(_tool(desk, tool))
    for prompt in prompts.PROMPTS:
        server.add_prompt(_prompt(desk, prompt))
    _add_resources(server, desk)
    _add_templates(server, desk)
    server.add_completion_handler(_completions(desk))
    schemas = {tool.name: tool.parameters for tool in desk.tools}
    server._mcp_server.get_tool_input_schema = schemas.get  # else each call lists all tools to look for its schema
    return server


def mounted(server: FastMCP[Any]) -> Application:
    """A server as an ASGI application with its route at ``PATH``."""
    return server.http_app(path=PATH, json_response=False, stateless_http=False, host_origin_protection=False)


def _tool(desk: Desk, tool: OurTool) -> ServedTool:
    async def called(arguments: dict[str, Any]) -> ToolOutput:
        context = get_context()

        async def report(done: float, total: float | None, text: str) -> None:
            await context.report_progress(done, total, text)

        return await desk.call(tool.name, arguments, report)

    annotations = mcp_types.ToolAnnotations.model_validate({**tool.annotations, "title": None})
    return ServedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        parameters=tool.parameters,
        annotations=annotations,
        called=called,
        core=tool.core,
    )


async def _unheard(done: float, total: float | None, text: str) -> None:
    """A report of what is over at once."""


def _result(output: ToolOutput) -> ToolResult:
    return ToolResult(content=[_block(part) for part in output.content], is_error=output.is_error)


def _block(part: Any) -> mcp_types.ContentBlock:
    if isinstance(part, Text):
        return mcp_types.TextContent(type="text", text=part.text)
    return mcp_types.ImageContent(type="image", mime_type=part.mime, data=base64.b64encode(part.data).decode("ascii"))


def _prompt(desk: Desk, prompt: prompts.Prompt) -> ServedPrompt:
    arguments = [
        PromptArgument(name=each.name, description=each.description, required=each.required)
        for each in prompt.arguments
    ]

    async def rendering(given: dict[str, str]) -> list[str]:
        return await desk.prompt(prompt, given)

    return ServedPrompt(
        name=prompt.name,
        title=prompt.title,
        description=prompt.description,
        arguments=arguments,
        rendering=rendering,
    )


def _add_resources(server: FastMCP[Any], desk: Desk) -> None:
    """The notebooks that are there now, a page at a time: the library would make all of them for each page."""

    async def listed(_: object, params: mcp_types.PaginatedRequestParams) -> mcp_types.ListResourcesResult:
        offset = _offset(params.cursor)
        with _told():
            entries, total = await desk.entries(offset, PAGE)
        following = CursorState(offset + PAGE).encode() if offset + PAGE < total else None
        return mcp_types.ListResourcesResult(resources=[_resource(entry) for entry in entries], next_cursor=following)

    server._mcp_server.add_request_handler("resources/list", mcp_types.PaginatedRequestParams, listed)


def _offset(cursor: str | None) -> int:
    try:
        return CursorState.decode(cursor).offset if cursor else 0
    except ValueError:
        raise MCPError(mcp_types.INVALID_PARAMS, "There is no such cursor: take nextCursor as it is.") from None


def _resource(entry: Entry) -> mcp_types.Resource:
    return mcp_types.Resource(
        uri=resources.address(entry.path), name=entry.path, mime_type=resources.NOTEBOOK_TYPE, size=entry.size
    )


def _add_templates(server: FastMCP[Any], desk: Desk) -> None:
    """The first that matches an address is taken: the longest stands first."""

    async def output(path: str, cell_id: str, number: str) -> ResourceResult:
        return await _read(desk, path, cell_id, number)

    async def cell(path: str, cell_id: str) -> ResourceResult:
        return await _read(desk, path, cell_id)

    async def notebook(path: str) -> ResourceResult:
        return await _read(desk, path)

    whole, cells = resources.NOTEBOOK_TYPE, resources.CELL_TYPE
    for function, address, name, mime, about in (
        (output, "notebook://{path*}/cells/{cell_id}/outputs/{number}", "output", cells, "One output, counted from 0"),
        (cell, "notebook://{path*}/cells/{cell_id}", "cell", cells, "One cell with its outputs"),
        (notebook, "notebook://{path*}", "notebook", whole, "A whole notebook"),
    ):
        text = f"{about}, as nbformat JSON."
        server.add_template(
            ResourceTemplate.from_function(function, address, name=name, description=text, mime_type=mime)
        )


async def _read(desk: Desk, path: str, cell_id: str | None = None, number: str | None = None) -> ResourceResult:
    if cell_id is not None and not path.endswith(".ipynb"):  # a folder called cells
        rest = ["cells", cell_id, *(["outputs", number] if number is not None else [])]
        path, cell_id, number = "/".join([path, *rest]), None, None
    mime = resources.NOTEBOOK_TYPE if cell_id is None else resources.CELL_TYPE
    with _told(Refused):
        return ResourceResult([ResourceContent(await desk.resource(path, cell_id, number), mime_type=mime)])


def _completions(desk: Desk) -> Any:
    async def complete(
        reference: object, argument: mcp_types.CompletionArgument, context: mcp_types.CompletionContext | None
    ) -> list[str]:
        given = (context.arguments if context else None) or {}
        with _told():
            return await desk.completions(argument.name, argument.value, given)

    return complete


@contextmanager
def _told(kind: type[MCPError] | type[Refused] = MCPError) -> Iterator[None]:
    """Errors of ours as the protocol's, with their own words."""
    try:
        yield
    except AssistantError as error:
        code = mcp_types.INVALID_PARAMS if isinstance(error, WRONG) else mcp_types.INTERNAL_ERROR
        raise kind(code, f"{error.text} {error.hint}".strip()) from error
