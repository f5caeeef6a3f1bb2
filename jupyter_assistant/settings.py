"""Every knob of the server as a trait with help, and what the user may change of it; the only home of secrets.

The law: an administrator's trait is the default and, once named in ``locked``, the last word; a key leaves this
module only inside an ``Endpoint`` for the endpoint it was given for, and is never shown, logged or stored elsewhere.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import tempfile
import time
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_core.paths import jupyter_data_dir
from traitlets import Enum, Float, Int, List, TraitError, Unicode, default, validate
from traitlets.config import LoggingConfigurable

from .errors import InvalidInput, SettingsUnavailable

if TYPE_CHECKING:
    from .messages import Json

OPENAI_URL = "https://api.openai.com/v1"
OPENROUTER_URL = "https://openrouter.ai/api/v1"
PREFIX = "JUPYTER_ASSISTANT_"
KEY_VARIABLE = PREFIX + "API_KEY"
KERNEL_VARIABLE = PREFIX + "KERNEL_TOKEN"
"""Where kernels find what lets them in at this server's routes."""
EMBEDDINGS_KEY_VARIABLE = PREFIX + "EMBEDDINGS_API_KEY"
KEY_VARIABLES = {"api_key": KEY_VARIABLE, "embeddings_api_key": EMBEDDINGS_KEY_VARIABLE}
"""Secrets that the environment may hold; each is read once and taken out of it."""
KEY_OF = {"api_key": "base_url", "embeddings_api_key": "embeddings_base_url"}
"""The endpoint that each key was given for."""
MODEL_CHARS = 512
INSTRUCTIONS_CHARS = 20_000
_SECRET_NAME = re.compile(r"(?:^|_)(?:TOKEN|KEY|SECRET|PASSWORD|PASSWD)$")
_TRAITLETS = re.compile(r"^The (?:value of the )?'\w+' trait of a JupyterAssistant instance ")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint: where it is, its key (never printed), its default model."""

    name: str
    label: str
    base_url: str
    api_key: str = field(default="", repr=False)
    model: str | None = None


class JupyterAssistant(LoggingConfigurable):
    """What an administrator sets: ``c.JupyterAssistant.<name> = …`` or ``--JupyterAssistant.<name>=…``."""

    base_url = Unicode(
        help="Base URL of an OpenAI-compatible endpoint, as a rule ending in /v1. Default: $JUPYTER_ASSISTANT_BASE_URL."
    ).tag(config=True, user=True)
    api_key = Unicode(
        help="Key for base_url. No configuration file takes it, since Jupyter logs those: $JUPYTER_ASSISTANT_API_KEY "
        "is read once and taken out of the environment."
    ).tag(user=True, secret=True)
    model = Unicode(
        help="Model to use when a question names none, as provider/model or as the endpoint names it. "
        "Default: $JUPYTER_ASSISTANT_MODEL."
    ).tag(config=True, user=True)
    max_tokens = Int(
        0, min=0, help="Longest answer in tokens; 0 leaves it to the endpoint. Default: $JUPYTER_ASSISTANT_MAX_TOKENS."
    ).tag(config=True, user=True)
    context_tokens = Int(
        16_000, min=500, max=10_000_000, help="Budget of a question with all its context, in estimated tokens."
    ).tag(config=True, user=True)
    instructions = Unicode("", help="Your own instructions, added to the assistant's; at most 20 000 characters.").tag(
        config=True, user=True
    )
    no_think = List(
        Unicode(),
        help="Models (shell patterns, such as qwen3*) that are asked with /no_think to answer without reasoning.",
    ).tag(config=True, user=True)
    embeddings_base_url = Unicode(
        help="Base URL of an OpenAI-compatible endpoint for embeddings: the search over all notebooks then also finds "
        "what is near in meaning. Off while it or embeddings_model is empty. Once both are set, searching sends there, "
        "by and by, the source of every cell below the server's root and its heading, without outputs and known "
        "secrets. Default: $JUPYTER_ASSISTANT_EMBEDDINGS_BASE_URL."
    ).tag(config=True, user=True)
    embeddings_api_key = Unicode(
        help="Key for embeddings_base_url; api_key where both addresses are the same. No configuration file takes it: "
        "$JUPYTER_ASSISTANT_EMBEDDINGS_API_KEY is read once and taken out of the environment."
    ).tag(user=True, secret=True)
    embeddings_model = Unicode(
        help="Model for embeddings, as the endpoint names it. Default: $JUPYTER_ASSISTANT_EMBEDDINGS_MODEL."
    ).tag(config=True, user=True)
    locked = List(Unicode(), help="Names of settings that users may not change.").tag(config=True)
    data_dir = Unicode(help="Folder of the conversations and the user's settings; kept private (0700).").tag(
        config=True
    )
    connect_timeout = Float(10.0, min=0.1, help="Seconds until an endpoint that does not answer counts as down.").tag(
        config=True
    )
    idle_timeout = Float(60.0, min=0.1, help="Seconds of silence after which an endpoint's answer is given up.").tag(
        config=True
    )
    heartbeat = Float(15.0, min=0.05, help="Seconds between the comments that keep a stream's connection open.").tag(
        config=True
    )
    flush_timeout = Float(30.0, min=0.05, help="Seconds after which a reader that does not read is dropped.").tag(
        config=True
    )
    max_body_bytes = Int(10_000_000, min=1_000, help="Largest request body, in bytes.").tag(config=True)
    max_conversations = Int(20, min=1, help="Unpinned conversations in the list; older ones are archived.").tag(
        config=True
    )
    max_messages = Int(50, min=0, help="Messages of a conversation that reach the model, newest first.").tag(
        config=True
    )
    mcp_tools = Enum(
        ("read", "write", "execute"),
        "execute",
        help="What MCP clients may do with the server's token, which is a shell anyway: read notebooks and kernels, "
        "also write notebooks, or also execute code.",
    ).tag(config=True)
    keep_runs = Float(600.0, min=0.0, help="Seconds a finished run stays in memory; afterwards the store has it.").tag(
        config=True
    )

    @default("data_dir")
    def _default_data_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "jupyter_assistant")

    @validate("data_dir")
    def _valid_data_dir(self, proposal: Mapping[str, Any]) -> str:
        folder = Path(str(proposal["value"])).expanduser()
        if not folder.is_absolute():
            raise TraitError("data_dir must be an absolute path: the working folder is where the notebooks are.")
        return str(folder)

    @validate("base_url", "embeddings_base_url")
    def _valid_base_url(self, proposal: Mapping[str, Any]) -> str:
        url = str(proposal["value"]).strip().rstrip("/")
        problem = url_problem(url) if url else None
        if problem:
            raise TraitError(f"{proposal['trait'].name} {problem}, as in http://localhost:11434/v1.")
        return url

    @validate("model", "embeddings_model")
    def _valid_model(self, proposal: Mapping[str, Any]) -> str:
        name = str(proposal["value"]).strip()
        if len(name) > MODEL_CHARS or not name.isprintable():
            raise TraitError(f"{proposal['trait'].name} must be at most {MODEL_CHARS} printable characters.")
        return name

    @validate("instructions")
    def _valid_instructions(self, proposal: Mapping[str, Any]) -> str:
        text = str(proposal["value"])
        if len(text) > INSTRUCTIONS_CHARS:
            raise TraitError(f"instructions must have at most {INSTRUCTIONS_CHARS} characters, not {len(text)}.")
        return text

    @validate("locked")
    def _valid_locked(self, proposal: Mapping[str, Any]) -> list[str]:
        unknown = sorted(set(proposal["value"]) - set(USER_SETTINGS))
        if unknown:
            raise TraitError(f"locked names {', '.join(unknown)}; it may name {', '.join(USER_SETTINGS)}.")
        return list(proposal["value"])


USER_SETTINGS: tuple[str, ...] = tuple(JupyterAssistant.class_traits(user=True))
SECRETS: frozenset[str] = frozenset(JupyterAssistant.class_traits(secret=True))


def url_problem(url: str) -> str | None:
    """What is wrong with a base URL, as the end of a sentence, or None."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises when it is no number)
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "must begin with http:// or https:// and name a host"
    if parts.username or parts.password:
        return "must not hold a user name or a password; give the key apart"
    if parts.query or parts.fragment or any(c.isspace() or not c.isprintable() for c in url):
        return "must be a plain address without ?, # or spaces"
    return None


class Settings:
    """The administrator's traits, the environment and the user's own choices as one; secrets stay inside.

    ``environ`` is read once, at construction; the keys of ``KEY_VARIABLES`` are taken out of it. ``known`` are secrets
    from elsewhere that must never be sent.
    """

    def __init__(
        self,
        traits: JupyterAssistant,
        environ: MutableMapping[str, str] | None = None,
        *,
        known: Iterable[str] = (),
    ) -> None:
        environ = os.environ if environ is None else environ
        self._known = (*known, *(value for name, value in environ.items() if _SECRET_NAME.search(name.upper())))
        configured = traits.config.get("JupyterAssistant", {})
        for name, variable in KEY_VARIABLES.items():
            if name in configured:
                raise TraitError(
                    f"{name} must not stand in a configuration, which Jupyter logs: set it as ${variable}."
                )
        self.traits = traits
        self._configured = frozenset(configured)
        self.data_dir = Path(traits.data_dir)
        self._environment = _environment(environ)
        for name, value in self._environment.items():
            if name in USER_SETTINGS and name not in configured:
                _set(traits, name, value)
        self._user: Json = {}

    def load(self) -> None:
        """Read the user's choices; a damaged file is set aside, never overwritten, and SettingsUnavailable says so."""
        problems = [problem for file in (self._file, self._key_file) if (problem := self._load(file))]
        if problems:
            raise SettingsUnavailable(" ".join(problems))

    def _load(self, file: Path) -> str | None:
        try:
            self._user.update(_checked(self.traits, _read(file)))
        except OSError as error:
            return f"{file.name} cannot be read: {_plain(error)}."
        except (ValueError, RecursionError, InvalidInput):
            return _set_aside(file)
        return None

    def value(self, name: str) -> Any:
        """The setting in force: the user's choice unless locked, else the administrator's."""
        if name in self._user and name not in self.traits.locked:
            return self._user[name]
        return getattr(self.traits, name)

    def shown(self) -> Json:
        """``GET settings``: values, where each comes from, locks and help; of a secret only whether there is one.

        A source is ``user``, ``administrator`` (a configuration), ``environment`` or ``default``.
        """
        values = {name: bool(self._key(name)) if name in SECRETS else self.value(name) for name in USER_SETTINGS}
        helps = {name: str(JupyterAssistant.class_traits()[name].help) for name in USER_SETTINGS}
        sources = {name: self._source(name) for name in USER_SETTINGS}
        return {"settings": values, "sources": sources, "locked": list(self.traits.locked), "help": helps}

    def _source(self, name: str) -> str:
        """Where the value in force comes from."""
        if name in self._user and name not in self.traits.locked:
            return "user"
        if name in SECRETS and not self._key(name):
            return "default"
        if name in self._configured:
            return "administrator"
        return "environment" if name in self._environment else "default"

    def change(self, changes: Mapping[str, Any]) -> None:
        """Check every change, then keep all of them; None goes back to the administrator's value.

        Raises InvalidInput naming the field, SettingsUnavailable when the file cannot be written.
        """
        kept = self.checked(changes)
        user = {**{k: v for k, v in self._user.items() if k not in changes}, **kept}
        for key, url in KEY_OF.items():
            if url in changes and key not in changes:
                user.pop(key, None)  # a key belongs to the endpoint it was given for
        self._write(user)
        self._user = user

    def checked(self, changes: Mapping[str, Any]) -> Json:
        """The changes as they would be kept; keeps nothing. Raises InvalidInput naming the first that may not be."""
        for name in changes:
            if name not in USER_SETTINGS:
                raise InvalidInput(name, "there is no such setting", f"Settings are: {', '.join(USER_SETTINGS)}.")
            if name in self.traits.locked:
                raise InvalidInput(name, "is locked by the administrator", "Ask the administrator to change it.")
        return _checked(self.traits, {k: v for k, v in changes.items() if v is not None})

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The configured endpoints, the default one first (order: DESIGN §9)."""
        found = []
        url, key = self.value("base_url"), self._key("api_key")
        if url or key:
            found.append(Endpoint("gateway", _host(url or OPENAI_URL), url or OPENAI_URL, key))
        if openai := self._environment.get("openai_key"):
            found.append(Endpoint("openai", "OpenAI", self._environment.get("openai_url") or OPENAI_URL, openai))
        if openrouter := self._environment.get("openrouter_key"):
            found.append(Endpoint("openrouter", "OpenRouter", OPENROUTER_URL, openrouter))
        return tuple(found)

    def embeddings(self) -> Endpoint | None:
        """The endpoint for embeddings, its model the one to ask; None unless both are set."""
        url, model = self.value("embeddings_base_url"), self.value("embeddings_model")
        if not url or not model:
            return None
        key = self._key("embeddings_api_key")
        if not key and url == self.value("base_url"):
            key = self._key("api_key")
        return Endpoint("embeddings", _host(url), url, key, model)

    def secrets(self) -> tuple[str, ...]:
        """Every secret value known here, for redaction."""
        keys = (value for name in SECRETS for value in (self._key(name), getattr(self.traits, name)))
        held = (*(endpoint.api_key for endpoint in self.endpoints()), *keys, *self._known)
        return tuple({secret for secret in held if secret})

    def thinks(self, model: str) -> bool:
        """Whether a model (as the endpoint names it) may reason, by the ``no_think`` patterns."""
        return not any(fnmatch.fnmatchcase(model.lower(), pattern.lower()) for pattern in self.value("no_think"))

    def _key(self, name: str) -> str:
        """A key; the administrator's goes only to the administrator's endpoint."""
        if name in self._user and name not in self.traits.locked:
            return str(self._user[name])
        own_endpoint = self.value(KEY_OF[name]) != getattr(self.traits, KEY_OF[name])
        return "" if own_endpoint else str(getattr(self.traits, name))

    @property
    def _file(self) -> Path:
        return self.data_dir / "settings.json"

    @property
    def _key_file(self) -> Path:
        return self.data_dir / "keys.json"

    def _write(self, user: Json) -> None:
        try:
            _write(self._file, {name: value for name, value in user.items() if name not in SECRETS})
            _write(self._key_file, {name: value for name, value in user.items() if name in SECRETS})
        except OSError as error:
            raise SettingsUnavailable(f"The settings cannot be saved: {_plain(error)}.") from error


def _environment(environ: MutableMapping[str, str]) -> Json:
    """What the environment says; empty variables count as unset."""
    names = {
        "base_url": PREFIX + "BASE_URL",
        "model": PREFIX + "MODEL",
        "openai_key": "OPENAI_API_KEY",
        "openai_url": "OPENAI_BASE_URL",
        "openrouter_key": "OPENROUTER_API_KEY",
        "embeddings_base_url": PREFIX + "EMBEDDINGS_BASE_URL",
        "embeddings_model": PREFIX + "EMBEDDINGS_MODEL",
    }
    found: Json = {name: value for name, variable in names.items() if (value := environ.get(variable, "").strip())}
    for name, variable in KEY_VARIABLES.items():
        if key := environ.pop(variable, "").strip():
            found[name] = key
    if limit := environ.get(PREFIX + "MAX_TOKENS", "").strip():
        found["max_tokens"] = _whole(limit)
    return found


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise TraitError(f"{PREFIX}MAX_TOKENS must be a whole number of tokens, not {text[:40]!r}.")
    return int(text)


def _set(traits: JupyterAssistant, name: str, value: Any) -> None:
    try:
        setattr(traits, name, value)
    except TraitError as error:
        raise TraitError(f"{PREFIX}{name.upper()} is wrong: {error}") from error


def _checked(traits: JupyterAssistant, values: Mapping[str, Any]) -> Json:
    """The values as their traits accept them; InvalidInput names the first that is wrong."""
    scratch = JupyterAssistant(data_dir=traits.data_dir)
    checked: Json = {}
    for name, value in values.items():
        if name not in USER_SETTINGS:
            continue
        if isinstance(value, bool):
            raise InvalidInput(name, "must not be true or false")
        if isinstance(getattr(traits, name), list) != isinstance(value, list):  # traitlets would wrap a string
            raise InvalidInput(name, "must be a list" if not isinstance(value, list) else "must not be a list")
        try:
            setattr(scratch, name, value)
        except TraitError as error:
            said = _TRAITLETS.sub("", str(error)).removeprefix(f"{name} ")
            raise InvalidInput(name, "must be a key" if name in SECRETS else said) from None
        checked[name] = getattr(scratch, name)
    return checked


def _set_aside(file: Path) -> str:
    """Keep a damaged file under another name; what to tell the user."""
    aside = file.with_name(f"{file.name}.corrupt-{int(time.time())}")
    try:
        file.rename(aside)
    except OSError as error:
        return f"{file.name} is damaged and cannot be set aside: {_plain(error)}. Its settings are at their defaults."
    return f"{file.name} was damaged and is set aside as {aside.name}; its settings are back at their defaults."


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _plain(error: OSError) -> str:
    """An error without its path."""
    return error.strerror or "the file system refused"


def _read(path: Path) -> Json:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _write(path: Path, values: Json) -> None:
    """Replace the file in one step, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
