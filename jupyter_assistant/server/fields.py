"""Requests into values: every field checked and named when it is wrong, unknown ones refused; pure.

The law: bad input is an ``InvalidInput`` that names the field as the client wrote it, never another error.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import InvalidInput

if TYPE_CHECKING:
    from ..messages import Json

PATH_CHARS = 4_096
NAME_CHARS = 512
KEY_CHARS = 4_096
MAX_CELLS = 100_000


def parse(body: bytes) -> Json:
    """A JSON object from a request's body; strict: UTF-8, no duplicate keys, no NaN or infinite numbers."""
    try:
        found = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise InvalidInput("body", "must be UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidInput("body", f"must be JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise InvalidInput("body", "is nested too deeply") from None
    except ValueError:
        raise InvalidInput("body", "holds a number that is too long") from None
    if not isinstance(found, dict):
        raise InvalidInput("body", "must be a JSON object")
    return found


class Fields:
    """The fields of one JSON object: each is taken once, what is left over is refused by ``end``."""

    def __init__(self, values: Any, name: str = "") -> None:
        if not isinstance(values, dict):
            raise InvalidInput(name or "body", "must be an object")
        self._values = dict(values)
        self._name = name

    def text(self, field: str, limit: int, *, least: int = 0) -> str | None:
        """A string of ``least`` to ``limit`` characters; None when it is absent or null."""
        value: object = self._values.pop(field, None)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(field, "must be a string")
        if not least <= len(value) <= limit:
            self.refuse(field, f"must have {least} to {_grouped(limit)} characters, not {_grouped(len(value))}")
        return value

    def required(self, field: str, limit: int) -> str:
        """A string that must be there and hold something."""
        value = self.text(field, limit)
        if value is None or not value.strip():
            self.refuse(field, "is required")
        return value

    def printable(self, field: str, limit: int) -> str | None:
        """A string of printable characters; None when it is absent."""
        value = self.text(field, limit, least=1)
        if value is not None and not value.isprintable():
            self.refuse(field, "must hold printable characters only")
        return value

    def absent(self, field: str) -> bool:
        """Whether a field is not there, or null."""
        return self._values.get(field) is None

    def flag(self, field: str) -> bool | None:
        """true or false; None when it is absent."""
        value = self._values.pop(field, None)
        if value is not None and not isinstance(value, bool):
            self.refuse(field, "must be true or false")
        return value

    def choice(self, field: str, choices: Iterable[str]) -> str | None:
        """One of the given strings; None when it is absent."""
        value: object = self._values.pop(field, None)
        if value is None:
            return None
        allowed = list(choices)
        if not isinstance(value, str) or value not in allowed:
            self.refuse(field, f"must be one of {', '.join(allowed)}")
        return value

    def items(self, field: str) -> list[Any] | None:
        """A list; None when it is absent."""
        value = self._values.pop(field, None)
        if value is not None and not isinstance(value, list):
            self.refuse(field, "must be a list")
        if value is not None and len(value) > MAX_CELLS:
            self.refuse(field, f"must have at most {MAX_CELLS} items")
        return value

    def object(self, field: str) -> Fields | None:
        """A nested object; None when it is absent."""
        value = self._values.pop(field, None)
        return None if value is None else Fields(value, self.named(field))

    def named(self, field: str) -> str:
        """The field's full name, as ``notebook.path``."""
        return f"{self._name}.{field}" if self._name else field

    def end(self) -> None:
        """Refuse what nobody took."""
        if self._values:
            field = str(next(iter(self._values)))
            self.refuse(field[:100], "is not a known field")

    def refuse(self, field: str, text: str) -> NoReturn:
        """Raise InvalidInput for a field."""
        raise InvalidInput(self.named(field), text)


def endpoint(fields: Fields) -> Json:
    """``base_url`` and, where given, ``api_key`` of an endpoint that is to be tried; empty when there is none."""
    key = fields.printable("api_key", KEY_CHARS)
    if key is None and fields.absent("base_url"):
        return {}
    url = fields.required("base_url", PATH_CHARS)
    return {"base_url": url, **({} if key is None else {"api_key": key})}


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise InvalidInput(twice[:100], "is given twice")
    return found


def _grouped(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}".replace(",", " ")


def _no_constant(name: str) -> NoReturn:
    raise InvalidInput("body", f"holds {name}, which is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidInput("body", "holds a number that is too large")
    return value
