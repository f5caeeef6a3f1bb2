"""The one HTTP client behind every model: sends a request, reads an answer's bytes, closes.

The law: nothing is opened before the first request, and whatever is opened is closed, at once when its reader goes.
Every failure leaves as an error of our tree, named and with the foreign one as its cause; a key is in none of them,
nor in what httpx and httpcore log at any level.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ..errors import GatewayCut, GatewayDown, GatewayFailed, GatewayTimeout, NotAGateway, ProviderError
from ..messages import Json
from ..sse import LIMIT
from .faults import Refusal
from .inflate import ENCODINGS, Inflate, NotText
from .provider import Provider
from .redaction import Redaction

if TYPE_CHECKING:
    import httpx

AGAIN = frozenset({429, 502, 503, 504, 529})
"""Statuses after which the same request may succeed in a moment."""

_REFUSAL_BYTES = 64 * 2**10
_ANSWER_BYTES = 256 * 2**20
_TRIES = 3


class Dropped(GatewayDown):
    """No answer for a reason that may pass in a moment: refused, or dropped before the first byte."""


class Client:
    """Sends requests over one shared connection pool per event loop, made on first use.

    ``idle_timeout`` (seconds) is the longest silence, and the longest time without a whole line of a stream;
    ``answer_timeout`` bounds one answer; ``pause`` is the first wait between attempts, ``longest_pause`` caps a
    ``Retry-After``.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 10.0,
        idle_timeout: float = 60.0,
        answer_timeout: float = 3600.0,
        pause: float = 0.5,
        longest_pause: float = 30.0,
    ) -> None:
        self.connect_timeout = connect_timeout
        self.idle_timeout = idle_timeout
        self.answer_timeout = answer_timeout
        self._pause = pause
        self._longest_pause = longest_pause
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._filter = Redaction()

    async def post(self, provider: Provider, path: str, body: Json) -> Reply:
        """The reply to a JSON request, its body still to be read; the caller closes it.

        Raises Dropped when another attempt may help, another ProviderError when it will not.
        """
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        return await self._send(await self._pool(), provider, "POST", path, headers, content)

    async def get(self, provider: Provider, path: str, seconds: float) -> Refusal:
        """A whole reply of at most 4 MB, within ``seconds``. Raises ProviderError."""
        pool = await self._pool()  # not on the reply's time
        import anyio

        try:
            with anyio.fail_after(seconds):
                reply = await self._send(pool, provider, "GET", path, {"Accept": "application/json"})
                return await reply.refusal(LIMIT)
        except TimeoutError as error:
            raise _silent(provider, seconds) from error

    def pause(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds to wait after the failed attempt 1, 2, …; None when there was the last. Jittered, capped."""
        if attempt >= _TRIES:
            return None
        spread = random.uniform(1.0, 1.25)
        if retry_after is None:
            return min(self._pause * float(2 ** (attempt - 1)) * spread, self._longest_pause)
        return min(retry_after + self._pause * (spread - 1), self._longest_pause)

    async def close(self) -> None:
        """Close the connections of this event loop; those of a loop that has ended went with it."""
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(loop, asyncio.Lock()):
            pool = self._pools.pop(loop, None)
            if pool is not None:
                await pool.aclose()
        self._filter.detach()

    async def _send(
        self,
        pool: httpx.AsyncClient,
        provider: Provider,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> Reply:
        url = provider.url(path)
        sent = {**headers, "Accept-Encoding": "identity", "User-Agent": "jupyter-assistant", **provider.headers()}
        self._filter.hide(provider)
        import anyio
        import httpx

        try:
            with anyio.fail_after(self.connect_timeout + 2 * self.idle_timeout):
                request = pool.build_request(method, url, headers=sent, content=content)
                response = await pool.send(request, stream=True)
        except TimeoutError as error:
            raise _silent(provider, self.idle_timeout) from error
        except httpx.InvalidURL as error:
            raise GatewayDown(f"{provider.host} is not a host that can be reached.") from error
        except httpx.TransportError as error:
            raise self._unreached(error, provider) from error
        return Reply(response, provider, self.idle_timeout, self.answer_timeout)

    async def _pool(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if (pool := self._pools.get(loop)) is not None:
            return pool
        async with self._locks.setdefault(loop, asyncio.Lock()):
            if (pool := self._pools.get(loop)) is None:
                pool = self._pools[loop] = await self._made()
                self._filter.attach()
        return pool

    async def _made(self) -> httpx.AsyncClient:
        """A pool, made in a thread of its own: importing httpx and reading the certificates would stall the loop."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="jupyter-assistant-http")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(thread, _pool, self.connect_timeout, self.idle_timeout)
        except ImportError as error:
            hint = "Install httpx[socks], or unset ALL_PROXY for the server."
            raise GatewayDown("The proxy named in the environment needs a package that is missing.", hint) from error
        except (ValueError, OSError) as error:
            hint = "Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR of the server."
            raise GatewayDown("The proxy or the certificates named in the environment cannot be used.", hint) from error
        finally:
            thread.shutdown(wait=False)

    def _unreached(self, error: httpx.TransportError, provider: Provider) -> ProviderError:
        """What a failure before the first byte of the answer means."""
        import httpx

        host = provider.host
        if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
            return GatewayDown(f"{host} did not answer within {self.connect_timeout:g} s.")
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
            return _silent(provider, self.idle_timeout)
        if isinstance(error, httpx.ConnectError):
            return _not_connected(error, host)
        if isinstance(error, httpx.ProxyError):
            return GatewayDown(
                f"The proxy on the way to {host} refused.", "Check the server's HTTP_PROXY and NO_PROXY."
            )
        if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            return GatewayDown(f"{host} cannot be asked at this address.")
        if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error):
            return NotAGateway(f"What answers at {host} does not speak HTTP.")
        return Dropped(f"{host} closed the connection without an answer.")


class Reply:
    """An answer whose head has come: ``read`` its bytes, then ``close`` it, in any case."""

    def __init__(
        self, response: httpx.Response, provider: Provider, idle_timeout: float, answer_timeout: float
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._provider = provider
        self._raw: AsyncIterator[bytes] = response.aiter_raw()
        self._encoding = self.headers.get("content-encoding", "identity").strip().lower()
        self._inflate = Inflate()
        self._pieces: Iterator[bytes] = iter(())
        self._idle_timeout = idle_timeout
        self._line_at = time.monotonic()
        self._ends_at = self._line_at + answer_timeout
        self._size = 0
        self._waits_since: float | None = None
        self._silent = False
        response.request.extensions["timeout"]["read"] = None  # a timer for each read costs as much as the read
        self._timer = asyncio.get_running_loop().call_later(idle_timeout, self._watch)

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty when none is given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def read(self) -> bytes:
        """The next bytes, decompressed, at most 64 kB; empty at the end. Raises ProviderError."""
        if data := self._piece():
            await asyncio.sleep(0)  # pieces come without waiting for the network: the others must have their turn
            return self._counted(data)
        while chunk := await self._received():
            data = self._unpacked(chunk)
            self._check_clock(data)
            if data:
                return self._counted(data)
        return b""

    async def _received(self) -> bytes:
        """The next bytes as they travel; empty at the end."""
        import httpx

        self._waits_since = time.monotonic()
        try:
            data = await anext(self._raw, b"")
        except httpx.TransportError as error:
            if self._silent:
                raise _silent(self._provider, self._idle_timeout) from error
            raise GatewayCut(f"{self._provider.host} broke off the connection inside the answer.") from error
        finally:
            self._waits_since = None
        if self._silent:
            raise _silent(self._provider, self._idle_timeout)
        return data

    def _watch(self) -> None:
        """Hang up on one who is waited for and silent for too long, which ends the read; else look again later."""
        waited = 0.0 if self._waits_since is None else time.monotonic() - self._waits_since
        if waited < self._idle_timeout:
            self._timer = asyncio.get_running_loop().call_later(self._idle_timeout - waited, self._watch)
            return
        self._silent = True
        with suppress(OSError):  # he may have gone by himself
            self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    async def body(self, limit: int = LIMIT) -> bytes:
        """The whole body. Raises ProviderError, also for one over ``limit`` bytes."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read():
            self._line_at = time.monotonic()  # a body in one piece has no lines to wait for
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise GatewayFailed(f"{self._provider.host} sent an answer of more than {limit / 1e6:.1f} MB.")
        return b"".join(pieces)

    async def refusal(self, limit: int = _REFUSAL_BYTES) -> Refusal:
        """The status with as much of the body as comes in time, at most ``limit`` bytes; closes."""
        import anyio

        body = bytearray()
        try:
            with anyio.move_on_after(self._idle_timeout):
                while len(body) < limit and (piece := await self.read()):
                    self._line_at = time.monotonic()
                    body += piece
        except ProviderError:
            pass  # the status says enough
        finally:
            await self.close()
        return Refusal(self.status, self.headers, bytes(body[:limit]))

    async def settle(self, seconds: float = 0.1) -> None:
        """Read past the end of a finished answer for a moment, so that its connection can be used again."""
        import anyio
        import httpx

        with anyio.move_on_after(seconds):
            try:
                async for _ in self._raw:
                    pass
            except httpx.TransportError:
                return

    async def close(self) -> None:
        """Close the answer; the connection too, when the answer was not read to its end.

        A read that is cancelled on the spot unwinds the generators of httpx and httpcore from within. Left alone they
        would be finalised by stray tasks, which a loop that ends leaves pending.
        """
        import anyio
        import httpx

        self._timer.cancel()
        with anyio.CancelScope() as scope, suppress(httpx.TransportError, httpx.StreamError):
            scope.cancel()
            while await anext(self._raw, b""):
                pass
        await self._response.aclose()

    def _unpacked(self, chunk: bytes) -> bytes:
        """The first bytes of a chunk; we ask for no compression, but some compress all the same."""
        if self._encoding in ("identity", ""):
            return chunk
        if self._encoding not in ENCODINGS:
            raise NotAGateway(f"{self._provider.host} compressed its answer in a way it was not asked for.")
        self._pieces = self._inflate.feed(chunk)
        return self._piece()

    def _piece(self) -> bytes:
        """The next piece of the last compressed chunk; empty when there is none."""
        try:
            return next(self._pieces, b"")
        except NotText as error:
            raise GatewayFailed(f"{self._provider.host} sent compressed bytes that are no answer.") from error

    def _counted(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > _ANSWER_BYTES:
            raise GatewayFailed(f"{self._provider.host} sent far more than an answer can be.")
        return data

    def _check_clock(self, data: bytes) -> None:
        """Bytes that trickle without ever ending a line are silence, too."""
        now = time.monotonic()
        if b"\n" in data or b"\r" in data:
            self._line_at = now
        elif now - self._line_at > self._idle_timeout:
            raise _silent(self._provider, self._idle_timeout)
        if now > self._ends_at:
            raise GatewayTimeout(f"{self._provider.host} did not come to the end of its answer.")


def _pool(connect_timeout: float, idle_timeout: float) -> httpx.AsyncClient:
    import httpx
    from anyio.lowlevel import checkpoint

    asyncio.run(checkpoint())  # has anyio load the rest of itself in this thread, not in the server's loop
    loopback = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
    return httpx.AsyncClient(
        timeout=httpx.Timeout(idle_timeout, connect=connect_timeout, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=30.0),
        follow_redirects=False,
        mounts=loopback,  # a proxy of the environment is not asked for this machine's own servers
    )


def _silent(provider: Provider, seconds: float) -> GatewayTimeout:
    return GatewayTimeout(f"{provider.host} was silent for {seconds:g} s.")


def _not_connected(error: Exception, host: str) -> GatewayDown:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        hint = "Check the address; for a certificate of your own authority set SSL_CERT_FILE for the server."
        return GatewayDown(f"The certificate of {host} cannot be verified.", hint)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return GatewayDown(
            f"{host} does not speak TLS here.", "Check whether the address begins with http:// or https://."
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return GatewayDown(f"There is no host {host}.", "Check the base URL and the network connection.")
    refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    return Dropped(f"{host} refuses the connection." if refused else f"{host} cannot be reached.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it."""
    waiting = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [cause for cause in (current.__cause__, current.__context__) if cause is not None]
        waiting += getattr(current, "exceptions", ())
