"""``search``: the cells of the workspace's notebooks that fit some words."""

from __future__ import annotations

from dataclasses import asdict

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...errors import InvalidInput
from .base import RESOURCE, AssistantHandler

QUERY_CHARS = 1_000
MOST = 100


class SearchHandler(AssistantHandler):
    """``GET search?q=&path=&limit=``: places, best first, in the form of the ``sources`` event."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Search below a folder or in a notebook; says whether the index had all of it."""
        query, path = self.get_query_argument("q", ""), self.get_query_argument("path", "")
        if not query.strip() or len(query) > QUERY_CHARS:
            raise InvalidInput("q", f"must be a text of 1 to {QUERY_CHARS} characters")
        from ...assistant.workspace import source  # not at the server's start

        found = await self.assistant.notebooks.search(query, path, self._limit(), meaning=False)  # no call on GET
        places = [
            asdict(source(place.path, place.cell_id, place.index, place.score, place.snippet)) for place in found.places
        ]
        self.reply({"sources": places, "complete": found.complete, "indexed": found.indexed, "total": found.total})

    def _limit(self) -> int:
        text = self.get_query_argument("limit", "10")
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST):
            raise InvalidInput("limit", f"must be a number from 1 to {MOST}")
        return int(text)
