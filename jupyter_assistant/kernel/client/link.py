"""A server's MCP endpoint over HTTP: one message out, its answer's messages back, as they come.

The law: whoever asks learns whether a message can have arrived. ``ServerUnreachable`` means it cannot, so it may be
sent again; ``ServerLost`` means it may have. Leaving an exchange closes its stream, which is how a call is cancelled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ...errors import ServerLost, ServerUnreachable
from ...sse import Decoder, TooLong
from . import Server

if TYPE_CHECKING:
    import httpx

ACCEPT = "application/json, text/event-stream"
CONNECT = 5.0
SILENCE = 120.0
"""Seconds without a byte after which an answer is given up; the server sends a comment every 15 s."""
LONGEST = 64 * 2**20


class Answer:
    """What a server answers to one message."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code

    def header(self, name: str) -> str:
        """A header's value; empty when there is none."""
        return str(self._response.headers.get(name, ""))

    async def texts(self) -> AsyncIterator[str]:
        """The data of each event of a stream as they come, or the whole body."""
        with translated():
            if not self.header("Content-Type").startswith("text/event-stream"):
                await self._response.aread()
                yield self._response.content.decode("utf-8", "replace")
                return
            decoder = Decoder(LONGEST)
            async for chunk in self._response.aiter_bytes():
                for event in decoder.feed(chunk):
                    yield event.data


class Link:
    """One server's endpoint. ``close`` it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = f"{server.url}assistant/mcp"
        self._client = _client(server)

    @asynccontextmanager
    async def exchange(self, method: str, headers: dict[str, str], body: bytes | None = None) -> AsyncIterator[Answer]:
        """Send a request; gives its answer when the headers are here. Raises ServerUnreachable or ServerLost."""
        sent = {"Accept": ACCEPT, **headers, **({"Content-Type": "application/json"} if body is not None else {})}
        with translated():
            request = self._client.build_request(method, self.url, headers=sent, content=body)
            response = await self._client.send(request, stream=True)
        try:
            yield Answer(response)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _client(server: Server) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(
        headers=server.headers,
        timeout=httpx.Timeout(SILENCE, connect=CONNECT),
        limits=httpx.Limits(max_connections=None),
        trust_env=not server.is_here,  # no proxy stands between a machine and itself
        verify=not server.is_here,  # and its own certificate is signed by nobody
        transport=httpx.AsyncHTTPTransport(uds=server.sock) if server.sock else None,
    )


class translated:
    """The client's errors as ours."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import httpx

        if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error).upper():
            raise ServerUnreachable(
                "The Jupyter server's certificate is not trusted.",
                "Point the environment variable SSL_CERT_FILE at the certificate that signed it.",
            ) from error
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            raise ServerUnreachable("The Jupyter server cannot be reached.") from error
        if isinstance(error, httpx.HTTPError | TooLong):
            raise ServerLost("The connection to the Jupyter server was lost during the request.") from error
