"""Who answers a panel that has no page of a Jupyter server around it: the kernel's own server, or nobody but us.

The law: found once, on the first request, and looked for again only when the server was lost.
"""

from __future__ import annotations

import threading

from ...errors import ServerUnreachable
from .alone import Alone
from .errands import Door

ABSENT = frozenset({301, 302, 303, 307, 308, 401, 403, 404})
"""What a server answers that does not have the assistant, or does not know this kernel."""


class Reach:
    """Finds who answers; called for each request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Door | None = None
        self._alone: Alone | None = None

    def __call__(self) -> Door:
        """The server, or what takes its place. Raises ServerUnreachable while a server is there and does not answer."""
        with self._lock:
            if self._found is None:
                self._found = self._server() or self._without()
            return self._found

    def close(self) -> None:
        """End what runs here; a server's runs go on."""
        if self._alone is not None:
            self._alone.close()

    def _server(self) -> Door | None:
        from ..client.stream import Talk
        from ..finding import server

        found = server()
        if found is None:
            return None
        talk = Talk(found)
        try:
            reply = talk.open("GET", "health")
        except ServerUnreachable:
            return None
        reply.close()
        return None if reply.status in ABSENT else talk

    def _without(self) -> Alone:
        from ..local import Local

        self._alone = Alone(Local())
        return self._alone
