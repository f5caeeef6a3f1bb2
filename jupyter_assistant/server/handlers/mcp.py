"""``mcp``: the MCP endpoint behind Jupyter's own authentication.

The law: no request reaches the protocol before its caller, its origin and its size are known to be allowed; a foreign
page's origin is refused even with a valid token, since a page that was rebound to this address would have none other.
"""

from __future__ import annotations

import json
import re
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado import web

from ...errors import TooLarge
from ..asgi import Exchange, scope_of
from ..mcp import PATH, SESSION, Caller, Endpoint
from .base import RESOURCE, AssistantHandler

MAX_BODY = 4 * 1024 * 1024
STATELESS = "2026-07-28"
"""The first revision of the protocol that has no sessions."""

STOPPING = "The server is stopping."
FOREIGN = {
    "code": "forbidden",
    "message": "This page's origin may not use the MCP endpoint.",
    "hint": "Use an MCP client, or name the origin in c.ServerApp.allow_origin (here '*' does not count).",
}


class McpHandler(AssistantHandler):
    """``mcp``: requests of both eras of the protocol, handed to the endpoint when they may come in."""

    _exchange: Exchange | None = None
    _left = False

    @property
    def limit(self) -> int:
        """The largest body, in bytes."""
        return min(MAX_BODY, super().limit)

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """Whether the page that asks, if it is one, is ours or the administrator's choice; 403 else."""
        origins = self.request.headers.get_list("Origin")
        if is_foreign(origins, self.request.host, self.allow_origin, self.allow_origin_pat):
            self.refusal = FOREIGN
            raise web.HTTPError(403)
        return True

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def post(self) -> None:
        """A message of the protocol; what it asks for is authorised by itself."""
        await self._answer()

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """The stream of a session, in revisions that have one."""
        await self._answer()

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def delete(self) -> None:
        """The end of a session."""
        await self._answer()

    async def _answer(self) -> None:
        if self._received > self.limit:
            raise TooLarge(f"The request is larger than {self.limit} bytes.")
        endpoint = self.built.mcp
        if endpoint.state == "closed":
            self._refuse(503, STOPPING)
            return
        self.update_api_activity()
        session = None if self._is_stateless else self.request.headers.get(SESSION)
        if session is not None and not endpoint.sessions.knows(session, self.owner):
            self._refuse(404, "There is no such session: initialize a new one.")
        elif session is not None:
            await self._within(endpoint, session)
        elif self._is_stateless or self.request.method != "POST":
            await self._serve(endpoint)
        else:
            await self._opening(endpoint)
        if not self._finished:
            self.finish(set_content_type=self._headers.get("Content-Type", "application/json"))

    @property
    def _is_stateless(self) -> bool:
        return self.request.headers.get("MCP-Protocol-Version", "") >= STATELESS

    async def _within(self, endpoint: Endpoint, session: str) -> None:
        """A request of a session there is."""
        number = request_number(b"".join(self._chunks))
        if endpoint.sessions.is_answering(session, number):
            self._refuse(400, "A request with this id is still being answered: give each an id of its own.")
            return
        with endpoint.sessions.using(session, number):
            await self._serve(endpoint)
        if self.request.method == "DELETE" or self.get_status() == 404:
            endpoint.sessions.remove(session)

    async def _opening(self, endpoint: Endpoint) -> None:
        """A request that opens a session, if it is one that may."""
        if endpoint.sessions.full and not await endpoint.make_room(self._scope()):
            self._refuse(503, "Too many sessions are in use: end one, then try again.")
            return
        with endpoint.sessions.opening():
            await self._serve(endpoint)

    async def _serve(self, endpoint: Endpoint) -> None:
        traits = self.services.settings.traits
        body = b"".join(self._chunks)
        self._chunks.clear()
        self._exchange = Exchange(self, body, flush_timeout=traits.flush_timeout, on_start=self._started)
        if self._left:
            self._exchange.disconnect()
        await endpoint.serve(self._scope(), self._exchange, Caller(self.owner, self._may))
        if self._exchange.status is None and endpoint.state == "closed":
            self._refuse(503, STOPPING)

    def _scope(self) -> dict[str, Any]:
        return scope_of(self.request, path=PATH, state={})

    def _started(self, status: int) -> None:
        """A session that this answer opens is known before its client is told of it."""
        session = self._headers.get(SESSION)
        if session is not None and status < 400 and SESSION not in self.request.headers:
            self.built.mcp.sessions.add(session, self.owner)

    async def _may(self, action: str, resource: str) -> bool:
        """Whether Jupyter's authorizer lets the caller do that."""
        return bool(await ensure_async(self.authorizer.is_authorized(self, self.current_user, action, resource)))

    def _refuse(self, status: int, text: str) -> None:
        """Refuse in the protocol's own form."""
        self.set_status(status)
        self.finish(json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": text}}))

    def flush(self, include_footers: bool = False) -> Any:
        """Send what is written; a call that is still answered is activity, an idle stream is none."""
        if self.request.method == "POST":
            self.update_api_activity()
        return super().flush(include_footers)

    def on_connection_close(self) -> None:
        """The client went: that cancels its call, where the protocol says so."""
        super().on_connection_close()
        self._left = True
        if self._exchange is not None:
            self._exchange.disconnect()


def request_number(body: bytes) -> str | None:
    """The id of a request, as a text; None for anything else."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    number = message.get("id") if isinstance(message, dict) and "method" in message else None
    return None if number is None else str(number)


def is_foreign(origins: list[str], host: str, allowed: str, pattern: re.Pattern[str] | str | None) -> bool:
    """Whether a request comes from a page of neither this server nor the administrator's choice."""
    return any(not _is_ours(origin, host) and not _is_allowed(origin, allowed, pattern) for origin in origins)


def _is_ours(origin: str, host: str) -> bool:
    return origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())


def _is_allowed(origin: str, allowed: str, pattern: re.Pattern[str] | str | None) -> bool:
    if allowed:
        return origin == allowed != "*"
    return pattern is not None and re.fullmatch(pattern, origin) is not None
