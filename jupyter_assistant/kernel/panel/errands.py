"""What a panel asks of its kernel by messages: requests to the assistant's routes, their answers sent back in pieces.

The law: a message is taken at once and its work is done in a thread, so that no message keeps the kernel from a cell;
only the routes listed here are asked, and only of the kernel's own server. Leaving an answer stops no run, and after
``close`` no thread is left.

In come ``{"kind": "knock" | "request" | "cancel", "id"}``, a request with ``method``, ``path``, ``headers``, ``body``;
out go ``taken``, ``head`` (``status``, ``headers``), ``chunk`` (``text``), ``end`` or ``lost``, each with the ``id``.
"""

from __future__ import annotations

import codecs
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from ...errors import AssistantError, ServerLost, ServerUnreachable

Json = dict[str, Any]
THREAD = "jupyter-assistant-panel"
LONGEST = 10 * 2**20
"""Characters of a request's body; the server takes no more bytes."""

ID = r"[A-Za-z0-9_-]{1,128}"
ROUTES: Mapping[str, tuple[str, ...]] = {
    "GET": (
        rf"chat/{ID}/stream",
        r"conversations(\?archived=1)?",
        rf"conversations/{ID}",
        rf"conversations/{ID}/export\?format=(md|json)",
        r"models|settings|health",
        r"mcp/clients\?origin=[A-Za-z0-9%._~-]{1,300}",
    ),
    "POST": (
        r"chat|chat/stream|preview",
        rf"chat/{ID}/(stop|steer)",
        rf"chat/{ID}/approvals/{ID}",
        r"models/(refresh|test)",
    ),
    "PATCH": (rf"conversations/{ID}", "settings"),
    "DELETE": (rf"conversations/{ID}",),
}
SENT = ("accept", "last-event-id")
"""Of a request's headers; that a body is JSON is said by whoever sends it on."""
TOLD = ("content-type", "content-disposition")


class Reply(Protocol):
    """An answer that is on its way."""

    @property
    def status(self) -> int:
        """Of HTTP."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers, in any case."""

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes. Raises ServerLost."""

    def close(self) -> None:
        """Leave; also from another thread, also twice."""


class Door(Protocol):
    """Whoever answers: a server, or what takes its place."""

    def open(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Ask; back when the headers are here. Raises ServerUnreachable or ServerLost."""


class Errands:
    """The requests of one widget."""

    def __init__(self, send: Callable[[Json], None], reach: Callable[[], Door]) -> None:
        self._send = send
        self._reach = reach
        self._running: dict[str, Errand] = {}
        self._lock = threading.Lock()
        self._closed = False

    def take(self, message: object) -> None:
        """A message of the panel's. One of another shape is not for us."""
        told: Json = message if isinstance(message, dict) else {}
        kind, id = told.get("kind"), told.get("id")
        if not isinstance(id, str):
            return
        if kind == "knock":
            self._send({"kind": "taken", "id": id})
        elif kind == "request":
            self._begin(id, told)
        elif kind == "cancel":
            self._leave(id)

    def close(self) -> None:
        """Leave every answer; back when the threads have ended, or are about to."""
        with self._lock:
            self._closed = True
            running = list(self._running.values())
        for errand in running:
            errand.leave()
        for errand in running:
            errand.join(2)

    def _begin(self, id: str, told: Json) -> None:
        errand = Errand(told, self._reach, lambda piece: self._send({**piece, "id": id}), lambda: self._done(id))
        with self._lock:
            if self._closed or id in self._running:
                return
            self._running[id] = errand
        errand.start()

    def _leave(self, id: str) -> None:
        with self._lock:
            errand = self._running.get(id)
        if errand is not None:
            errand.leave()

    def _done(self, id: str) -> None:
        with self._lock:
            self._running.pop(id, None)


class Errand(threading.Thread):
    """One request and its answer."""

    def __init__(
        self, told: Json, reach: Callable[[], Door], send: Callable[[Json], None], done: Callable[[], None]
    ) -> None:
        super().__init__(name=THREAD, daemon=True)
        self._told = told
        self._reach = reach
        self._tell = send
        self._done = done
        self._left = threading.Event()
        self._reply: Reply | None = None

    def run(self) -> None:
        """Ask, and pass on what comes."""
        try:
            self._ask()
        except (ServerUnreachable, ServerLost):
            self._say({"kind": "lost"})
        except AssistantError as error:
            self._refuse(error)
        except Exception:
            self._say({"kind": "lost"})
            raise
        finally:
            self._done()

    def leave(self) -> None:
        """Nobody reads any more."""
        self._left.set()
        if self._reply is not None:
            self._reply.close()

    def _ask(self) -> None:
        method, path, body, headers = request_of(self._told)
        reply = self._reply = self._reach().open(method, path, body, headers)
        try:
            if not self._left.is_set():
                self._pass_on(reply)
        except ServerLost:
            if not self._left.is_set():
                raise
        finally:
            reply.close()

    def _pass_on(self, reply: Reply) -> None:
        told = {name.lower(): value for name, value in reply.headers.items()}
        self._say({"kind": "head", "status": reply.status, "headers": {k: told[k] for k in TOLD if k in told}})
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for chunk in reply.chunks():
            text = decoder.decode(chunk)
            if text:
                self._say({"kind": "chunk", "text": text})
        self._say({"kind": "end"})

    def _refuse(self, error: AssistantError) -> None:
        body = json.dumps({"error": {"code": error.code, "text": error.text, "hint": error.hint}})
        self._say({"kind": "head", "status": 400, "headers": {"content-type": "application/json"}})
        self._say({"kind": "chunk", "text": body})
        self._say({"kind": "end"})

    def _say(self, piece: Json) -> None:
        if not self._left.is_set():
            self._tell(piece)


def request_of(told: Json) -> tuple[str, str, bytes | None, dict[str, str]]:
    """What a message asks for. Raises NotAllowed for anything that the panel has no business with."""
    method, path, body = told.get("method"), told.get("path"), told.get("body")
    if not isinstance(method, str) or not isinstance(path, str) or not is_listed(method, path):
        raise NotAllowed("The panel may not ask for this through the kernel.")
    if body is not None and (not isinstance(body, str) or len(body) > LONGEST):
        raise NotAllowed("The request is too large, or not text.")
    given = told.get("headers")
    headers = {k.lower(): v for k, v in given.items() if isinstance(v, str)} if isinstance(given, dict) else {}
    sent = {name: headers[name] for name in SENT if name in headers}
    return method, path, None if body is None else body.encode(), sent


def is_listed(method: str, path: str) -> bool:
    """Whether a panel may ask for it."""
    return any(re.fullmatch(route, path) for route in ROUTES.get(method, ()))


class NotAllowed(AssistantError):
    """A request that is in no list."""

    code = "invalid"
    default_hint = "Reload the page; if that does not help, the panel and the package are of different versions."
