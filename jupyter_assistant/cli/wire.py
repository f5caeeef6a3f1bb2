"""The JSON-RPC messages of the bridge: what is in a line, which HTTP headers carry it, how a failure is told; pure.

The law: a message is passed on as it came. Only what HTTP wants beside it is made here, as the MCP specification's
"Streamable HTTP" transport has it in its revisions 2025-03-26 to 2026-07-28.
"""

from __future__ import annotations

import base64
import json
import re

from ..errors import AssistantError
from ..messages import Json

STATELESS = "2026-07-28"
"""The first revision without sessions: each message names its revision itself."""

VERSION = "io.modelcontextprotocol/protocolVersion"
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
REPEATABLE = frozenset(
    {"initialize", "ping", "completion/complete", "prompts/get", "resources/read", "server/discover"}
)
"""Requests that change nothing: one whose answer was lost is simply asked again. So are all that list."""

PARSE_ERROR, INVALID, INTERNAL, FAILED = -32700, -32600, -32603, -32000
PLAIN = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
CODED = re.compile(r"=\?base64\?.*\?=")


class NotAMessage(ValueError):
    """A line that is no JSON-RPC message; ``code`` is JSON-RPC's for what is wrong."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def parse(line: bytes | str) -> Json:
    """The message in a line. Raises NotAMessage."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotAMessage(PARSE_ERROR, "This line is not JSON.") from error
    if not isinstance(message, dict):
        raise NotAMessage(INVALID, "Send one JSON-RPC message a line; batches are not part of the protocol any more.")
    return message


def revision(message: Json) -> str:
    """The revision a message names itself; empty before 2026-07-28."""
    return str(_meta(message).get(VERSION) or "")


def is_stateless(message: Json) -> bool:
    """Whether it belongs to the protocol without sessions."""
    return revision(message) >= STATELESS


def is_request(message: Json) -> bool:
    """Whether it wants an answer."""
    return "method" in message and message.get("id") is not None


def key(number: object) -> str:
    """A request's id as a key that tells ``1`` from ``"1"``."""
    return json.dumps(number)


def routing(message: Json) -> dict[str, str]:
    """The headers that repeat what a stateless message says."""
    method = str(message.get("method", ""))
    headers = {"MCP-Protocol-Version": revision(message), "Mcp-Method": method}
    params = message.get("params")
    name = params.get(NAMED_BY[method]) if method in NAMED_BY and isinstance(params, dict) else None
    return {**headers, "Mcp-Name": header_value(name)} if isinstance(name, str) else headers


def header_value(text: str) -> str:
    """A text as a header may have it: other than plain ASCII goes as base64."""
    if PLAIN.fullmatch(text) and not CODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}?="


def is_repeatable(message: Json) -> bool:
    """Whether asking it twice does no more than asking it once."""
    method = str(message.get("method", ""))
    return method in REPEATABLE or method.endswith("/list")


def cancels(message: Json) -> str | None:
    """The key of the request that a message cancels."""
    params = message.get("params")
    if message.get("method") != "notifications/cancelled" or not isinstance(params, dict):
        return None
    return key(params.get("requestId"))


def answers(text: str, number: object) -> Json | None:
    """The message in ``text`` if it is the answer to request ``number``."""
    try:
        message = parse(text)
    except NotAMessage:
        return None
    return message if "method" not in message and message.get("id") == number else None


def told(number: object, text: str, *, code: int = FAILED) -> str:
    """A failure as an answer."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}})


def failure(number: object, error: AssistantError) -> str:
    """An error of ours as an answer: what happened and what to do."""
    return told(number, f"{error.text} {error.hint}".strip())


def refusal(number: object, status: int, body: str) -> str:
    """What the server says in a status of 400 and more, as an answer."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    error = said.get("error") if isinstance(said, dict) else None
    if isinstance(error, dict) and isinstance(said, dict) and said.get("jsonrpc"):
        return json.dumps({**said, "id": number})
    if isinstance(error, dict):
        return told(number, f"{error.get('message', '')} {error.get('hint', '')}".strip())
    return told(number, f"The Jupyter server answered with HTTP status {status}. Its log has the details.")


def one_line(text: str) -> bytes:
    """A message as stdio has it: in JSON a line break can stand between tokens only, where a space does as well."""
    return text.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace") + b"\n"


def _meta(message: Json) -> Json:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}
