"""One request over HTTP/1.1 and its answer as it comes, from the standard library: a kernel need load no more.

The law: all bytes that are here are given at once, a connection that breaks off is never taken for an answer's end,
and whoever closes it from another thread wakes the one who reads.
"""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ...errors import ServerLost, ServerUnreachable
from . import Server

CONNECT = 5.0
SILENCE = 120.0
"""Seconds without a byte after which a connection counts as lost; the server sends a comment every 15 s."""
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""The one that costs no file descriptor for each look."""


class Reply:
    """A server's answer whose head has come: read its ``chunks``, then ``close`` it (from any thread, at any time)."""

    def __init__(self, response: http.client.HTTPResponse, line: socket.socket) -> None:
        self._response = response
        self._line = line
        self._closed = False
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        """By lower-case name."""

    def chunks(self) -> Iterator[bytes]:
        """The body's bytes, each time all that is here. Raises ServerLost when they break off; ends when closed."""
        try:
            with translated():
                yield from self._chunks()
        except ServerLost:
            if not self._closed:
                raise

    def _chunks(self) -> Iterator[bytes]:
        body = Pieces() if self._response.chunked else Length(self._response.length)
        source = self._response.fp
        while not body.ended and source is not None:
            data = source.read1(65_536)
            if not data and body.incomplete:
                raise http.client.IncompleteRead(b"")
            if piece := body.feed(data):
                yield piece
            if not body.ended:
                self._await()

    def wait(self, seconds: float) -> bool:
        """Whether more of the body comes within ``seconds``."""
        try:
            if getattr(self._line, "pending", int)():  # TLS may hold what the socket has given already
                return True
            with _Selector() as selector:
                selector.register(self._line, selectors.EVENT_READ)
                return bool(selector.select(seconds))
        except (OSError, ValueError, KeyError):
            return True  # it was closed: whoever reads will know

    def json(self) -> Any:
        """The whole body as JSON; None when it is none. Closes."""
        try:
            body = b"".join(self.chunks())
        finally:
            self.close()
        try:
            return json.loads(body)
        except ValueError:
            return None

    def close(self) -> None:
        """Close the connection; whoever reads it ends. A run goes on."""
        self._closed = True
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)  # wakes a reader in another thread
        with suppress(OSError):
            self._response.close()
        with suppress(OSError):
            self._line.close()

    def _await(self) -> None:
        """Wait for more, a second at a time: on Windows nothing else lets an interrupt in."""
        until = time.monotonic() + SILENCE
        while not self.wait(1.0):
            if time.monotonic() > until:
                raise TimeoutError("silent for too long")


class Length:
    """A body of a told length, or, without one, up to the connection's end."""

    def __init__(self, length: int | None) -> None:
        self._left = length
        self.ended = length == 0

    @property
    def incomplete(self) -> bool:
        """Whether the connection's end would come too early now."""
        return self._left is not None and self._left > 0

    def feed(self, data: bytes) -> bytes:
        """The body's bytes in these of the connection."""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        self.ended = not data or self._left == 0
        return data


class Pieces:
    """A body in chunks (RFC 9112, section 7.1), cut anywhere."""

    def __init__(self) -> None:
        self._open = bytearray()
        self._left = 0  # of the chunk that is being read, with the line break behind it
        self.ended = False

    @property
    def incomplete(self) -> bool:
        """Whether the connection's end would come too early now."""
        return not self.ended

    def feed(self, data: bytes) -> bytes:
        """The body's bytes in these of the connection. Raises ValueError for what are no chunks."""
        self._open += data
        found = bytearray()
        while not self.ended and self._open and self._step(found):
            pass
        return bytes(found)

    def _step(self, found: bytearray) -> bool:
        """Take a chunk's size, or what is here of the chunk; False when more of the connection is needed."""
        if not self._left:
            head, whole, _ = bytes(self._open[:1_024]).partition(b"\r\n")
            if not whole:
                return False
            size = int(head.partition(b";")[0], 16)
            del self._open[: len(head) + 2]
            self.ended, self._left = size == 0, size + 2
            return True
        taken = self._open[: self._left]
        found += taken[: max(0, self._left - 2)]
        del self._open[: len(taken)]
        self._left -= len(taken)
        return True


def connection_to(server: Server) -> http.client.HTTPConnection:
    parts = urlsplit(server.url)
    host, port = parts.hostname or "", parts.port
    if server.sock:
        return _UnixConnection(server.sock)
    if parts.scheme == "https":
        # a machine's own certificate is signed by nobody
        context = ssl._create_unverified_context() if server.is_here else ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=CONNECT, context=context)
    return http.client.HTTPConnection(host, port, timeout=CONNECT)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket file of a server that has no port."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CONNECT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT)
        self.sock.connect(self._path)


def unreachable(error: OSError) -> ServerUnreachable:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ServerUnreachable(
            "The Jupyter server's certificate is not trusted.",
            "Point the environment variable SSL_CERT_FILE at the certificate that signed it.",
        )
    return ServerUnreachable("The Jupyter server cannot be reached.")


class translated:
    """The connection's errors as ours; the last two are what one raises that another thread closes."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | http.client.HTTPException | ValueError | AttributeError):
            raise ServerLost("The connection to the Jupyter server was lost during the request.") from error
