"""Secrets are taken out of text before any of it is cut, stored or sent.

The law: every pattern runs in time linear in the text (bounded repeats, or starts that cannot overlap), and what it
takes out is replaced by ``[redacted: <kind>]``. The replacement is never taken for a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

KNOWN_FLOOR = 8
"""Known values shorter than this many characters are not searched for: they would match ordinary words."""

_REMEMBERED = 4096
_REMEMBERED_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Shape:
    """A secret known by its form. ``markers``: one of them is in every match; ``group`` is the part taken out."""

    kind: str
    markers: tuple[str, ...]
    pattern: re.Pattern[str]
    group: int = 0


def _shape(kind: str, markers: str, pattern: str, group: int = 0) -> Shape:
    return Shape(kind, tuple(markers.split()), re.compile(pattern), group)


_PEM = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----))*-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\\n|[\s\"'+]){0,40}[A-Za-z0-9/=]{16,})*)"
)

SHAPES = (
    _shape("private key", "PRIVATE", _PEM),
    _shape("Anthropic key", "sk-ant-", r"(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{16,}"),
    _shape("API key", "sk-", r"(?<![A-Za-z0-9_-])sk-(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{20,}"),
    _shape("GitHub token", "github_pat_", r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{20,}"),
    _shape("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{20,}"),
    _shape("AWS key", "AKIA ASIA", r"(?<![A-Za-z0-9])A(?:KI|SI)A[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _shape("Slack token", "xox", r"(?<![A-Za-z0-9])xox[abceoprs]-[A-Za-z0-9-]{10,}"),
    _shape("Slack token", "xapp-", r"(?<![A-Za-z0-9])xapp-[A-Za-z0-9-]{10,}"),
    _shape("Slack webhook", "hooks.slack.com", r"hooks\.slack\.com/services/([A-Za-z0-9/]{16,})", 1),
    _shape("Hugging Face token", "hf_", r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{30,}"),
    _shape("Google key", "AIza", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}"),
    _shape("Google token", "ya29.", r"(?<![A-Za-z0-9])ya29\.[A-Za-z0-9_-]{20,}"),
    _shape("GitLab token", "glpat-", r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{16,}"),
    _shape("PyPI token", "pypi-AgE", r"(?<![A-Za-z0-9])pypi-AgE[A-Za-z0-9_-]{20,}"),
    _shape(
        "JWT", "eyJ", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?![A-Za-z0-9_-])"
    ),
    _shape("cookie", "2|1:0|", r"2\|1:0\|10:\d{10}\|\d{1,4}:[\w.-]{1,200}\|\d{1,5}:[\w+/=-]{0,4000}\|[0-9a-f]{40,64}"),
    _shape("XSRF token", "2|", r"(?<![0-9A-Za-z|])2\|[0-9a-f]{8}\|[0-9a-f]{32}\|\d{10}"),
    _shape("password", "://", r"(?<=://)[^\s/:@\"'<>{}\\]{0,200}:((?!\[redacted)(?!\$)[^\s/@\"'<>{}\\]{1,200})@", 1),
    _shape(
        "token",
        "token= key= signature= sig= secret= password=",
        r"[?&](?:access_|api_?|auth_)?(?:token|key|signature|sig|secret|password)=((?!\[redacted)[^&\s\"'<>#{}\\)]{8,})",
        1,
    ),
    _shape("token", "token=", r"(?<![A-Za-z0-9_])token=([0-9a-f]{32,})(?![0-9A-Za-z])", 1),
    _shape(
        "credentials",
        "Authorization authorization",
        r"[Aa]uthorization[\"']?\s{0,4}[:=,]\s{0,4}f?[\"']?(?:[Bb]earer|[Bb]asic|[Tt]oken)\s{1,4}([A-Za-z0-9._~+/=|-]{8,})",
        1,
    ),
    _shape("credentials", "Bearer ", r"(?<![A-Za-z])Bearer (?=[A-Za-z._-]{0,64}[0-9])([A-Za-z0-9._~+/=|-]{20,})", 1),
)

_NAME = (
    r"((?i:password|passwd|passphrase|api_?key|secret_?key|access_?key|auth_?token|access_?token)"
    r"|(?<![A-Za-z])(?i:pwd|secret|token|key|credentials?)|(?<=[a-z])(?:Pwd|Secret|Token|Key|Credentials?))"
    r"(?i:_?(?:id|value|string|str|b64|hash|[0-9]{1,2}))?(?![A-Za-z0-9_])"
)
_QUOTED = re.compile(
    _NAME + r"[\\\"'\])]{0,4}\s{0,8}(?::\s{0,4}str\s{0,4})?(:=|=>|==?|:|,)\s{0,8}\(?[rbfuRBFU]{0,2}"
    r"(?:\"((?!\[redacted)(?:[^\"\n\\]|\\.){4,4000})\"|'((?!\[redacted)(?:[^'\n\\]|\\.){4,4000})'"
    r"|\\\"((?!\[redacted)[^\"\n\\]{4,4000})\\\")"
)
_BARE = re.compile(
    r"(?m)^(?:export |set |env: |%env |%set_env |ENV |- )?(?=[A-Za-z])(?:[A-Za-z0-9]{1,40}[_.-]){0,8}"
    + _NAME
    + r"\s?([=:])\s?"
    r"((?!\[redacted)[^\s\"'()\[\]{}$<>,;]{8,4000})[ \t]*$"
)
_ASSIGNED_MARKERS = ("pass", "pwd", "secret", "token", "key", "credential")
_PASSWORDS = frozenset({"password", "passwd", "passphrase", "pwd"})
_ORDINARY_TOKENS = frozenset(
    {"pad", "eos", "bos", "unk", "sep", "cls", "mask", "start", "end", "stop", "special", "next"}
)
_SECRET_KEYS = frozenset(
    {"api", "secret", "access", "private", "auth", "encryption", "signing", "master", "account", "service", "license"}
)
_PREFIX = re.compile(r"([A-Za-z0-9]+)[_.-]?$")
_LONGEST_PREFIX = 32
_REFERENCE = re.compile(r"[A-Za-z_]+|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_SEGMENT = re.compile(r"[A-Za-z0-9+/]{16,}")


def _prefix_of(text: str, start: int) -> str:
    """The word that stands before the name at ``start`` in a joined name: ``db`` in ``DB_TOKEN``; else empty."""
    match = _PREFIX.search(text[max(0, start - _LONGEST_PREFIX) : start])
    return match[1].lower() if match else ""


def _mixed(text: str) -> bool:
    return any(char.isdigit() for char in text) and any(char.isalpha() for char in text)


def _generated(value: str) -> bool:
    """Has a long run of letters and digits, as keys made by a program have and names made by people do not."""
    return any(_mixed(segment) for segment in _SEGMENT.findall(value))


def _is_secret(name: str, prefix: str, value: str) -> bool:
    """Whether ``<prefix>_<name> = "<value>"`` holds a secret, and not the name of a column or of a special token."""
    bare = name.lower().replace("_", "")
    if bare in _PASSWORDS:
        return "{" not in value
    if any(char.isspace() or char in "{}<>" for char in value):
        return False
    if bare in ("secret", "credential", "credentials"):
        return len(value) >= 6
    if bare == "token" and not prefix and name == "token":
        return len(value) >= KNOWN_FLOOR and (_mixed(value) or len(value) >= 20)
    if bare == "token":
        return prefix not in _ORDINARY_TOKENS and len(value) >= KNOWN_FLOOR and value[0] != "["
    if bare != "key" or prefix in _SECRET_KEYS:
        return len(value) >= KNOWN_FLOOR
    return _generated(value)


def _holds_secret(match: re.Match[str]) -> bool:
    """Whether a match of ``_QUOTED`` or ``_BARE`` assigns a secret; a comma also parts columns in a list."""
    name, separator, value = match[1], match[2], match[match.lastindex or 3]
    if separator == "," and not (name.isupper() and _mixed(value)):
        return False
    if match.re is _BARE and (_REFERENCE.fullmatch(value) or not (name.isupper() or _generated(value))):
        return False
    return _is_secret(name, _prefix_of(match.string, match.start(1)), value)


class Redactor:
    """Takes secrets out of a text: those with a known form, those assigned to a telling name, and ``known`` values.

    ``known`` are exact values (the gateway's key, the server's token); those under ``KNOWN_FLOOR`` characters are
    ignored. Calling it gives the text and how many places were taken out.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        values = sorted({value for value in known if len(value) >= KNOWN_FLOOR}, key=lambda value: (-len(value), value))
        self._known = re.compile("|".join(map(re.escape, values))) if values else None

    def __call__(self, text: str) -> tuple[str, int]:
        found = 0
        if self._known is not None:
            text, found = self._known.subn("[redacted: secret]", text)
        text, count = _remembered(text) if len(text) <= _REMEMBERED_CHARS else _without_known_forms(text)
        return text, found + count


def _without_known_forms(text: str) -> tuple[str, int]:
    """``text`` without what looks like a secret, and how many there were; a pure function of the text."""
    found = 0
    for shape in SHAPES:
        if any(marker in text for marker in shape.markers):
            text, count = shape.pattern.subn(_replacing(shape.kind, shape.group), text)
            found += count
    text, count = _without_assigned(text)
    return text, found + count


_remembered = lru_cache(_REMEMBERED)(_without_known_forms)
"""The cells of a notebook are asked about again and again; at most some 16 MB of their texts are kept."""


def _replacing(kind: str, group: int) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        start, end = match.span(group)
        whole, offset = match[0], match.start()
        return f"{whole[: start - offset]}[redacted: {kind}]{whole[end - offset :]}"

    return replace


def _without_assigned(text: str) -> tuple[str, int]:
    """``text`` without the literal values of names such as ``DB_PASSWORD`` or ``api_key``, and how many there were."""
    lower = text.lower()
    if not any(marker in lower for marker in _ASSIGNED_MARKERS):
        return text, 0
    found = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal found
        if not _holds_secret(match):
            return match[0]
        found += 1
        kind = "password" if match[1].lower() in _PASSWORDS else "secret"
        return _replacing(kind, match.lastindex or 3)(match)

    return _BARE.sub(replace, _QUOTED.sub(replace, text)), found
