"""What the official conformance suite expects of the server it is run against: tools, resources and prompts by name.

They are served through the endpoint that serves ours, in its place: authentication, sessions, streams and results are
the real ones. What our tools could give is given by tools of ours; the rest by the library's own means. Import this
when a test runs, not when it is collected: it loads the library.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import zlib
from typing import Any

import mcp_types
from fastmcp import Context
from fastmcp.prompts import Message
from fastmcp.tools import Tool as FastMCPTool
from fastmcp.tools.base import ToolResult

from jupyter_assistant.server.asgi import Application
from jupyter_assistant.server.mcp import Endpoint
from jupyter_assistant.server.mcp.desk import Desk
from jupyter_assistant.server.mcp.protocol import Served, mounted, served
from jupyter_assistant.tools import Image, Registry, Text, Tool, ToolOutput
from tests.conftest import Json, Server


def png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PICTURE = base64.b64encode(png()).decode()
SOUND = base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt ").decode()


SCHEMA: Json = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


class Schema(FastMCPTool):
    """A tool with a schema that is to arrive as it is."""

    async def run(self, arguments: Json) -> ToolResult:
        """Take it."""
        return ToolResult(content=[mcp_types.TextContent(type="text", text="taken")])


async def test_simple_text() -> str:
    """Say a text."""
    return "This is a simple text response for testing."


async def test_image_content() -> ToolOutput:
    """Show an image."""
    return ToolOutput((Image("image/png", png()),))


async def test_error_handling() -> ToolOutput:
    """Fail."""
    return ToolOutput((Text("This tool intentionally returns an error for testing"),), is_error=True)


class Conforming(Endpoint):
    """The endpoint with what the suite asks for beside the desk's own."""

    def _application(self) -> Application:
        server = served(self._desk)
        server.middleware = [each for each in server.middleware if not isinstance(each, Served)]
        server._mcp_server.add_request_handler(
            "resources/list", mcp_types.PaginatedRequestParams, server._on_list_resources
        )
        add_tools(server)
        add_resources(server)
        add_prompts(server)
        return mounted(server)


def conforming(server: Server) -> Conforming:
    """The endpoint for a server under test."""
    tools = [
        Tool(test_simple_text, "read", "Text"),
        Tool(test_image_content, "read", "Image"),
        Tool(test_error_handling, "read", "Error"),
    ]
    desk = Desk([Registry(tools, log=server.app.log)], server.built.notebooks, level="execute")
    return Conforming(desk, log=server.app.log)


def add_tools(server: Any) -> None:
    """Kinds of content that no tool of ours gives."""
    embedded = mcp_types.EmbeddedResource(
        type="resource",
        resource=mcp_types.TextResourceContents(
            uri="test://embedded-resource", mime_type="text/plain", text="This is an embedded resource content."
        ),
    )
    picture = mcp_types.ImageContent(type="image", mime_type="image/png", data=PICTURE)
    sound = mcp_types.AudioContent(type="audio", mime_type="audio/wav", data=SOUND)
    text = mcp_types.TextContent(type="text", text="Multiple content types test:")

    async def test_audio_content() -> ToolResult:
        """Give a sound."""
        return ToolResult(content=[sound])

    async def test_embedded_resource() -> ToolResult:
        """Give an embedded resource."""
        return ToolResult(content=[embedded])

    async def test_multiple_content_types() -> ToolResult:
        """Give a text, an image and a resource."""
        return ToolResult(content=[text, picture, embedded])

    async def test_tool_with_progress(context: Context) -> str:
        """Report progress."""
        for done in (0, 50, 100):
            await context.report_progress(done, 100, f"{done} of 100")
            await asyncio.sleep(0.05)
        return "done"

    for function in (
        test_audio_content,
        test_embedded_resource,
        test_multiple_content_types,
        test_tool_with_progress,
    ):
        server.tool(function, output_schema=None)
    server.add_tool(Schema(name="json_schema_2020_12_tool", description="Take an address.", parameters=SCHEMA))


def add_resources(server: Any) -> None:
    """Two resources and a template."""

    def static_text() -> str:
        return "This is the content of the static text resource."

    def static_binary() -> bytes:
        return png()

    def template(id: str) -> str:
        return f'{{"id": "{id}", "templateTest": true, "data": "Data for ID: {id}"}}'

    server.resource("test://static-text", mime_type="text/plain")(static_text)
    server.resource("test://static-binary", mime_type="image/png")(static_binary)
    server.resource("test://template/{id}/data", mime_type="application/json")(template)


def add_prompts(server: Any) -> None:
    """Prompts with and without arguments."""

    def test_simple_prompt() -> str:
        """A prompt."""
        return "This is a simple prompt for testing."

    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """A prompt of two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:
        """A prompt with a resource."""
        resource = mcp_types.TextResourceContents(uri=resourceUri, mime_type="text/plain", text="Embedded content.")
        return [Message(mcp_types.EmbeddedResource(type="resource", resource=resource)), Message("Process it.")]

    def test_prompt_with_image() -> list[Message]:
        """A prompt with an image."""
        return [Message(mcp_types.ImageContent(type="image", mime_type="image/png", data=PICTURE)), Message("See it.")]

    for function in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
    ):
        server.prompt(function)
