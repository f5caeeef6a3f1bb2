"""History: the routes below ``conversations``."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...errors import InvalidInput
from .. import fields
from .base import RESOURCE, AssistantHandler


class ConversationsHandler(AssistantHandler):
    """``conversations``: the list, and a new one."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """The conversations, or with ``?archived=1`` the archived ones."""
        archived = self.get_query_argument("archived", "") in ("1", "true")
        self.reply(await self.assistant.conversations.list(self.owner, archived=archived))

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def post(self) -> None:
        """An empty conversation."""
        body = fields.Fields(self.body())
        title = body.text("title", fields.NAME_CHARS) or ""
        body.end()
        self.reply(await self.assistant.conversations.create(self.owner, title), 201)


class ConversationHandler(AssistantHandler):
    """``conversations/{id}``: one with its messages; renamed, pinned, deleted."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self, conversation_id: str) -> None:
        """The conversation and its messages."""
        self.reply(await self.assistant.conversation(self.owner, conversation_id))

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def patch(self, conversation_id: str) -> None:
        """Change title or pin."""
        body = fields.Fields(self.body())
        title, pinned = body.text("title", fields.NAME_CHARS, least=1), body.flag("pinned")
        body.end()
        conversations = self.assistant.conversations
        self.reply(await conversations.update(self.owner, conversation_id, title=title, pinned=pinned))

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def delete(self, conversation_id: str) -> None:
        """Delete for good."""
        await self.assistant.delete(self.owner, conversation_id)
        self.set_status(204)
        self.finish()


class ExportHandler(AssistantHandler):
    """``conversations/{id}/export``: the whole conversation as a file."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self, conversation_id: str) -> None:
        """Markdown or JSON, as an attachment."""
        form = self.get_query_argument("format", "md")
        if form not in ("md", "json"):
            raise InvalidInput("format", "must be md or json")
        name, text = await self.assistant.conversations.export(self.owner, conversation_id, form)
        kind = "application/json" if form == "json" else "text/markdown"
        self.set_attachment_header(name)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(text, set_content_type=f"{kind}; charset=utf-8")
