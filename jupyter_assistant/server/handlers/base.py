"""What every route shares: who asks, the body (refused by its length before it is read), errors as JSON.

The law: a request is authenticated and its form is checked before a byte of its body is kept, and every refusal is
``{"error": {"code", "message", "hint"}}`` with nothing of the inside in it.
"""

from __future__ import annotations

import hmac
import http.client
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado import web

from ...errors import (
    AssistantError,
    ConversationBusy,
    Gone,
    InvalidInput,
    Misconfigured,
    NotebookBusy,
    NotebookNotFound,
    NotFound,
    PathRefused,
    SettingsUnavailable,
    StoreUnavailable,
    TabClosed,
    TabUnresponsive,
    TooLarge,
)
from ...settings import Settings
from .. import fields

if TYPE_CHECKING:
    from tornado.iostream import IOStream

    from ...assistant import Assistant
    from ...messages import Json
    from ..mcp import Endpoint

RESOURCE = "assistant"
LOCAL_OWNER = "local"
KERNEL_HEADER = "X-Jupyter-Assistant-Kernel"
OWN_PROVIDERS = (IdentityProvider, PasswordIdentityProvider)
"""Jupyter's own ways to log in, under which a server is one person's."""
READ_ON = 64_000_000
"""Bytes up to which a body over its limit is read and forgotten: a refusal in its middle seldom reaches the client."""
READ_OUT = 1_000_000
"""The same for the body of a request that is not let in."""
STATUSES: tuple[tuple[type[AssistantError], int], ...] = (
    (InvalidInput, 400),
    (PathRefused, 400),
    (NotebookNotFound, 404),
    (NotebookBusy, 503),
    (TabUnresponsive, 503),
    (TabClosed, 409),
    (NotFound, 404),
    (ConversationBusy, 409),
    (Gone, 410),
    (TooLarge, 413),
    (StoreUnavailable, 503),
    (SettingsUnavailable, 503),
    (Misconfigured, 503),
)
CODES = {
    400: ("invalid", "Correct the request and send it again."),
    403: ("forbidden", "Send the server's token, or log in; a cookie needs the X-XSRFToken header too."),
    404: ("not_found", "Check the address."),
    405: ("method_not_allowed", "Use another HTTP method."),
    413: ("too_large", "Send less at once."),
    415: ("unsupported_media_type", "Send Content-Type: application/json."),
}
UNKNOWN_HOST = {
    "code": "forbidden",
    "message": "This server does not answer under this Host.",
    "hint": "Use localhost, or set c.ServerApp.local_hostnames, or allow_remote_access where a proxy stands before it.",
}


class Built(Protocol):
    """What the first request has built."""

    @property
    def assistant(self) -> Assistant:
        """The one use case."""

    @property
    def mcp(self) -> Endpoint:
        """The MCP endpoint."""

    def reconfigure(self) -> None:
        """Tell the models what the settings say now."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers speak to; ``ready`` gives it built, its stores open, and raises where it cannot be."""

    settings: Settings
    ready: Callable[[], Awaitable[Built]]
    kernel_secret: str = field(default="", repr=False)
    """What this server gave the kernels it started; it lets them in at these routes, as its token would."""


@web.stream_request_body
class AssistantHandler(APIHandler):
    """What the routes share: who asks, the body (refused by its length before it is read), errors as JSON."""

    services: Services
    refusal: Json | None = None
    """What is told of a request that is not let in, where more than its status can be said."""

    def initialize(self, services: Services) -> None:
        """Take what the composition root built."""
        self.services = services
        self._built: Built | None = None
        self._chunks: list[bytes] = []
        self._received = 0
        self._unread = False

    async def prepare(self, *, _redirect_to_login: bool = False) -> None:
        """Authenticate, then refuse what is too large or no JSON, before any of it is kept.

        A short body that is refused is read to its end first: the client of one who hangs up in its middle may see
        that alone.
        """
        try:
            await self._let_in()
        except (web.HTTPError, AssistantError) as error:
            self._unread = not 0 < self._length <= READ_OUT
            if self._unread:
                raise
            setattr(self, (self.request.method or "").lower(), partial(_refuse, error))

    async def _let_in(self) -> None:
        """Raises why the request is not let in."""
        self._let_kernel_in()
        await super().prepare()
        if self.request.method == "OPTIONS":
            return
        if self.current_user is None:
            raise web.HTTPError(403)
        if self._length > max(self.limit, READ_ON):
            raise web.HTTPError(413)
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and (self._length or "Transfer-Encoding" in self.request.headers):
            raise web.HTTPError(415)
        self._built = await self.services.ready()

    @property
    def _length(self) -> int:
        """Of the body, as its client says; 0 where it does not."""
        said = self.request.headers.get("Content-Length", "0")
        return int(said) if said.isdecimal() else 0

    def check_host(self) -> bool:
        """Whether the server goes by the name it was asked under; else a page may have rebound that name to it."""
        known = super().check_host()
        self.refusal = None if known else UNKNOWN_HOST
        return known

    def _let_kernel_in(self) -> None:
        """A kernel of this server is let in by its secret, as by a token: where people log in by password, it has none.

        Not under an identity provider of another kind, where nobody could say whose kernel it is.
        """
        given, secret = self.request.headers.get(KERNEL_HEADER, ""), self.services.kernel_secret
        if not given or not secret or type(self.identity_provider) not in OWN_PROVIDERS:
            return
        if hmac.compare_digest(given.encode(), secret.encode()):
            self._jupyter_current_user = User("kernel", display_name="Kernel")
            self._token_authenticated = True

    @property
    def built(self) -> Built:
        """What this request speaks to, once it has been let in."""
        assert self._built is not None
        return self._built

    @property
    def assistant(self) -> Assistant:
        """The one use case."""
        return self.built.assistant

    def data_received(self, chunk: bytes) -> None:
        """Keep the body of one who was let in while it is within the limit."""
        self._received += len(chunk)
        if self._built is not None and self._received <= self.limit:
            self._chunks.append(chunk)

    @property
    def limit(self) -> int:
        """The largest body, in bytes."""
        return int(self.services.settings.traits.max_body_bytes)

    @property
    def owner(self) -> str:
        """Whose conversations these are."""
        return owner_of(self)

    def body(self) -> Json:
        """The request's JSON object; an empty body is an empty object."""
        if self._received > self.limit:
            raise TooLarge(f"The request is larger than {self.limit} bytes.")
        raw = b"".join(self._chunks)
        return fields.parse(raw) if raw else {}

    def begin_stream(self) -> None:
        """Status and headers of a stream of events, which nothing on its way may keep back."""
        if self.connection is not None:
            self.connection.set_nodelay(True)  # or the first event waits for the comment's acknowledgement
        self.set_status(200)
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache, no-transform")
        self.set_header("X-Accel-Buffering", "no")

    @property
    def connection(self) -> IOStream | None:
        """The socket's stream; a connection that is gone has none."""
        return getattr(self.request.connection, "stream", None)

    def reply(self, value: Any, status: int = 200) -> None:
        """Answer with compact JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every refusal in the one form; nothing of the inside is shown."""
        raised = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(raised, AssistantError):
            status, error = status_of(raised), error_of(raised)
        else:
            status, error = status_code, self.refusal or _http_error(status_code)
        if self._unread:
            self.set_header("Connection", "close")  # as it will be: its client must not send the next request there
        body: Json = {"error": error}
        if isinstance(raised, Gone):
            body["snapshot"] = raised.snapshot
        self.reply(body, status)

    def log_exception(self, *args: Any) -> None:
        """An error of the tree is an answer, not a failure of the server."""
        if not isinstance(args[1], AssistantError):
            super().log_exception(*args)


def _refuse(error: Exception, *_: object, **__: object) -> NoReturn:
    """In the place of a handler's method, when the body has been read."""
    raise error


def owner_of(handler: JupyterHandler) -> str:
    """Who asks: one owner under a token or a password, the real user under a hub.

    Under token authentication Jupyter names a user at random for each request, so the name means nothing there.
    """
    if type(handler.identity_provider) in OWN_PROVIDERS:
        return LOCAL_OWNER
    return f"user:{handler.current_user.username}"


def status_of(error: AssistantError) -> int:
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 400)


def error_of(error: AssistantError) -> Json:
    more: Json = {}
    if isinstance(error, InvalidInput):
        more["field"] = error.field
    if isinstance(error, ConversationBusy):
        more["run_id"] = error.run_id
    return {"code": error.code, "message": error.text, "hint": error.hint, **more}


def _http_error(status: int) -> Json:
    code, hint = CODES.get(status, ("failed", "See the server's log."))
    return {"code": code, "message": http.client.responses.get(status, "Failed") + ".", "hint": hint}
