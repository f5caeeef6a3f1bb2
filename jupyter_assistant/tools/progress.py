"""How far a call of a tool has come, told while it goes on to whoever made the call and listens.

The law: a tool tells and does not know who listens; telling changes nothing in what it does or gives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` pieces of the work are over; ``text`` says what it is at, without content of notebooks."""

    done: int
    total: int
    text: str


Listener = Callable[[Progress], Awaitable[None]]

_LISTENER: ContextVar[Listener | None] = ContextVar("tool_progress", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """While calls made here, and the tasks they start, tell ``listener`` of their progress."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def is_heard() -> bool:
    """Whether anybody listens."""
    return _LISTENER.get() is not None


async def tell(progress: Progress) -> None:
    """Tell who listens, if anybody does."""
    listener = _LISTENER.get()
    if listener is not None:
        await listener(progress)
