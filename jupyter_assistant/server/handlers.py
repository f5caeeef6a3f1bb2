"""The routes under ``{base_url}assistant/`` (DESIGN §4): Jupyter's authentication, JSON in, JSON or events out.

The law: each method is authenticated and authorised with explicit arguments (a decorator without them freezes the
first call's), a GET has no side effect, and every refusal is ``{"error": {"code", "message", "hint"}}``.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import IOStream, StreamClosedError

from .. import sse
from .._version import __version__
from ..assistant import Assistant
from ..errors import (
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
    TooLarge,
)
from ..messages import Json, Question
from ..runs import Finished, Run
from ..settings import Settings
from . import fields

RESOURCE = "assistant"
LOCAL_OWNER = "local"
STATUSES: tuple[tuple[type[AssistantError], int], ...] = (
    (InvalidInput, 400),
    (PathRefused, 400),
    (NotebookNotFound, 404),
    (NotebookBusy, 503),
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


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers speak to; ``ready`` completes when the stores are open."""

    assistant: Assistant
    settings: Settings
    ready: Callable[[], Awaitable[None]]
    reconfigure: Callable[[], None]


@web.stream_request_body
class AssistantHandler(APIHandler):
    """What the routes share: who asks, the body (refused by its length before it is read), errors as JSON."""

    services: Services

    def initialize(self, services: Services) -> None:
        """Take what the composition root built."""
        self.services = services
        self._chunks: list[bytes] = []
        self._received = 0

    async def prepare(self, *, _redirect_to_login: bool = False) -> None:
        """Authenticate, then refuse what is too large or no JSON, before any of it is read."""
        await super().prepare()
        if self.request.method == "OPTIONS":
            return
        if self.current_user is None:
            raise web.HTTPError(403)
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > self.limit:
            raise web.HTTPError(413)
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and (length != "0" or "Transfer-Encoding" in self.request.headers):
            raise web.HTTPError(415)
        await self.services.ready()

    def data_received(self, chunk: bytes) -> None:
        """Keep the body while it is within the limit."""
        self._received += len(chunk)
        if self._received <= self.limit:
            self._chunks.append(chunk)

    @property
    def limit(self) -> int:
        """The largest body, in bytes."""
        return int(self.services.settings.traits.max_body_bytes)

    @property
    def owner(self) -> str:
        """Whose conversations these are: one owner under a token or a password, the real user under a hub.

        Under token authentication Jupyter names a user at random for each request, so the name means nothing there.
        """
        if type(self.identity_provider) in (IdentityProvider, PasswordIdentityProvider):
            return LOCAL_OWNER
        return f"user:{self.current_user.username}"

    def body(self) -> Json:
        """The request's JSON object; an empty body is an empty object."""
        if self._received > self.limit:
            raise TooLarge(f"The request is larger than {self.limit} bytes.")
        raw = b"".join(self._chunks)
        return fields.parse(raw) if raw else {}

    def reply(self, value: Any, status: int = 200) -> None:
        """Answer with compact JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every refusal in the one form; nothing of the inside is shown."""
        raised = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(raised, AssistantError):
            status, error = _status(raised), _error(raised)
        else:
            status, error = status_code, _http_error(status_code)
        body: Json = {"error": error}
        if isinstance(raised, Gone):
            body["snapshot"] = raised.snapshot
        self.reply(body, status)

    def log_exception(self, *args: Any) -> None:
        """An error of the tree is an answer, not a failure of the server."""
        if not isinstance(args[1], AssistantError):
            super().log_exception(*args)


def _status(error: AssistantError) -> int:
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 400)


def _error(error: AssistantError) -> Json:
    more: Json = {}
    if isinstance(error, InvalidInput):
        more["field"] = error.field
    if isinstance(error, ConversationBusy):
        more["run_id"] = error.run_id
    return {"code": error.code, "message": error.text, "hint": error.hint, **more}


def _http_error(status: int) -> Json:
    code, hint = CODES.get(status, ("failed", "See the server's log."))
    return {"code": code, "message": http.client.responses.get(status, "Failed") + ".", "hint": hint}


class StreamHandler(AssistantHandler):
    """A run's events to one reader, who may come late, read slowly or go at any time without touching the run."""

    _reader: asyncio.Task[Any] | None = None

    async def stream(self, run: Run | Finished, after: int) -> None:
        """Send the events after ``after`` until ``done``, with a comment at once and by the clock."""
        run.entries(after)  # raises Gone while the status can still be set
        self._reader = asyncio.current_task()
        if self._connection is not None:
            self._connection.set_nodelay(True)  # or the first event waits for the comment's acknowledgement
        self.set_status(200)
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache, no-transform")
        self.set_header("X-Accel-Buffering", "no")
        try:
            await self._send(run, after)
            self.finish()
        except (asyncio.CancelledError, asyncio.TimeoutError, StreamClosedError, Gone):
            self._drop()
        finally:
            self._reader = None

    async def _send(self, run: Run | Finished, after: int) -> None:
        traits = self.services.settings.traits
        comment = sse.comment("")
        await self._write(comment, traits.flush_timeout)
        beat = time.monotonic() + traits.heartbeat
        while True:
            entries = await run.next(after, max(0.0, beat - time.monotonic()))
            frames = [entry.frame for entry in entries]
            after = entries[-1].number if entries else after
            if time.monotonic() >= beat:
                beat = time.monotonic() + traits.heartbeat
                frames.append(comment)
            if frames:
                await self._write(b"".join(frames), traits.flush_timeout)
            if run.ended and after >= run.last:
                return

    async def _write(self, data: bytes, seconds: float) -> None:
        self.write(data)
        flushed = self.flush()
        if self._connection is None or self._connection.writing():  # else the socket has taken it all
            await asyncio.wait_for(flushed, seconds)

    def _drop(self) -> None:
        """End a reader who went or does not read; the run goes on and he can resume."""
        if self._connection is not None:
            self._connection.close()
        self.finish()

    @property
    def _connection(self) -> IOStream | None:
        """The socket's stream; a connection that is gone has none."""
        return getattr(self.request.connection, "stream", None)

    def on_connection_close(self) -> None:
        """The reader went: stop reading for him."""
        super().on_connection_close()
        if self._reader is not None:
            self._reader.cancel()


class ChatStreamHandler(StreamHandler):
    """``POST chat/stream``: a question, answered by the events of its run."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self) -> None:
        """Ask and stream."""
        await self.stream(await self.services.assistant.ask(_question(self), self.owner), 0)


class RunStreamHandler(StreamHandler):
    """``GET chat/{run}/stream``: the events of a run after ``Last-Event-ID`` or ``?after=``."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self, run_id: str) -> None:
        """Resume or replay."""
        after = self._after()
        await self.stream(await self.services.assistant.run(self.owner, run_id), after)

    def _after(self) -> int:
        name, text = "Last-Event-ID", self.request.headers.get("Last-Event-ID", "")
        if not text:
            name, text = "after", self.get_query_argument("after", "")
        if text and not (text.isascii() and text.isdecimal() and len(text) <= 18):
            raise InvalidInput(name, "must be the number of an event")
        return int(text or 0)


class ChatStopHandler(AssistantHandler):
    """``POST chat/{run}/stop``: the only thing that cancels."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self, run_id: str) -> None:
        """Cancel the model's call and wait until it is cancelled."""
        await self.services.assistant.stop(self.owner, run_id)
        self.reply({"run_id": run_id})


class ChatHandler(AssistantHandler):
    """``POST chat``: the same question, one JSON answer."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self) -> None:
        """Ask and wait; the run goes on when the client does not wait for it."""
        run = await self.services.assistant.ask(_question(self), self.owner)
        await run.wait()
        self.reply(_answer(run))


class PreviewHandler(AssistantHandler):
    """``POST preview``: exactly what would be sent."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def post(self) -> None:
        """Build the request, send nothing."""
        self.reply(await self.services.assistant.preview(_question(self), self.owner))


class ConversationsHandler(AssistantHandler):
    """``conversations``: the list, and a new one."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """The conversations, or with ``?archived=1`` the archived ones."""
        archived = self.get_query_argument("archived", "") in ("1", "true")
        self.reply(await self.services.assistant.conversations.list(self.owner, archived=archived))

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def post(self) -> None:
        """An empty conversation."""
        body = fields.Fields(self.body())
        title = body.text("title", fields.NAME_CHARS) or ""
        body.end()
        self.reply(await self.services.assistant.conversations.create(self.owner, title), 201)


class ConversationHandler(AssistantHandler):
    """``conversations/{id}``: one with its messages; renamed, pinned, deleted."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self, conversation_id: str) -> None:
        """The conversation and its messages."""
        self.reply(await self.services.assistant.conversation(self.owner, conversation_id))

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def patch(self, conversation_id: str) -> None:
        """Change title or pin."""
        body = fields.Fields(self.body())
        title, pinned = body.text("title", fields.NAME_CHARS, least=1), body.flag("pinned")
        body.end()
        conversations = self.services.assistant.conversations
        self.reply(await conversations.update(self.owner, conversation_id, title=title, pinned=pinned))

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def delete(self, conversation_id: str) -> None:
        """Delete for good."""
        await self.services.assistant.delete(self.owner, conversation_id)
        self.set_status(204)
        self.finish()


class ExportHandler(AssistantHandler):
    """``conversations/{id}/export``: the whole conversation as a file."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self, conversation_id: str) -> None:
        """Markdown or JSON, as an attachment."""
        form = self.get_query_argument("format", "md")
        if form not in ("md", "json"):
            raise InvalidInput("format", "must be md or json")
        name, text = await self.services.assistant.conversations.export(self.owner, conversation_id, form)
        kind = "application/json" if form == "json" else "text/markdown"
        self.set_attachment_header(name)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(text, set_content_type=f"{kind}; charset=utf-8")


class ModelsHandler(AssistantHandler):
    """``GET models``: what is known so far; asks nobody."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Providers and models."""
        self.reply(self.services.assistant.models.listing())


class ModelsRefreshHandler(AssistantHandler):
    """``POST models/refresh``: ask the endpoints, look for local servers."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self) -> None:
        """Ask them all at once."""
        fields.Fields(self.body()).end()
        self.reply(await self.services.assistant.models.refresh())


class ModelsTestHandler(AssistantHandler):
    """``POST models/test``: one real call, with its latency."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self) -> None:
        """Call the named model, or the default one; with a ``base_url``, at that endpoint, which need not be saved.

        A key that is saved never goes to it: it gets the one given here, or none.
        """
        body = fields.Fields(self.body())
        model = body.printable("model", fields.NAME_CHARS)
        endpoint = fields.endpoint(body)
        body.end()
        models, settings = self.services.assistant.models, self.services.settings
        if endpoint:
            self.reply(await models.test_endpoint(**settings.checked(endpoint), model=model))
        else:
            self.reply(await models.test(model or settings.value("model") or None))


class SettingsHandler(AssistantHandler):
    """``settings``: what the user may change; never a secret's value."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Values, locks, help."""
        self.reply(self.services.settings.shown())

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def patch(self) -> None:
        """Check every change, keep all or none."""
        changes = self.body()
        await asyncio.get_running_loop().run_in_executor(None, self.services.settings.change, changes)
        self.services.reconfigure()
        self.reply(self.services.settings.shown())


class HealthHandler(AssistantHandler):
    """``GET health``: how the parts are."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """State of each part; null where a part is not there."""
        assistant = self.services.assistant
        self.reply(
            {
                "version": __version__,
                "gateway": assistant.models.last_seen,
                "store": assistant.conversations.state,
                "index": None,
                "rtc": None,
                "tabs": None,
                "mcp": None,
            }
        )


class UnknownHandler(AssistantHandler):
    """Any other address below ``assistant/``: 404 in our form, behind the same authentication."""

    async def prepare(self, *, _redirect_to_login: bool = False) -> None:
        """Authenticate, then 404."""
        await super().prepare()
        raise web.HTTPError(404)


class OffHandler(APIHandler):
    """Every address while a wrong setting keeps the assistant off: says so, to those who may know."""

    def initialize(self, error: Misconfigured) -> None:
        """Take the sentence to say."""
        self.error = error

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self, *_: str) -> None:
        """Say what is wrong."""
        self.set_status(_status(self.error))
        self.finish(json.dumps({"error": _error(self.error)}))

    post = patch = delete = get


def _question(handler: AssistantHandler) -> Question:
    """The question of a request; other wire formats are not built yet."""
    if handler.get_query_argument("protocol", ""):
        raise InvalidInput("protocol", "is not available yet; leave it out")
    return fields.question(handler.body())


def _answer(run: Run | Finished) -> Json:
    """The JSON answer of ``POST chat``."""
    parts = {part["type"]: part for part in run.snapshot()["parts"]}
    error = parts.get("error")
    return {
        "run_id": run.id,
        "conversation_id": run.conversation_id,
        "text": parts.get("text", {}).get("text", ""),
        "reason": run.reason,
        "sources": parts.get("sources", {}).get("sources", []),
        "usage": {name: value for name, value in parts["usage"].items() if name != "type"}
        if "usage" in parts
        else None,
        **({"error": {name: value for name, value in error.items() if name != "type"}} if error else {}),
    }


ROUTES: tuple[tuple[str, type[AssistantHandler]], ...] = (
    (r"chat/stream", ChatStreamHandler),
    (r"chat/([^/]+)/stream", RunStreamHandler),
    (r"chat/([^/]+)/stop", ChatStopHandler),
    (r"chat", ChatHandler),
    (r"preview", PreviewHandler),
    (r"conversations", ConversationsHandler),
    (r"conversations/([^/]+)", ConversationHandler),
    (r"conversations/([^/]+)/export", ExportHandler),
    (r"models", ModelsHandler),
    (r"models/refresh", ModelsRefreshHandler),
    (r"models/test", ModelsTestHandler),
    (r"settings", SettingsHandler),
    (r"health", HealthHandler),
    (r".*", UnknownHandler),
)


def off(base: str, error: Misconfigured) -> list[tuple[str, type[OffHandler], Json]]:
    """What stands in place of the routes while the assistant is off."""
    return [(rf"{base}assistant/.*", OffHandler, {"error": error})]


def routes(base: str, services: Services) -> list[tuple[str, type[AssistantHandler], Json]]:
    """The routes as tornado takes them; ``base`` ends before ``assistant/`` and is put first literally."""
    return [(rf"{base}assistant/{pattern}", handler, {"services": services}) for pattern, handler in ROUTES]
