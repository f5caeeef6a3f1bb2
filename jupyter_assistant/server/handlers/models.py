"""Models and settings: what is known, what is asked when the user says so, and what he may change."""

from __future__ import annotations

import asyncio

from jupyter_server.auth.decorator import authorized
from tornado import web

from .. import fields
from .base import RESOURCE, AssistantHandler


class ModelsHandler(AssistantHandler):
    """``GET models``: what is known so far; asks nobody."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Providers and models."""
        self.reply(self.assistant.models.listing())


class ModelsRefreshHandler(AssistantHandler):
    """``POST models/refresh``: ask the endpoints, look for local servers."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self) -> None:
        """Ask them all at once."""
        fields.Fields(self.body()).end()
        self.reply(await self.assistant.models.refresh())


class ModelsTestHandler(AssistantHandler):
    """``POST models/test``: one real call, with its latency."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self) -> None:
        """Call the named model, or the default one; with a ``base_url``, at that endpoint, which need not be saved.

        A key that is saved never goes to it: it gets the one given here, or none.
        """
        body = fields.Fields(self.body())
        model = body.printable("model", fields.NAME_CHARS)
        endpoint = fields.endpoint(body)
        body.end()
        models, settings = self.assistant.models, self.services.settings
        if endpoint:
            self.reply(await models.test_endpoint(**settings.checked(endpoint), model=model))
        else:
            self.reply(await models.test(model or settings.value("model") or None))


class SettingsHandler(AssistantHandler):
    """``settings``: what the user may change; never a secret's value."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Values, locks, help."""
        self.reply(self.services.settings.shown())

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def patch(self) -> None:
        """Check every change, keep all or none."""
        changes = self.body()
        await asyncio.get_running_loop().run_in_executor(None, self.services.settings.change, changes)
        self.built.reconfigure()
        self.reply(self.services.settings.shown())
