"""The layers behind the server: the model's gateway answers, and its answer comes as a stream."""

from __future__ import annotations

import json
from typing import Any

from ...kernel.client.visit import Heard, Visit
from ...sse import Decoder
from .findings import Finding, milliseconds

QUESTION = "Write the numbers from 1 to 30, each on a line of its own, and nothing else."
OFFLINE = "offline/"
MANY = 40
"""Characters of an answer from which on it should have come in more than one piece."""

IN_ONE_PIECE = (
    "The gateway, or a proxy before it, keeps the stream back: switch its buffering off. The assistant works, but "
    "shows each answer only when it is complete."
)


def gateway(visit: Visit) -> Finding:
    """The default model answers one small call."""
    heard = visit.ask("POST", "assistant/models/test", {})
    told = heard.json if isinstance(heard.json, dict) else {}
    if told.get("ok"):
        model = str(told["model"])
        if model.startswith(OFFLINE):
            return Finding("gateway", "ok", "none is configured: the built-in responder answers")
        return Finding("gateway", "ok", f"{model} answers, {milliseconds(heard.seconds)}")
    error = told.get("error", {})
    text = error.get("text") or error.get("message") or f"The server answers with status {heard.status}."
    return Finding("gateway", "broken", text, error.get("hint", "See the server's log."))


def answer(visit: Visit) -> Finding:
    """A whole question: its answer comes token by token; the conversation is removed."""
    heard = visit.ask("POST", "assistant/chat/stream", {"question": QUESTION})
    events = _events(heard)
    try:
        return _judged(heard, events)
    finally:
        for _, name, data in events:
            if name == "run":
                visit.ask("DELETE", f"assistant/conversations/{data['conversation_id']}")


def _judged(heard: Heard, events: list[tuple[float, str, Any]]) -> Finding:
    for _, name, data in events:
        if name == "error":
            return Finding("answer", "broken", data["text"], data["hint"])
    if not events or events[-1][1] != "done":
        return Finding("answer", "broken", "The answer broke off.", "See the server's log.")
    tokens = [(at, data["text"]) for at, name, data in events if name == "token"]
    if not tokens:
        return Finding("answer", "broken", "The model gave no text.", "Choose another model.")
    first, text = tokens[0][0], "".join(text for _, text in tokens)
    model = next((data["model"] for _, name, data in events if name == "run"), "")
    if len(tokens) == 1 and len(text) >= MANY and not str(model).startswith(OFFLINE):
        return Finding("answer", "broken", f"The answer came in one piece, after {milliseconds(first)}.", IN_ONE_PIECE)
    said = f"first token after {milliseconds(first)}, all in {milliseconds(heard.seconds)}, in {len(tokens)} pieces"
    return Finding("answer", "ok", said)


def _events(heard: Heard) -> list[tuple[float, str, Any]]:
    decoder = Decoder()
    return [(at, event.event, json.loads(event.data)) for at, data in heard.pieces for event in decoder.feed(data)]
