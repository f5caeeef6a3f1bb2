"""The layers between here and the server: it answers, its loop is free, streams arrive, pages are let in."""

from __future__ import annotations

from statistics import median

from ...kernel.client.visit import Heard, Visit
from ...sse import Decoder
from .findings import Finding, milliseconds

LOOKS = 20
SLOW = 0.5
"""Seconds after which a trivial answer means that something blocks the server's loop."""

SPREAD = 0.5
"""Seconds between the first and the last event, made over more than twice that, below which they came together."""

NO_TOKEN = (
    "Give the token with --token or JUPYTER_TOKEN: it stands in the address that the server printed. Without either, a "
    "running server's own is found, unless it wants a password: then give it a token, as in "
    "jupyter lab --IdentityProvider.token=..."
)
NOT_THERE = (
    "Install it where that server runs (pip install jupyter-assistant), see that jupyter server extension list shows "
    "it as enabled, and start the server again. If another server was meant, name it with --url."
)
LET_THROUGH = (
    "Let the proxy pass streams on as they come: nginx: proxy_buffering off, and no proxy_ignore_headers "
    "X-Accel-Buffering; Caddy: flush_interval -1; Apache: flushpackets=on; and no compression of text/event-stream."
)
CUT = "Give the stream time: nginx: proxy_read_timeout 1h; Caddy: no read_timeout."
KEEP_HOST = (
    "The proxy must pass the address on that the browser shows: nginx: proxy_set_header Host $http_host. Or name the "
    "page's origin in the server's configuration: c.ServerApp.allow_origin."
)


def server(visit: Visit) -> Finding:
    """It answers, takes the token, and has the assistant."""
    heard = visit.ask("GET", "assistant/health")
    where = visit.server.url
    if heard.status == 200 and isinstance(heard.json, dict):
        return Finding("server", "ok", f"{where} runs version {heard.json['version']}, {milliseconds(heard.seconds)}")
    if heard.status in (302, 401, 403):
        return _broken("server", f"{where} does not let this request in (status {heard.status}).", NO_TOKEN)
    if heard.status == 404:
        return _broken("server", f"{where} runs without Jupyter Assistant.", NOT_THERE)
    error = (heard.json or {}).get("error", {}) if isinstance(heard.json, dict) else {}
    text = error.get("message", f"{where} answers with status {heard.status}.")
    return _broken("server", text, error.get("hint", "See the server's log, and that of a proxy before it."))


def loop(visit: Visit) -> Finding:
    """Its event loop has time: a trivial question is answered at once, again and again."""
    took = sorted(visit.ask("GET", "assistant/health").seconds for _ in range(LOOKS))
    said = f"a trivial answer takes {milliseconds(median(took))}, at worst {milliseconds(took[-1])}"
    if median(took) > SLOW:
        return _broken(
            "loop",
            f"The server is slow: {said}.",
            "Something works in its loop or the machine is short: look at its load, and at other extensions "
            "(jupyter server extension list).",
        )
    return Finding("loop", "ok", said)


def stream(visit: Visit, named: bool) -> Finding:
    """Pieces of a stream come while they are made, not together at its end."""
    heard = visit.ask("GET", "assistant/health/stream")
    if heard.status != 200:
        return _broken("stream", f"The stream is refused (status {heard.status}).", NO_TOKEN)
    times = arrivals(heard)
    if len(times) < _expected(heard):
        return _broken("stream", f"Only {len(times)} of {_expected(heard)} pieces came.", CUT)
    if times[-1] - times[0] < SPREAD:
        after = milliseconds(times[0])
        return _broken("stream", f"A proxy keeps streams back: all pieces came at once, after {after}.", LET_THROUGH)
    where = "" if named else "; asked directly: --url with the address that the browser shows tries a proxy too"
    return Finding("stream", "ok", f"pieces come as they are made, the first after {milliseconds(times[0])}{where}")


def origin(visit: Visit) -> Finding:
    """A page of this address is let in as its own."""
    heard = visit.ask_as_page("POST", "assistant/preview", {"question": "May I?"})
    if heard is None:
        return Finding("origin", "not tried", "a page of this server needs a login with a password")
    if heard.status in (400, 403, 404):
        return _broken(
            "origin", f"A page of {visit.server.url} is refused as foreign (status {heard.status}).", KEEP_HOST
        )
    return Finding("origin", "ok", f"a page of this address is let in, {milliseconds(heard.seconds)}")


def arrivals(heard: Heard) -> list[float]:
    """When each event of a stream was here, in seconds."""
    decoder = Decoder()
    return [at for at, data in heard.pieces for _ in decoder.feed(data)]


def _expected(heard: Heard) -> int:
    import json

    first = next(iter(Decoder().feed(heard.body)), None)
    return int(json.loads(first.data)["of"]) if first else 1


def _broken(layer: str, said: str, remedy: str) -> Finding:
    return Finding(layer, "broken", said, remedy)
