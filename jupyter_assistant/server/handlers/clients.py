"""``mcp/clients``: what an MCP client wants in its configuration to find this server."""

from __future__ import annotations

from urllib.parse import urlsplit

from jupyter_server.auth.decorator import authorized
from jupyter_server.auth.identity import IdentityProvider
from tornado import web

from ...errors import InvalidInput
from .base import OWN_PROVIDERS, RESOURCE, AssistantHandler

ORIGIN_CHARS = 512


class ClientsHandler(AssistantHandler):
    """``GET mcp/clients?origin=``: the known clients' configurations, as ``--print-config`` prints them."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """For the server as the browser at ``origin`` reaches it, and the rights that a client has."""
        from ..clients import offered  # not at the server's start

        own = f"{self.request.protocol}://{self.request.host}"
        server = f"{checked(self.get_query_argument('origin', own))}{self.base_url}assistant/mcp"
        self.reply(
            {"tools": self.services.settings.traits.mcp_tools, **offered(server, remark(self.identity_provider))}
        )


def remark(provider: IdentityProvider) -> str:
    """What there is to say of the token where it is not simply the server's own."""
    from ..clients import NO_LOGIN, NO_TOKEN, OTHER_TOKEN

    if type(provider) not in OWN_PROVIDERS:
        return OTHER_TOKEN
    if provider.token:
        return ""
    return NO_TOKEN if provider.auth_enabled else NO_LOGIN


def checked(origin: str) -> str:
    """The origin of a web page: scheme, host and port. Raises InvalidInput for anything else."""
    try:
        parts = urlsplit(origin)
        good = len(origin) <= ORIGIN_CHARS and parts.hostname is not None and parts.port != 0
    except ValueError:
        good = False
    if not (good and parts.scheme in ("http", "https") and origin == f"{parts.scheme}://{parts.netloc}"):
        raise InvalidInput("origin", "must be the origin of a page, as http://localhost:8888")
    if "@" in parts.netloc or not origin.isascii() or not origin.isprintable() or set(origin) & set(" \"'`\\<>"):
        raise InvalidInput("origin", "must be a scheme, a host and a port, and nothing else")
    return origin
