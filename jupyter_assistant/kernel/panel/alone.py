"""Who answers a panel where no Jupyter server does: the model of the kernel's environment, or the built-in responder.

The law: it speaks as the server does, so that the panel need not know; what it cannot do it says in a sentence. What is
said is kept in this process's memory and nowhere else. ``close`` ends what runs.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from ..._version import __version__
from ...errors import AssistantError, InvalidInput, NotFound
from .recorded import Answering, Conversation, Run

Json = dict[str, Any]
JSON = {"content-type": "application/json"}
STREAM = {"content-type": "text/event-stream; charset=utf-8"}
QUESTION_CHARS = 32_000
LOCKED = ("base_url", "api_key")
WHERE = (
    "This panel is not served by a Jupyter server: it asks from the kernel. Set OPENAI_BASE_URL and OPENAI_API_KEY, or "
    "JUPYTER_ASSISTANT_BASE_URL and JUPYTER_ASSISTANT_MODEL, in the kernel's environment."
)


class Models(Protocol):
    """Who answers questions (``kernel.local.Local``)."""

    def ask(self, question: Json) -> Answering:
        """An answer, not begun."""

    def models(self) -> Json:
        """The endpoints asked for their models, as ``GET models`` lists them."""

    def models_known(self) -> Json:
        """What is known of them without asking."""


class Told:
    """An answer that is made as it is read."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        pieces: Iterable[bytes] = (),
        left: Callable[[], None] = lambda: None,
    ) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces
        self._left = left

    def chunks(self) -> Iterator[bytes]:
        """The body."""
        yield from self._pieces

    def close(self) -> None:
        """Nobody reads any more."""
        self._left()


class Unavailable(AssistantError):
    """Something only a server can do."""

    code = "not_available"
    default_hint = WHERE


class Alone:
    """The routes of one panel without a server."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._model = ""
        self._conversations: dict[str, Conversation] = {}
        self._asked: dict[str, Run] = {}  # by request id
        self._lock = threading.Lock()

    def open(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Told:
        """The answer to a request; a refusal is one too."""
        try:
            return self._answered(method, path, decoded(body), headers)
        except NotFound as error:
            return refused(404, error)
        except InvalidInput as error:
            return refused(400, error)
        except Unavailable as error:
            return refused(409, error)

    def close(self) -> None:
        """End what runs."""
        for run in self._runs():
            run.close()

    def _answered(self, method: str, path: str, body: Json, headers: Mapping[str, str]) -> Told:
        parts = urlsplit(path)
        room, _, rest = parts.path.partition("/")
        if room == "chat":
            return self._chat(method, rest, body, headers)
        if room == "conversations":
            return self._shelf(method, rest, body, parts.query)
        if path == "models":
            return said(self._listed(self._models.models_known()))
        if path == "models/refresh":
            return said(self._listed(self._models.models()))
        if path == "settings":
            return said(self._settings(body if method == "PATCH" else {}))
        if path == "health":
            return said({"version": __version__})
        raise Unavailable("This needs a Jupyter server.")

    def _chat(self, method: str, rest: str, body: Json, headers: Mapping[str, str]) -> Told:
        if rest == "stream" and method == "POST":
            return self._stream(self._ask(body), 0)
        if not rest:
            return whole(self._ask(body))
        id, _, act = rest.partition("/")
        run = self._run(id)
        if act == "stream":
            last = headers.get("last-event-id", "")
            return self._stream(run, int(last) if last.isdecimal() else 0)
        if act == "stop":
            run.stop()
            return said({})
        raise Unavailable("This needs a Jupyter server.")

    def _ask(self, body: Json) -> Run:
        question, wanted = body.get("question"), str(body.get("request_id") or "")
        if not isinstance(question, str) or not 1 <= len(question) <= QUESTION_CHARS:
            raise InvalidInput("question", f"must be text of 1 to {QUESTION_CHARS} characters.")
        with self._lock:
            if wanted and wanted in self._asked:
                return self._asked[wanted]
            model = {"model": self._model} if self._model else {}
            run = Run(question, self._models.ask({**model, **body}))
            run.begin()
            self._keep(run, wanted)
        return run

    def _keep(self, run: Run, request_id: str) -> None:
        if request_id:
            self._asked[request_id] = run
        found = self._conversations.setdefault(run.conversation_id, Conversation(run.conversation_id, run.question))
        found.runs.append(run)

    def _stream(self, run: Run, after: int) -> Told:
        left = threading.Event()

        def leave() -> None:
            left.set()
            run.wake()

        return Told(200, STREAM, run.frames(after, left), leave)

    def _shelf(self, method: str, id: str, body: Json, query: str) -> Told:
        if not id:
            archived = "archived" in parse_qs(query)
            listed = [] if archived else [each.summary() for each in self._conversations.values()]
            return said({"conversations": sorted(listed, key=newest), "archived": 0})
        id, _, act = id.partition("/")
        found = self._conversations.get(id)
        if found is None:
            raise NotFound("There is no such conversation.", "The kernel may have been restarted since.")
        if act:
            return exported(found, query)
        if method == "DELETE":
            self._forget(found)
            return Told(204, {})
        if method == "PATCH":
            found.title = str(body.get("title", found.title))
            found.pinned = bool(body.get("pinned", found.pinned))
        return said(found.whole())

    def _forget(self, conversation: Conversation) -> None:
        for run in conversation.runs:
            run.stop()
        with self._lock:
            self._conversations.pop(conversation.id, None)
            self._asked = {key: run for key, run in self._asked.items() if run not in conversation.runs}

    def _run(self, id: str) -> Run:
        for run in self._runs():
            if run.id == id:
                return run
        raise NotFound("There is no such answer.", "The kernel may have been restarted since.")

    def _runs(self) -> list[Run]:
        return [run for each in list(self._conversations.values()) for run in each.runs]

    def _listed(self, models: Json) -> Json:
        return {**models, "default": self._model or models["default"]}

    def _settings(self, changes: Json) -> Json:
        if set(changes) - {"model"}:
            raise Unavailable("Only the model can be chosen here.")
        if "model" in changes:
            self._model = str(changes["model"] or "")
        return {
            "settings": {"model": self._model, "base_url": "", "api_key": False},
            "sources": {"model": "user" if self._model else "default"},
            "locked": list(LOCKED),
            "help": dict.fromkeys(LOCKED, WHERE),
        }


def newest(summary: Json) -> tuple[bool, float]:
    """The order of the list: pinned first, then those asked last."""
    return not summary["pinned"], -summary["updated"]


def decoded(body: bytes | None) -> Json:
    """A request's body. Raises InvalidInput."""
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise InvalidInput("body", "must be JSON.") from error
    if not isinstance(found, dict):
        raise InvalidInput("body", "must be a JSON object.")
    return found


def said(value: object, status: int = 200) -> Told:
    """JSON."""
    return Told(status, JSON, [json.dumps(value, ensure_ascii=False).encode()])


def refused(status: int, error: AssistantError) -> Told:
    """A refusal as the server writes one."""
    return said({"error": {"code": error.code, "message": error.text, "hint": error.hint}}, status)


def whole(run: Run) -> Told:
    """The one JSON answer of ``POST chat``, made when the run has ended."""

    def body() -> Iterator[bytes]:
        for _ in run.frames(0, threading.Event()):
            pass
        data = {event.name: event.data for event in run.events}
        text = "".join(event.data["text"] for event in run.events if event.name == "token")
        answer = {"run_id": run.id, "conversation_id": run.conversation_id, "text": text, **data["done"]}
        more = {name: data.get(name) for name in ("sources", "usage", "error")}
        found = {**answer, "sources": [], **{name: value for name, value in more.items() if value is not None}}
        yield json.dumps(found, ensure_ascii=False).encode()

    return Told(200, JSON, body())


def exported(conversation: Conversation, query: str) -> Told:
    """The conversation as a file."""
    if parse_qs(query).get("format") == ["json"]:
        kind, text = "application/json", json.dumps(conversation.whole(), ensure_ascii=False, indent=1)
    else:
        kind, text = "text/markdown", markdown(conversation)
    name = re.sub(r"[^A-Za-z0-9]+", "-", conversation.title).strip("-") or "conversation"
    ending = "json" if kind.endswith("json") else "md"
    headers = {
        "content-type": f"{kind}; charset=utf-8",
        "content-disposition": f'attachment; filename="{name}.{ending}"',
    }
    return Told(200, headers, [text.encode()])


def markdown(conversation: Conversation) -> str:
    """The questions quoted, the answers as they are."""
    blocks = [f"# {conversation.title}"]
    for run in conversation.runs:
        text = "".join(event.data["text"] for event in run.events if event.name == "token")
        blocks += ["\n".join(f"> {line}" for line in run.question.splitlines()), text]
    return "\n\n".join(blocks) + "\n"
