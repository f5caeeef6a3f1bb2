"""The OpenAI chat-completions dialect: messages to a request, a gateway's events to ours; pure.

The law: what a gateway may leave out, repeat or get wrong changes no more than it must. An answer counts as whole
only with a ``finish_reason`` and not inside a line (DESIGN §5); tool calls are never run, whatever is sent.
Source: the OpenAI API reference, and what OpenRouter, vLLM, Ollama, LM Studio, llama.cpp, Mistral and Gemini send.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import GatewayCut, GatewayFailed, NotAGateway, ProviderError, RequestRejected
from ..messages import Finish, Json, Message, ModelEvent, Reasoning, Token, Usage
from ..sse import ServerEvent
from .faults import Refusal, broken
from .provider import Options, Provider
from .think import Thinking

PATH = "chat/completions"
STREAM_OPTIONS = "stream_options"
MAX_TOKENS = "max_tokens"

_BAD_EVENTS = 3
_RENAMED = re.compile(r"(?:.*/)?(?:o\d(?:-|$)|gpt-[5-9])", re.IGNORECASE)
_DONE_LINES = (b"data: [DONE]", b"data:[DONE]")
_LISTED = 5000
_NO_CHAT = frozenset({"embedding", "embeddings", "audio", "image", "video", "moderation", "rerank", "transcribe"})


def request(messages: Sequence[Message], model: str, options: Options, without: frozenset[str] = frozenset()) -> Json:
    """The body of a streamed chat completion; ``without`` names what this gateway has refused before."""
    said = [{"role": message.role, "content": message.rendered()} for message in messages]
    body: Json = {"model": model, "messages": said, "stream": True}
    if STREAM_OPTIONS not in without:
        body[STREAM_OPTIONS] = {"include_usage": True}
    if options.max_tokens:
        renamed = (_RENAMED.match(model) is not None) != (MAX_TOKENS in without)
        body["max_completion_tokens" if renamed else MAX_TOKENS] = options.max_tokens
    return body


def amended(sent: Mapping[str, Any], without: frozenset[str], refusal: Refusal) -> frozenset[str] | None:
    """What to leave out of a refused request to try once more, added to ``without``; None when that cannot help.

    Gateways that know no ``stream_options`` say so, or say nothing; newer models want another name for ``max_tokens``.
    """
    if refusal.status not in (400, 422):
        return None
    said = refusal.body.decode("utf-8", "replace").lower()
    limited = any(name in sent and name in said for name in (MAX_TOKENS, "max_completion_tokens"))
    if limited and MAX_TOKENS not in without:
        return without | {MAX_TOKENS}
    named = STREAM_OPTIONS in said or "include_usage" in said or not said.strip()
    return without | {STREAM_OPTIONS} if named and STREAM_OPTIONS not in without else None


class Answer:
    """Reads one answer: ``feed`` its events or its ``whole`` body, then ``close``, ``usage`` and ``finish``.

    ``done`` is true after ``[DONE]`` and after a ``failure``, which ``finish`` raises: nothing further is read.
    """

    def __init__(self, provider: Provider, model: str) -> None:
        self.done = False
        self.failure: ProviderError | None = None
        self._provider = provider
        self._model = model
        self._thinking = Thinking()
        self._content = _Characters()
        self._reasoning = _Characters()
        self._reason: str | None = None
        self._usage: Mapping[str, Any] | None = None
        self._bad = 0
        self._said = False
        self._cut = False

    def feed(self, event: ServerEvent) -> list[ModelEvent]:
        """What one event adds; nothing after ``[DONE]``. An error object, or a third bad event, is a failure."""
        data = event.data
        if self.done or not data.strip():
            return []
        if data.strip() == "[DONE]":
            self.done = True
            return []
        found = _object(data)
        if event.event == "error":
            return self.fail(broken(self._provider, self._model, found or {"message": data}))
        if found is None:
            return self._skip()
        if found.get("error") or found.get("object") == "error":
            return self.fail(broken(self._provider, self._model, found))
        return self._chunk(found)

    def whole(self, body: bytes) -> list[ModelEvent]:
        """An answer that came in one piece, from a gateway that does not stream."""
        found = _object(body) or {}
        if found.get("error"):
            return self.fail(broken(self._provider, self._model, found))
        if not isinstance(found.get("choices"), list):
            return self.fail(NotAGateway(f"{self._provider.host} answered with JSON that is no chat completion."))
        return self._chunk(found)

    def fail(self, error: ProviderError, cause: BaseException | None = None) -> list[ModelEvent]:
        """End the answer with an error; a connection cut after the ``finish_reason`` is none."""
        if isinstance(error, GatewayCut) and self._reason is not None:
            return []
        if cause is not None:
            error.__cause__ = cause
        self.done = True
        self.failure = error
        return []

    def close(self, rest: bytes = b"") -> list[ModelEvent]:
        """What was held back; ``rest`` is the line in which the stream ended, if it ended in one."""
        self._cut = bool(rest) and not self.done and rest.rstrip() not in _DONE_LINES
        return [*self._thinking.feed(self._content.close()), *self._thinking.close()]

    def usage(self, seconds: float) -> Usage | None:
        """The tokens as the gateway counted them; None when it did not."""
        found = self._usage
        if found is None:
            return None
        details = found.get("prompt_tokens_details")
        cost = found.get("cost")
        return Usage(
            input_tokens=_count(found.get("prompt_tokens")) or 0,
            output_tokens=_count(found.get("completion_tokens")) or 0,
            seconds=round(seconds, 3),
            cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, dict) else None,
            cost=float(cost) if isinstance(cost, int | float) and 0 <= cost < 1e9 else None,
            currency="USD" if isinstance(cost, int | float) and 0 <= cost < 1e9 else None,
        )

    def finish(self) -> Finish:
        """How the answer ended. Raises the failure, GatewayCut, or what the gateway's reason means."""
        if self.failure is not None:
            raise self.failure
        if self._reason is None or self._cut:
            raise GatewayCut(f"{self._provider.host} ended the answer before it was complete.")
        if error := self._unfinished(self._reason):
            raise error
        return Finish("length" if self._reason in ("length", "max_tokens", "MAX_TOKENS") else "stop")

    def _unfinished(self, reason: str) -> ProviderError | None:
        host = self._provider.host
        if reason == "content_filter":
            return RequestRejected(f"{host} stopped the answer by its content filter.", "Ask in other words.")
        if reason == "error":
            return GatewayFailed(f"{host} broke off the answer with an error.")
        if reason in ("tool_calls", "function_call") and not self._said:
            hint = "Choose another model, or ask again."
            return RequestRejected(f"{self._model} called a tool instead of answering, and none was offered.", hint)
        return None

    def _skip(self) -> list[ModelEvent]:
        """An event that is no JSON object: passed over, but not for ever."""
        self._bad += 1
        if self._bad >= _BAD_EVENTS:
            return self.fail(GatewayFailed(f"{self._provider.host} sent {self._bad} events that are not JSON objects."))
        return []

    def _chunk(self, found: Mapping[str, Any]) -> list[ModelEvent]:
        usage = found.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
        choices = found.get("choices")
        if not isinstance(choices, list):
            return []
        return [event for choice in choices for event in self._choice(choice)]

    def _choice(self, choice: Any) -> list[ModelEvent]:
        """Only the first choice is read; the others answer nobody."""
        if not isinstance(choice, dict) or choice.get("index") not in (None, 0):
            return []
        delta = choice.get("delta") or choice.get("message")
        events = list(self._delta(delta)) if isinstance(delta, dict) else []
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._reason = reason
        return events

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[ModelEvent]:
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if reasoning and isinstance(reasoning, str):
            yield from _reasoning(self._reasoning.feed(reasoning))
        for kind, text in _parts(delta.get("content") or delta.get("refusal")):
            if kind is Reasoning:
                yield from _reasoning(self._reasoning.feed(text))
            else:
                self._said = True
                yield from self._thinking.feed(self._content.feed(text))


def _object(text: str | bytes) -> Json | None:
    """A JSON object, or None for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class _Characters:
    """Text whose surrogate pairs may be cut between two pieces; a half without its other half becomes U+FFFD."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        if not self._half and text.isascii():
            return text
        text = self._half + text
        self._half = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return _joined(text.removesuffix(self._half))

    def close(self) -> str:
        half, self._half = self._half, ""
        return _joined(half)


def _joined(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _reasoning(text: str) -> list[Reasoning]:
    return [Reasoning(text)] if text else []


def _parts(content: Any) -> Iterator[tuple[type[Token] | type[Reasoning], str]]:
    """The pieces of a ``content``: a text, or a list of typed parts as Mistral and others send it."""
    if not isinstance(content, list):
        yield from ((Token, text) for text in _texts(content))
        return
    for part in content:
        if isinstance(part, dict):
            yield from ((Reasoning, text) for text in _texts(part.get("thinking")))
            yield from ((Token, text) for text in _texts(part.get("text") or part.get("refusal")))


def _texts(value: Any) -> list[str]:
    """The texts that are there: of a string, or of a list of ``{"text": …}``."""
    if isinstance(value, str):
        return [value] if value else []
    if not isinstance(value, list):
        return []
    return [text for part in value if isinstance(part, dict) and isinstance(text := part.get("text"), str) and text]


def _count(value: Any) -> int | None:
    """A number of tokens; None for anything else."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else None


@dataclass(frozen=True, slots=True)
class Listed:
    """A model as ``/models`` lists it; what the gateway does not say is None. ``context_tokens``: its whole window."""

    id: str
    context_tokens: int | None = None
    images: bool | None = None
    tools: bool | None = None
    reasoning: bool | None = None


def listed(body: bytes) -> tuple[Listed, ...] | None:
    """The chat models of a ``/models`` answer, each once, in its order; None when the body is no such answer."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    entries = found.get("data", found.get("models")) if isinstance(found, dict) else found
    if entries is None and isinstance(found, dict) and "data" in found:
        return ()  # Ollama without a model
    if not isinstance(entries, list):
        return None
    models = {model.id: model for entry in entries[:_LISTED] if (model := _listed(entry))}
    return tuple(models.values())


def _listed(entry: Any) -> Listed | None:
    if not isinstance(entry, dict) or str(entry.get("type")) in _NO_CHAT:
        return None
    name = entry.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= 512 or not name.isprintable():
        return None
    sizes = (_count(entry.get(key)) for key in ("context_length", "max_model_len", "context_window"))
    inputs = _strings(_inside(entry, "architecture", "input_modalities"))
    parameters = _strings(entry.get("supported_parameters"))
    return Listed(
        name,
        context_tokens=next((size for size in sizes if size), None),
        images=None if inputs is None else "image" in inputs,
        tools=None if parameters is None else "tools" in parameters,
        reasoning=None if parameters is None else "reasoning" in parameters,
    )


def _inside(entry: Mapping[str, Any], *keys: str) -> Any:
    found: Any = entry
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _strings(value: Any) -> frozenset[str] | None:
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else None
