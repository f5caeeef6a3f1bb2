"""Where models are to be had: an endpoint, its key, and how it is addressed; pure.

The law: a key, a password or a query of the base URL never shows in a repr or in text for people; ``host`` and
``shown_url`` are what may be said of an address.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from ..errors import EndpointNotFound, KeyRejected

OFFLINE = "offline"
"""Name of the provider of the built-in responder."""

_HIDDEN = "[hidden]"
_KEY_LIKE = re.compile(r"\b(?:sk|pk|gsk|xai|hf)[-_][\w*.\-]{12,}|\bAIza[\w\-]{12,}|(?i:\bbearer\s+)\S{8,}")


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenAI-compatible endpoint: ``model`` is its default one, as the endpoint names it."""

    name: str
    label: str
    base_url: str = field(repr=False)
    api_key: str = field(default="", repr=False)
    model: str | None = None

    @property
    def host(self) -> str:
        """Host, and port where one is given; all that is said of an address in a sentence."""
        parts = _split(self.base_url)
        return _authority(parts) if parts else self.label

    @property
    def shown_url(self) -> str:
        """The base URL without user name, password, query and fragment; empty when it is no address."""
        parts = _split(self.base_url)
        return urlunsplit((parts.scheme, _authority(parts), parts.path.rstrip("/"), "", "")) if parts else ""

    @property
    def versioned(self) -> bool:
        """Whether the base URL names a version of the API, as ``/v1`` does."""
        parts = _split(self.base_url)
        return parts is not None and re.search(r"/v\d", parts.path) is not None

    def url(self, path: str) -> str:
        """The address of an API path such as ``models``; a query stays, a user name and password do not.

        Raises EndpointNotFound when the base URL is no http(s) address.
        """
        parts = _split(self.base_url)
        if parts is None:
            raise EndpointNotFound(
                f"The base URL of {self.label} is not a web address.",
                "Write it with http:// or https://, as in http://localhost:11434/v1.",
            )
        base = parts.path.rstrip("/").removesuffix("/chat/completions")
        return urlunsplit((parts.scheme, _authority(parts), f"{base}/{path}", parts.query, ""))

    def headers(self) -> dict[str, str]:
        """What proves who asks: the key, else the base URL's user name and password.

        Raises KeyRejected for a key that no header can carry (a pasted line break, say).
        """
        if key := self.api_key.strip():
            if not key.isascii() or not key.isprintable() or " " in key:
                raise KeyRejected(
                    f"The API key for {self.host} has a character that no key has.",
                    "Copy the key again, without spaces, quotes or line breaks.",
                )
            return {"Authorization": f"Bearer {key}"}
        if user := _user(self.base_url):
            return {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}
        return {}

    def secrets(self) -> frozenset[str]:
        """Values that must be in no text: the key, a password, a query's values; short ones are no secret."""
        parts = _split(self.base_url)
        values = {self.api_key.strip(), _user(self.base_url), *self._credentials()}
        if parts:
            values |= {parts.password or "", unquote(parts.password or "")}
            values |= {value for _, value in parse_qsl(parts.query)}
        return frozenset(value for value in values if len(value) >= 8)

    def _credentials(self) -> set[str]:
        """The credentials as they travel, without the scheme's name; empty when no header can carry them."""
        try:
            return {value.partition(" ")[2] for value in self.headers().values()}
        except KeyRejected:
            return set()

    def redacted(self, text: str) -> str:
        """The text without this provider's secrets and without anything that looks like a key."""
        for secret in self.secrets():
            text = text.replace(secret, _HIDDEN)
        return _KEY_LIKE.sub(_HIDDEN, text)


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is asked: the longest answer in tokens; None leaves it to the endpoint."""

    max_tokens: int | None = None


LOCAL_SERVERS: tuple[Provider, ...] = (
    Provider("ollama", "Ollama", "http://127.0.0.1:11434/v1"),
    Provider("lmstudio", "LM Studio", "http://127.0.0.1:1234/v1"),
    Provider("llamacpp", "llama.cpp", "http://127.0.0.1:8080/v1"),
    Provider("vllm", "vLLM", "http://127.0.0.1:8000/v1"),
)
"""Servers on this machine by their usual ports; looked for only when the user asks."""


def _split(url: str) -> SplitResult | None:
    """The parts of an http(s) address with a host and a possible port, or None."""
    try:
        parts = urlsplit(url.strip())
        named = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if named else None


def _authority(parts: SplitResult) -> str:
    """``host`` or ``host:port``, without user name and password; IPv6 in brackets."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port}" if parts.port else host


def _user(url: str) -> str:
    """``name:password`` of an address, decoded; empty when it has none."""
    parts = _split(url)
    if parts is None or not (parts.username or parts.password):
        return ""
    return f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
