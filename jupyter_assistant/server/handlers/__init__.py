"""The routes under ``{base_url}assistant/`` (DESIGN §4): Jupyter's authentication, JSON in, JSON or events out.

The law: each method is authenticated and authorised with explicit arguments (a decorator without them freezes the
first call's), a GET has no side effect, and handlers translate: they decide nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import AssistantHandler, Services
from .chat import ChatHandler, ChatStopHandler, ChatStreamHandler, PreviewHandler, RunStreamHandler
from .clients import ClientsHandler
from .conversations import ConversationHandler, ConversationsHandler, ExportHandler
from .health import HealthHandler, OffHandler, UnknownHandler
from .mcp import McpHandler
from .models import ModelsHandler, ModelsRefreshHandler, ModelsTestHandler, SettingsHandler
from .pulse import PulseHandler
from .search import SearchHandler
from .tab import TabHandler

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

    from ...errors import Misconfigured
    from ...messages import Json

__all__ = ["ROUTES", "SOCKETS", "AssistantHandler", "Services", "off", "routes"]

ROUTES: tuple[tuple[str, type[AssistantHandler]], ...] = (
    (r"chat/stream", ChatStreamHandler),
    (r"chat/([^/]+)/stream", RunStreamHandler),
    (r"chat/([^/]+)/stop", ChatStopHandler),
    (r"chat", ChatHandler),
    (r"preview", PreviewHandler),
    (r"conversations", ConversationsHandler),
    (r"conversations/([^/]+)", ConversationHandler),
    (r"conversations/([^/]+)/export", ExportHandler),
    (r"models", ModelsHandler),
    (r"models/refresh", ModelsRefreshHandler),
    (r"models/test", ModelsTestHandler),
    (r"settings", SettingsHandler),
    (r"search", SearchHandler),
    (r"health", HealthHandler),
    (r"health/stream", PulseHandler),
    (r"mcp/?", McpHandler),
    (r"mcp/clients", ClientsHandler),
    (r".*", UnknownHandler),
)
SOCKETS: tuple[tuple[str, type[TabHandler]], ...] = ((r"tab", TabHandler),)


def off(base: str, error: Misconfigured) -> list[tuple[str, type[OffHandler], Json]]:
    """What stands in place of the routes while the assistant is off."""
    return [(rf"{base}assistant/.*", OffHandler, {"error": error})]


def routes(base: str, services: Services) -> list[tuple[str, type[JupyterHandler], Json]]:
    """The routes as tornado takes them; ``base`` ends before ``assistant/`` and is put first literally."""
    return [
        (rf"{base}assistant/{pattern}", handler, {"services": services}) for pattern, handler in (*SOCKETS, *ROUTES)
    ]
