"""Which model answers in a test, and what it says."""

from __future__ import annotations

import httpx

from tests.gateway import Reply
from tests.lab import Lab


def change(lab: Lab, **values: object) -> None:
    """Change the user's settings, as another window does: a panel learns them as it begins."""
    headers = {"Authorization": f"token {lab.token}"}
    httpx.patch(f"{lab.url}assistant/settings", json=values, headers=headers, trust_env=False).raise_for_status()


async def say(reply: Reply, text: str, *, step: int) -> None:
    """A whole answer, in pieces of so many characters."""
    await reply.head()
    for start in range(0, len(text), step):
        await reply.delta(content=text[start : start + step])
    await reply.finish()
