"""How the parts are, and what stands at every other address."""

from __future__ import annotations

import json
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from ..._version import __version__
from ...errors import Misconfigured
from .base import RESOURCE, AssistantHandler, error_of, status_of


class HealthHandler(AssistantHandler):
    """``GET health``: how the parts are."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """State of each part; null where a part is not there. ``?kernel=`` adds where that kernel's notebook is."""
        assistant = self.assistant
        kernel = self.get_query_argument("kernel", "")
        self.reply(
            {
                "version": __version__,
                "gateway": assistant.models.last_seen,
                "store": assistant.conversations.state,
                "index": await assistant.notebooks.index_state(),
                "rtc": assistant.notebooks.rooms.name,
                "tabs": assistant.notebooks.tabs.state,
                "mcp": self.built.mcp.state,
                **({"notebook": await self._notebook_of(kernel)} if kernel else {}),
            }
        )

    async def _notebook_of(self, kernel: str) -> str | None:
        """The path a kernel's notebook has now; None where it has none."""
        manager: Any = self.session_manager
        sessions = await ensure_async(manager.list_sessions())
        notebooks = (one for one in sessions if one.get("type") == "notebook" and one.get("kernel"))
        return next((str(one["path"]) for one in notebooks if one["kernel"].get("id") == kernel), None)


class UnknownHandler(AssistantHandler):
    """Any other address below ``assistant/``: 404 in our form, behind the same authentication."""

    async def _let_in(self) -> None:
        """Authenticate, then 404."""
        await super()._let_in()
        raise web.HTTPError(404)


class OffHandler(APIHandler):
    """Every address while a wrong setting keeps the assistant off: says so, to those who may know."""

    def initialize(self, error: Misconfigured) -> None:
        """Take the sentence to say."""
        self.error = error

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self, *_: str) -> None:
        """Say what is wrong."""
        self.set_status(status_of(self.error))
        self.finish(json.dumps({"error": error_of(self.error)}))

    post = patch = delete = get
