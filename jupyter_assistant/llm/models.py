"""The models at hand: names to models, what the gateways list, how the last calls went.

The law: nothing is asked of any network but by a user's act (``resolve``, ``refresh``, ``test``); ``listing`` only
says what is known. A model's name reaches its endpoint verbatim.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from ..errors import AssistantError, EndpointNotFound, KeyRejected, ModelNotFound, NoModel, ProviderError
from ..messages import Json, Message, Reasoning, Token
from .client import Client
from .faults import not_a_gateway, refused
from .model import GatewayModel, Model
from .openai import Listed, listed
from .provider import LOCAL_SERVERS, OFFLINE, Options, Provider

OFFLINE_ID = "offline/responder"
OFFLINE_LABEL = "Built-in responder (no model)"
_RESPONDER_TOKENS = 500_000

_LIST_SECONDS = 10.0
_LOOK_SECONDS = 2.0
_TEST_TOKENS = 64
_NAMED = 5
_SHOWN = 200


class Models:
    """Every model that can be asked: the providers', those of servers on this machine, and the built-in responder.

    ``options`` gives the options for a model by its full name. ``last_seen`` is how the last call to a gateway went:
    ``{"provider", "ok", "at": epoch seconds, "code"?}``.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        client: Client,
        *,
        default_model: str | None = None,
        options: Callable[[str], Options],
        local: Sequence[Provider] = LOCAL_SERVERS,
    ) -> None:
        self.last_seen: Json | None = None
        self._client = client
        self._options = options
        self._local = tuple(local)
        self._listed: dict[str, tuple[Listed, ...]] = {}
        self._errors: dict[str, AssistantError] = {}
        self._refusals: dict[str, frozenset[str]] = {}
        self._providers: tuple[Provider, ...] = ()
        self._default: str | None = None
        self.configure(providers, default_model)

    def configure(self, providers: Sequence[Provider], default_model: str | None) -> None:
        """Take new providers, the default one first; what was learnt of those that changed is forgotten."""
        kept = {provider.name: provider for provider in self._providers}
        self._providers = tuple(providers)
        self._default = (default_model or "").strip() or None
        for name in {provider.name for provider in providers if kept.get(provider.name) != provider} | (
            kept.keys() - {provider.name for provider in providers}
        ):
            self._forget(name)

    async def resolve(self, name: str | None) -> Model:
        """The model of a name, the default one for None.

        With no name and none chosen, the provider is asked for its models and its only one is taken. Raises NoModel,
        or what went wrong while asking.
        """
        provider, model = self._placed(name)
        if provider is None:
            return _responder()
        return self._model(provider, model or await self._only(provider))

    def listing(self) -> Json:
        """Providers and models known so far (DESIGN §4, ``GET models``); no I/O."""
        shown = [*self._providers, *self._found()]
        models = [entry for provider in shown for entry in self._entries(provider)]
        return {
            "default": self._default_id(),
            "providers": [*(self._shown(provider) for provider in shown), _OFFLINE_PROVIDER],
            "models": [*models, _OFFLINE_MODEL],
        }

    async def refresh(self) -> Json:
        """Ask every provider, and the usual ports of this machine, for their models; then the listing."""
        local = (self._ask(provider, _LOOK_SECONDS) for provider in self._unconfigured())
        await asyncio.gather(*(self._ask(provider, _LIST_SECONDS) for provider in self._providers), *local)
        return self.listing()

    async def test(self, name: str | None) -> Json:
        """One small real call: how long its first token and all of it took, or what went wrong."""
        started = time.monotonic()
        try:
            model = await self._brief(name)
            first, text = await _tried(model, started)
        except AssistantError as error:
            return {"ok": False, "model": name or self._default_id(), "error": _said(error)}
        return _went_well(model.name, started, first, text)

    async def test_endpoint(self, base_url: str, api_key: str = "", model: str | None = None) -> Json:
        """One small real call to an endpoint that is not configured; nothing of it is kept.

        Without a model the endpoint is asked for its list: its only one is tried, of several the names are given in
        ``models``. Where the address leads nowhere and the same with ``/v1`` works, ``suggestion`` has that one.
        """
        provider = Provider(_TRIED, base_url, base_url, api_key)
        found = await self._trial(provider, model)
        if found["ok"] or found["error"]["code"] != EndpointNotFound.code or provider.versioned:
            return found
        mended = f"{base_url}/v1"
        again = await self._trial(replace(provider, base_url=mended), model)
        works = again["ok"] or again["error"]["code"] == NoModel.code
        return {**found, "suggestion": {"base_url": mended}} if works else found

    async def _trial(self, provider: Provider, model: str | None) -> Json:
        """One call to a provider that is none of ours."""
        started = time.monotonic()
        names: list[str] = []
        try:
            if model is None:
                names = [entry.id for entry in await self._models_of(provider, _LIST_SECONDS)]
                model = _one(names)
            options = self._options(f"{provider.name}/{model}")
            brief = replace(options, max_tokens=min(_TEST_TOKENS, options.max_tokens or _TEST_TOKENS))
            tried = GatewayModel(provider, model, self._client, brief, {}, lambda error: None)
            first, text = await _tried(tried, started)
        except AssistantError as error:
            said = _said(error) | _form_hint(error)
            return {"ok": False, "model": model, "error": said, **({"models": names} if names else {})}
        return _went_well(tried.name, started, first, provider.redacted(text))

    def expected(self, name: str | None) -> str:
        """The full name of the model that ``resolve`` would give, without asking; empty where only asking can tell."""
        provider, model = self._expected(name)
        return f"{provider.name}/{model}" if provider and model else model or ""

    def context_tokens(self, name: str | None) -> int | None:
        """The whole context window of a model in tokens, where its provider's list has said."""
        provider, model = self._expected(name)
        known = self._listed.get(provider.name, ()) if provider else ()
        return next((entry.context_tokens for entry in known if entry.id == model), None)

    def budget(self, name: str | None, most: int) -> int:
        """Tokens for a question with its context: ``most``, and of a known context window at most three quarters.

        The built-in responder, which reads here and costs nothing, may be given whole notebooks.
        """
        if self._expected(name) == (None, OFFLINE_ID):
            return _RESPONDER_TOKENS
        window = self.context_tokens(name)
        return min(most, window * 3 // 4) if window else most

    async def close(self) -> None:
        """Close the connections to all gateways."""
        await self._client.close()

    def _placed(self, name: str | None) -> tuple[Provider | None, str | None]:
        """Whose model a name is, and its name there: no provider means the built-in responder, no model none chosen."""
        wanted = name or self._default
        if wanted is None:
            return (self._providers[0], self._providers[0].model) if self._providers else (None, None)
        if wanted == OFFLINE_ID:
            return None, None
        prefix, slash, rest = wanted.partition("/")
        if slash and prefix == OFFLINE:
            raise NoModel(f"There is no model {wanted}.", f"The built-in responder is {OFFLINE_ID}.")
        if slash and (provider := self._known().get(prefix)):
            return provider, rest or provider.model
        if not self._providers:
            hint = "Connect a model, or set JUPYTER_ASSISTANT_BASE_URL and start the server again."
            raise NoModel(f"No endpoint is configured that could have the model {wanted}.", hint)
        return self._providers[0], wanted

    def _known(self) -> dict[str, Provider]:
        """Providers by name; a configured one hides a local server's of the same name."""
        return {provider.name: provider for provider in (*self._local, *self._providers)}

    def _unconfigured(self) -> list[Provider]:
        """Local servers that are no configured provider by another name."""
        hosts = {_loopback(provider) for provider in self._providers}
        known = self._known()
        return [local for local in self._local if known[local.name] is local and _loopback(local) not in hosts]

    def _found(self) -> list[Provider]:
        return [local for local in self._unconfigured() if local.name in self._listed]

    async def _brief(self, name: str | None) -> Model:
        """The model of a name, for an answer of a few tokens."""
        provider, model = self._placed(name)
        if provider is None:
            return _responder()
        return self._model(provider, model or await self._only(provider), most=_TEST_TOKENS)

    def _model(self, provider: Provider, model: str, most: int | None = None) -> Model:
        options = self._options(f"{provider.name}/{model}")
        if most is not None:
            options = replace(options, max_tokens=min(most, options.max_tokens or most))
        return GatewayModel(provider, model, self._client, options, self._refusals, self._seen_by(provider))

    def _seen_by(self, provider: Provider) -> Callable[[ProviderError | None], None]:
        def seen(error: ProviderError | None) -> None:
            self.last_seen = {"provider": provider.name, "ok": error is None, "at": time.time()}
            if error is not None:
                self.last_seen["code"] = error.code

        return seen

    async def _only(self, provider: Provider) -> str:
        """The one model of a provider for which none is chosen. Raises NoModel naming a few when there are more."""
        if provider.name not in self._listed:
            await self._ask(provider, _LIST_SECONDS)
        models = self._listed.get(provider.name)
        if models is None:
            raise self._errors[provider.name]
        if len(models) == 1:
            return models[0].id
        if not models:
            raise NoModel(f"{provider.label} has no model yet.", "Load one there, then look for models again.")
        named = ", ".join(model.id for model in models[:_NAMED])
        more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
        raise NoModel(f"No model is chosen. {provider.label} has {named}{more}.")

    async def _ask(self, provider: Provider, seconds: float) -> None:
        """Learn a provider's models, or why that cannot be."""
        try:
            found = await self._models_of(provider, seconds)
        except ProviderError as error:
            self._errors[provider.name] = error
            if provider in self._local:
                self._listed.pop(provider.name, None)
            return
        if self._known().get(provider.name) == provider:  # it may have been configured anew meanwhile
            self._listed[provider.name] = found
            self._errors.pop(provider.name, None)

    async def _models_of(self, provider: Provider, seconds: float) -> tuple[Listed, ...]:
        reply = await self._client.get(provider, "models", seconds)
        if reply.status in (404, 405):
            hint = "" if provider.versioned else f"Add /v1 to the base URL: {provider.shown_url}/v1"
            raise EndpointNotFound(f"{provider.host} has no list of models at {provider.shown_url}.", hint)
        if reply.status != 200:
            raise refused(provider, "the list of models", reply)
        found = listed(reply.body)
        if found is None:
            raise not_a_gateway(provider, reply.headers.get("content-type", "").partition(";")[0])
        return found

    def _forget(self, name: str) -> None:
        self._listed.pop(name, None)
        self._errors.pop(name, None)
        for model in [model for model in self._refusals if model.startswith(f"{name}/")]:
            del self._refusals[model]
        if self.last_seen and self.last_seen["provider"] == name:
            self.last_seen = None

    def _expected(self, name: str | None) -> tuple[Provider | None, str | None]:
        """What ``resolve`` would give as far as is known now, without asking and without complaint."""
        try:
            provider, model = self._placed(name)
        except NoModel:
            return None, None
        if provider is None:
            return None, OFFLINE_ID
        known = self._listed.get(provider.name, ())
        return provider, model or (known[0].id if len(known) == 1 else None)

    def _default_id(self) -> str | None:
        return self.expected(None) or None

    def _shown(self, provider: Provider) -> Json:
        error = self._errors.get(provider.name)
        state = "error" if error else "ok" if provider.name in self._listed else "unknown"
        return {
            "name": provider.name,
            "label": provider.label,
            "base_url": provider.shown_url,
            "key": bool(provider.api_key),
            "local": provider in self._local,
            "state": state,
            **({"error": _said(error)} if error else {}),
        }

    def _entries(self, provider: Provider) -> list[Json]:
        """A provider's models; its own choice and the default one also when no list has them."""
        known = self._listed.get(provider.name, ())
        default, model = self._expected(None)
        chosen = dict.fromkeys(filter(None, (provider.model, model if default == provider else None)))
        unlisted = [name for name in chosen if all(name != model.id for model in known)]
        return [_entry(provider, model) for model in (*(Listed(name) for name in unlisted), *known)]


_OFFLINE_PROVIDER: Json = {
    "name": OFFLINE,
    "label": OFFLINE_LABEL,
    "base_url": "",
    "key": False,
    "local": True,
    "state": "ok",
}
_OFFLINE_MODEL: Json = {"id": OFFLINE_ID, "provider": OFFLINE, "name": OFFLINE_LABEL}
_TRIED = "gateway"
"""What an endpoint that is tried will be called once it is saved."""
_FORM_HINTS: tuple[tuple[type[AssistantError], str], ...] = (
    (KeyRejected, "Copy the whole key again, and check that it belongs to this address."),
    (ModelNotFound, "Check the name's spelling, or leave the model out to see what the endpoint has."),
    (NoModel, "Choose a model and test again."),
)
_TEST = (Message("user", "Reply with one word: ready"),)


def _responder() -> Model:
    """The built-in responder, loaded on first use: a server's start need not wait for it."""
    from .offline import Offline

    return Offline()


async def _tried(model: Model, started: float) -> tuple[float | None, str]:
    """Seconds until the first token (None when none came), and the beginning of the answer."""
    first: float | None = None
    text = ""
    async with aclosing(model.stream(_TEST)) as events:
        async for event in events:
            if isinstance(event, Token | Reasoning) and first is None:
                first = time.monotonic() - started
            if isinstance(event, Token):
                text = (text + event.text)[:_SHOWN]
    return first, text


def _went_well(name: str, started: float, first: float | None, text: str) -> Json:
    """The answer of a call that worked, with its times in seconds."""
    seconds = time.monotonic() - started
    return {
        "ok": True,
        "model": name,
        "first_token_s": round(seconds if first is None else first, 3),
        "seconds": round(seconds, 3),
        "text": text,
    }


def _one(names: Sequence[str]) -> str:
    """The only one. Raises NoModel when there are none or several."""
    if not names:
        raise NoModel("The endpoint has no model yet.")
    if len(names) > 1:
        raise NoModel(f"The endpoint has {len(names)} models.")
    return names[0]


def _form_hint(error: AssistantError) -> Json:
    """What to do next where the address, the key and the model stand in a form rather than in the environment."""
    hint = next((hint for kind, hint in _FORM_HINTS if isinstance(error, kind)), None)
    return {"hint": hint} if hint else {}


def _entry(provider: Provider, model: Listed) -> Json:
    entry: Json = {"id": f"{provider.name}/{model.id}", "provider": provider.name, "name": model.id}
    known = {
        "context_tokens": model.context_tokens,
        "images": model.images,
        "tools": model.tools,
        "reasoning": model.reasoning,
    }
    return entry | {key: value for key, value in known.items() if value is not None}


def _said(error: AssistantError) -> Json:
    return {"code": error.code, "text": error.text, "hint": error.hint}


def _loopback(provider: Provider) -> str:
    """The host and port, with one name for this machine."""
    host, _, port = provider.host.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("localhost", "[::1]") else provider.host
