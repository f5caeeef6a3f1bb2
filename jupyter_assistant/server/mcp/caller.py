"""Who makes the MCP call that is being worked on, and what Jupyter's authorizer lets him do.

The law: rights are asked for at every call, of the server's own authorizer and as the caller; no tool runs with the
server's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import AssistantError

if TYPE_CHECKING:
    from ...tools import Rights

NEEDS: dict[Rights, tuple[tuple[str, str], ...]] = {
    "read": (("read", "assistant"), ("read", "contents")),
    "write": (("write", "assistant"), ("write", "contents")),
    "execute": (("execute", "assistant"), ("execute", "kernels")),
}
"""The actions on Jupyter's resources that a tool of these rights is."""

ASKING = (("execute", "assistant"), ("read", "contents"))
"""The same for a question to the assistant, which is a call of a model."""


class Forbidden(AssistantError):
    """Jupyter's authorizer does not let the caller do that."""

    code = "forbidden"
    default_hint = "Use tools that only read, or ask the server's administrator for the right."


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is; ``may`` asks the authorizer for an action on a resource."""

    owner: str
    may: Callable[[str, str], Awaitable[bool]]

    async def require(self, needs: tuple[tuple[str, str], ...]) -> None:
        """Raises ``Forbidden`` naming the first right that is missing."""
        for action, resource in needs:
            if not await self.may(action, resource):
                raise Forbidden(f"You have no right to {action} {resource} on this server.")


CALLER: ContextVar[Caller] = ContextVar("mcp_caller")
"""Set by the handler; the protocol's tasks inherit it."""
