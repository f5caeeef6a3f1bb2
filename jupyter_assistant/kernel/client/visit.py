"""A server asked as its user asks it, from a program or from a page, and when each piece of its answer came; sync.

The law: nothing is kept of an answer but what was asked for, and everything ends by a deadline.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from . import XSRF, Server
from .link import CONNECT, translated

if TYPE_CHECKING:
    import httpx

MOST = 4 * 2**20
"""Bytes of an answer that are read."""


@dataclass(frozen=True)
class Heard:
    """An answer. ``pieces`` are its bytes as they came, each with the seconds since the request was sent."""

    status: int
    headers: dict[str, str]
    pieces: tuple[tuple[float, bytes], ...]
    seconds: float

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(data for _, data in self.pieces)

    @property
    def json(self) -> Any:
        """Its JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Visit:
    """One visitor of one server. ``close`` it."""

    def __init__(self, server: Server, *, seconds: float = 60.0) -> None:
        self.server = server
        self._seconds = seconds
        self._client = _client(server, seconds)

    def ask(self, method: str, path: str, body: object = None) -> Heard:
        """A request as a program makes it; ``path`` is below the base URL. Raises ServerUnreachable, ServerLost."""
        return self._heard(method, path, body, self.server.headers)

    def ask_as_page(self, method: str, path: str, body: object = None) -> Heard | None:
        """The same from a page of this address, by the cookies a browser has; None where that takes a password.

        Raises ServerUnreachable, ServerLost.
        """
        query = f"?token={quote(self.server.token)}" if self.server.token else ""
        if self._heard("GET", f"api/status{query}", None, {}).status != 200:
            return None
        parts = urlsplit(self.server.url)
        self._client.cookies.set("_xsrf", XSRF)
        return self._heard(method, path, body, {"Origin": f"{parts.scheme}://{parts.netloc}", "X-XSRFToken": XSRF})

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _heard(self, method: str, path: str, body: object, headers: dict[str, str]) -> Heard:
        began = time.monotonic()
        pieces: list[tuple[float, bytes]] = []
        with (
            translated(),
            self._client.stream(method, self.server.url + path, headers=headers, json=body) as response,
        ):
            for chunk in response.iter_bytes():
                pieces.append((time.monotonic() - began, chunk))
                if sum(len(data) for _, data in pieces) > MOST or time.monotonic() - began > self._seconds:
                    break
        return Heard(response.status_code, dict(response.headers), tuple(pieces), time.monotonic() - began)


def _client(server: Server, seconds: float) -> httpx.Client:
    import httpx

    return httpx.Client(
        timeout=httpx.Timeout(seconds, connect=CONNECT),
        trust_env=not server.is_here,
        verify=not server.is_here,
        transport=httpx.HTTPTransport(uds=server.sock) if server.sock else None,
    )
