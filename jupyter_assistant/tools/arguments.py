"""A function's hints as a tool's schema, and a model's arguments checked against them.

The law: what a model sends is taken as it was meant or refused with the name of the field, what belongs there and
what came; nothing is guessed that could be wrong. pydantic is imported on first use, never with this module.

A hint is ``Annotated[type, "what it is for"]``, with a ``Range`` where a number has bounds.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from ..errors import ToolError
from ..messages import Json

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

Function = Callable[..., Awaitable[Any]]

MOST_PROBLEMS = 5
ECHO_CHARS = 60


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest value of a number, both allowed."""

    least: float | None = None
    most: float | None = None


class Arguments:
    """The parameters of ``function``, called ``tool`` in errors."""

    def __init__(self, tool: str, function: Function) -> None:
        self._tool = tool
        self._function = function

    @cached_property
    def schema(self) -> Json:
        """JSON Schema of the parameters, without what says nothing to a model."""
        whole = self._model.model_json_schema()
        return _compact(whole, whole.get("$defs", {}))

    def checked(self, given: object) -> Json:
        """The arguments to call the function with; raises ``ToolError`` naming each wrong one."""
        from pydantic import ValidationError

        if not isinstance(given, Mapping):
            raise self._refused([f"expected an object, got {echo(given)}"])
        if torn := [name for name, value in given.items() if not _is_unicode(value)]:
            raise self._refused([f"{name}: expected text that can be written as UTF-8" for name in torn])
        meant = {name: self._meant(name, value) for name, value in given.items() if self._is_given(name, value)}
        try:
            model = self._model.model_validate(meant)
        except ValidationError as error:
            raise self._refused(self._problems(error)) from None
        return {name: getattr(model, name) for name in type(model).model_fields}

    @cached_property
    def _model(self) -> type[BaseModel]:
        from pydantic import create_model

        hints = get_type_hints(self._function, include_extras=True)
        parameters = inspect.signature(self._function).parameters.values()
        fields: dict[str, Any] = {each.name: _field(hints[each.name], each.default) for each in parameters}
        config: Any = {"extra": "forbid", "allow_inf_nan": False}
        made: type[BaseModel] = create_model(self._tool, __config__=config, **fields)
        return made

    def _is_given(self, name: object, value: object) -> bool:
        """A null for what need not be sent is how some clients leave it out."""
        return value is not None or name not in self.schema["properties"] or name in self.schema.get("required", ())

    def _meant(self, name: str, value: object) -> object:
        """Lists and objects that came as JSON text (claude-code does that), and no truth value for a number."""
        kind = self.schema["properties"].get(name, {}).get("type")
        if isinstance(value, bool) and kind in ("integer", "number"):
            return str(value)
        if not isinstance(value, str) or kind not in ("array", "object"):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value

    def _problems(self, error: ValidationError) -> list[str]:
        return [self._problem(found) for found in error.errors(include_url=False, include_context=False)]

    def _problem(self, found: ErrorDetails) -> str:
        name = _place(found["loc"])
        schema = _schema_at(self.schema, found["loc"])
        if found["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            return f"{name[:ECHO_CHARS]}: there is no such parameter{self._closest(found['loc'])}"
        if found["type"] in ("missing", "missing_argument"):
            return f"{name}: missing, expected {expected(schema)}"
        return f"{name}: expected {expected(schema)}, got {echo(found['input'])}"

    def _closest(self, place: Sequence[int | str]) -> str:
        names = list(_schema_at(self.schema, place[:-1]).get("properties", {}))
        near = get_close_matches(str(place[-1])[:ECHO_CHARS], names, n=1)
        return f', did you mean "{near[0]}"?' if near else f" (there are: {', '.join(names) or 'none'})"

    def _refused(self, problems: list[str]) -> ToolError:
        more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
        lines = "\n".join(f"- {problem}" for problem in [*problems[:MOST_PROBLEMS], *more])
        return ToolError(f"Wrong arguments for {self._tool}; nothing was done.\n{lines}")


def _field(hint: Any, default: object) -> Any:
    """A hint of ours as pydantic's pair of type and ``Field``."""
    from pydantic import Field

    # Python 3.10 puts an Optional around what has None for its default.
    noted = next((each for each in (hint, *get_args(hint)) if hasattr(each, "__metadata__")), None)
    kind, *notes = get_args(noted) if noted is not None else (hint,)
    bounds = next((note for note in notes if isinstance(note, Range)), Range())
    text = next((note for note in notes if isinstance(note, str)), None)
    value: Any = ... if default is inspect.Parameter.empty else default
    return kind, Field(value, description=text, ge=bounds.least, le=bounds.most)


def _is_unicode(value: object) -> bool:
    """Whether all its text can be written: JSON lets half a surrogate pair pass."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    except (TypeError, ValueError, RecursionError):
        return True  # no JSON: refused, with its name, by the schema
    return True


# ---------------------------------------------------------------- the schema


def _compact(schema: Json, definitions: Mapping[str, Json]) -> Json:
    """One schema node without titles, references and the null of what need not be sent."""
    if "$ref" in schema:
        target = {**definitions[schema["$ref"].rpartition("/")[2]], "description": None}
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    if "anyOf" in schema:
        [chosen] = [each for each in schema["anyOf"] if each.get("type") != "null"]
        schema = {**chosen, **{key: value for key, value in schema.items() if key != "anyOf"}}
    return {
        key: _compact_value(key, value, definitions)
        for key, value in schema.items()
        if key not in ("title", "$defs") and not (key in ("default", "description") and value is None)
    }


def _compact_value(key: str, value: Any, definitions: Mapping[str, Json]) -> Any:
    if key == "properties":
        return {name: _compact(each, definitions) for name, each in value.items()}
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return _compact(value, definitions)
    return value


def _schema_at(schema: Json, place: Sequence[int | str]) -> Json:
    """The part of a schema that a place in the arguments has to fit; empty where there is none."""
    for step in place:
        inner = schema.get("items") if isinstance(step, int) else _property(schema, step)
        schema = inner if isinstance(inner, dict) else {}
    return schema


def _property(schema: Json, name: str) -> object:
    return schema.get("properties", {}).get(name, schema.get("additionalProperties"))


def _place(steps: Sequence[int | str]) -> str:
    """``cells[0].source``"""
    first, *others = steps
    return str(first) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in others)


# ---------------------------------------------------------------- words


def expected(schema: Json) -> str:
    """What a schema asks for, in words."""
    if "enum" in schema or "const" in schema:
        return f"one of {', '.join(map(json.dumps, schema.get('enum', [schema.get('const')])))}"
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _bounds(schema)
    if kind == "array":
        return f"a list, each item {expected(schema.get('items', {}))}"
    if kind == "object":
        return _object(schema)
    return {"string": "a string", "boolean": "true or false"}.get(str(kind), "a value")


def _bounds(schema: Json) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    return f" of at least {least:g}" if least is not None else f" of at most {most:g}" if most is not None else ""


def _object(schema: Json) -> str:
    names = ", ".join(schema.get("properties", {}))
    if names:
        return f"an object with {names}"
    return f"an object, each value {expected(schema.get('additionalProperties') or {})}"


def echo(value: object) -> str:
    """What came, short enough for an error."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= ECHO_CHARS else f"{text[:ECHO_CHARS]}…"
