"""What a gateway's refusal means: status and body to one error of the tree, with a sentence and a next step; pure.

The law: a sentence names the host and never a key, a credential of an address or a page's body; the gateway's own
words are quoted only from a JSON error, on one line, redacted, and cut at 200 characters.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import (
    ContextTooLong,
    EndpointNotFound,
    GatewayFailed,
    GatewayTimeout,
    KeyRejected,
    ModelNotFound,
    NotAGateway,
    PermissionDenied,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
)
from .provider import Provider

QUOTED = 200
"""Longest quotation of a gateway's own words, in characters."""

_CONTEXT = re.compile(
    r"context[ _]?(length|size|window)|maximum context"
    r"|(prompt|input|request) (is )?too (long|large)|too many (input )?tokens",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"\bmodel\b.{0,200}?(not found|not exist|n't exist|not loaded|not available)"
    r"|(not a valid|invalid|unknown|no such) model|no endpoints found|model_not_found",
    re.IGNORECASE,
)
_NO_ROUTE = re.compile(r"unexpected endpoint|no such route|invalid url|page not found", re.IGNORECASE)
_NO_QUOTA = re.compile(
    r"insufficient[ _](quota|credit|balance|fund)|exceeded your current quota|billing|payment", re.IGNORECASE
)
_BAD_KEY = re.compile(r"api[ _-]?key", re.IGNORECASE)
_RATE = re.compile(r"rate[ _-]?limit|too many requests", re.IGNORECASE)
_OVERLOADED = re.compile(r"overload|capacity|unavailable", re.IGNORECASE)
_STATUS_WORDS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none: its status, its headers (lower-case names), the beginning of its body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A gateway's own words: its message, and its code, type and status as one text."""

    message: str = ""
    code: str = ""
    status: int | None = None

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the message or the code matches."""
        return pattern.search(self.message, 0, 2000) is not None or pattern.search(self.code) is not None


def refused(provider: Provider, model: str, refusal: Refusal) -> ProviderError:
    """The error that a refusal is."""
    complaint = complaint_of(_json(refusal.body))
    error = _error(provider, model, refusal.status, complaint, refusal.headers)
    error.retry_after = retry_after(refusal.headers.get("retry-after"))
    return error


def broken(provider: Provider, model: str, found: Any) -> ProviderError:
    """The error that an ``error`` object is, found inside an answer whose status was 200."""
    complaint = complaint_of(found)
    if complaint.says(_NO_ROUTE):
        return _no_endpoint(provider)
    return _error(provider, model, complaint.status or _implied_status(complaint), complaint, {})


def not_a_gateway(provider: Provider, kind: str) -> ProviderError:
    """An answer of another kind (a content type) than an OpenAI-compatible endpoint gives."""
    what = {"text/html": "a web page", "": "something without a content type"}.get(kind, kind[:60])
    hint = "" if provider.versioned else _add_version(provider)
    return NotAGateway(f"{provider.host} answered with {what}, not as an OpenAI-compatible endpoint.", hint)


def complaint_of(found: Any) -> Complaint:
    """The words in an error body, in the shapes that gateways use; empty when there are none."""
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return Complaint()
    error = found.get("error") or found.get("errors") or found.get("message") or found.get("detail")
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, str):
        return Complaint(error, _codes(found), _status(found))
    if not isinstance(error, dict):
        return Complaint()
    message = error.get("message") or error.get("msg") or error.get("detail") or ""
    return Complaint(message if isinstance(message, str) else "", _codes(error), _status(error))


def retry_after(header: str | None, now: float | None = None) -> float | None:
    """Seconds of a ``Retry-After`` header, given as seconds or as an HTTP date; None when it says nothing."""
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text):
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at - (time.time() if now is None else now))


def quoted(provider: Provider, text: str) -> str:
    """A gateway's words for people: one line, without secrets, at most 200 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in provider.redacted(text)).split())
    return line if len(line) <= QUOTED else line[: QUOTED - 1] + "…"


def _error(
    provider: Provider, model: str, status: int, complaint: Complaint, headers: Mapping[str, str]
) -> ProviderError:
    host, said = provider.host, _said(provider, complaint)
    if status == 401:
        return _key(provider)
    if status == 402 or (status in (403, 429) and complaint.says(_NO_QUOTA)):
        return QuotaExceeded(f"The account's limit at {host} is used up{said}")
    if status == 403:
        return PermissionDenied(f"{host} does not allow {model} with this key{said}")
    if status in (404, 405):
        return _not_found(provider, model, complaint)
    if status == 408:
        return GatewayTimeout(f"{host} gave up waiting for the request (408).")
    if status == 429:
        return RateLimited(f"{host} is limiting how often it may be asked{said}")
    if status >= 500:
        return _failed(provider, status, complaint)
    if 300 <= status < 400:
        return _redirected(provider, headers.get("location", ""))
    if status < 300:
        return not_a_gateway(provider, f"status {status}")
    return _rejected(provider, model, status, complaint)


def _rejected(provider: Provider, model: str, status: int, complaint: Complaint) -> ProviderError:
    """A 4xx that is no matter of rights or rates: what is wrong with the request?"""
    said = _said(provider, complaint)
    if complaint.says(_CONTEXT):
        return ContextTooLong(f"The question with its context is too long for {model}{said}")
    if complaint.says(_NO_MODEL):
        return _no_model(provider, model)
    if complaint.says(_BAD_KEY):
        return _key(provider)
    if status == 413:
        return RequestRejected(f"The request is too large for {provider.host}{said}", ContextTooLong.default_hint)
    return RequestRejected(f"{provider.host} refused the request ({status}){said}")


def _key(provider: Provider) -> ProviderError:
    """Never with the gateway's words: they often repeat a part of the key."""
    owner = provider.name.upper() if provider.name in ("openai", "openrouter") else "JUPYTER_ASSISTANT"
    hint = f"Connect with a valid key, or set {owner}_API_KEY and start the server again."
    if provider.api_key:
        return KeyRejected(f"Key rejected by {provider.host}.", hint)
    return KeyRejected(f"{provider.host} wants an API key and none is set.", hint)


def _not_found(provider: Provider, model: str, complaint: Complaint) -> ProviderError:
    if complaint.says(_NO_MODEL):
        return _no_model(provider, model)
    return _no_endpoint(provider)


def _no_endpoint(provider: Provider) -> ProviderError:
    hint = "" if provider.versioned else _add_version(provider)
    return EndpointNotFound(f"{provider.host} has no chat completions at {provider.shown_url}.", hint)


def _add_version(provider: Provider) -> str:
    return f"Add /v1 to the base URL: {provider.shown_url}/v1"


def _no_model(provider: Provider, model: str) -> ProviderError:
    return ModelNotFound(
        f"{provider.host} does not know the model {model}.",
        "Choose a model it has, or check the name's spelling.",
    )


def _failed(provider: Provider, status: int, complaint: Complaint) -> ProviderError:
    if complaint.says(_CONTEXT):
        return ContextTooLong(f"The question with its context is too long{_said(provider, complaint)}")
    if status in (503, 529) or complaint.says(_OVERLOADED):
        hint = "Try again in a moment; the model may be loading or overloaded."
        return GatewayFailed(f"{provider.host} is not ready ({status}){_said(provider, complaint)}", hint)
    return GatewayFailed(f"{provider.host} failed ({status}){_said(provider, complaint)}")


def _redirected(provider: Provider, location: str) -> ProviderError:
    try:
        parts = urlsplit(location)
        where = f"{parts.scheme}://{parts.hostname}" if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        where = ""
    hint = f"If you trust {where}, use its address as the base URL." if where.isprintable() and where else ""
    return NotAGateway(f"{provider.host} redirects the request elsewhere, which is not followed.", hint)


def _said(provider: Provider, complaint: Complaint) -> str:
    """The end of a sentence: the gateway's words after a colon, or a full stop."""
    words = quoted(provider, complaint.message)
    return f": {words}" if words else "."


def _implied_status(complaint: Complaint) -> int:
    """The status that an error inside an answer would have had."""
    code = complaint.code.lower()
    if complaint.says(_NO_QUOTA) or complaint.says(_RATE):
        return 429
    if complaint.says(_CONTEXT) or "model_not_found" in code:
        return 400
    return next((status for word, status in _STATUS_WORDS.items() if word in code), 500)


def _codes(error: Mapping[str, Any]) -> str:
    return " ".join(str(error[name]) for name in ("code", "type", "status") if isinstance(error.get(name), str))


def _status(error: Mapping[str, Any]) -> int | None:
    found = (error.get(name) for name in ("code", "status"))
    return next((value for value in found if type(value) is int and 400 <= value < 600), None)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
