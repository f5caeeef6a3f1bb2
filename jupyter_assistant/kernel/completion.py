"""What may follow behind ``%ask``: options and their values, commands, models, the session's variables.

The law: completing asks no gateway; what a server knows is asked for once in a while, and a failure offers nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from ..errors import AssistantError
from .asking import session
from .options import COMMANDS, CONTEXTS, FLAGS, FORMATS, VALUES

FRESH = 30.0
"""Seconds for which a list of models is believed."""
_FIXED = {"--context": CONTEXTS, "--format": FORMATS, "-f": FORMATS, "--var": (), "--model": None, "use": None}
_ASKED = re.compile(r"\s*(?:[^\W\d]\w*\s*=\s*)?(%%?ask .*)")
_OPEN_NAME = re.compile(r"[{$]\w*$")
_KNOWN: list[tuple[float, list[str]]] = []


def asked(text: str) -> str | None:
    """The line up to the cursor where it is one of ``%ask`` or a cell's first line of ``%%ask``, else None."""
    found = _ASKED.match(text.rpartition("\n")[2])
    return found[1] if found else None


def complete(line: str, word: str, names: Mapping[str, Any]) -> list[str]:
    """The words that may stand where ``word`` is, the last of ``line`` up to the cursor."""
    if _OPEN_NAME.search(line):
        return _variables(word, names)
    before = line[: len(line) - len(word)].split()
    wanted = before[-1] if before else ""
    if wanted in _FIXED:
        choices = _FIXED[wanted]
        return _beginning(word, models() if choices is None else choices)
    if word.startswith("-"):
        return _beginning(word, (*FLAGS, *VALUES))
    return _beginning(word, COMMANDS) if len(before) == 1 and word else []


def models() -> list[str]:
    """The names of the models known now."""
    if not _KNOWN or _KNOWN[0][0] < time.monotonic() - FRESH:
        _KNOWN[:] = [(time.monotonic(), _asked())]
    return _KNOWN[0][1]


def _asked() -> list[str]:
    try:
        return [str(model["id"]) for model in session().models_known()["models"]]
    except AssistantError:
        return []


def _variables(word: str, names: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in names if name.startswith(word) and (word.startswith("_") or name[0] != "_"))


def _beginning(word: str, choices: Any) -> list[str]:
    return [choice for choice in choices if choice.startswith(word)]
