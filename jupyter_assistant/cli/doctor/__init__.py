"""``jupyter assistant doctor``: the way of an answer, walked layer by layer from this machine.

The law: it changes nothing of the user's (what it starts or asks, it removes), waits for nothing for good, and names
the first layer that is broken and what to do about it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import AssistantError
from ...kernel.client import Server, find
from ...kernel.client.visit import Visit
from .findings import Finding, Plan
from .gateway import answer, gateway
from .server import loop, origin, server, stream

__all__ = ["Plan", "diagnose", "walk"]


def diagnose(folder: Path, url: str, token: str, plan: Plan) -> int:
    """Print a line for each layer as it is walked, and the first broken one in the end; the exit status."""
    broken = None
    for finding in walk(folder, url, token, plan):
        print(finding.line(), flush=True)
        if finding.state == "broken" and broken is None:
            broken = finding
    if broken is None:
        print("\nEvery layer that was tried works.")
        return 0
    print(f"\nFirst broken layer: {broken.layer}. {broken.said}\nWhat to do: {broken.remedy}", file=sys.stderr)
    return 1


def walk(folder: Path, url: str, token: str, plan: Plan) -> Iterator[Finding]:
    """The layers' findings in the order in which an answer depends on them; what hangs on a broken one is not tried."""
    try:
        found = find(folder, url=url, token=token)
    except AssistantError as error:
        yield Finding("server", "broken", error.text, remedy=error.hint)
        return
    visit = Visit(found, seconds=plan.seconds)
    try:
        yield from _visited(visit, found, plan, named=bool(url))
    finally:
        visit.close()


def _visited(visit: Visit, found: Server, plan: Plan, *, named: bool) -> Iterator[Finding]:
    first = _tried("server", server, visit)
    yield first
    if first.state == "broken":
        return
    yield _tried("loop", loop, visit)
    streams = _tried("stream", stream, visit, named)
    yield streams
    yield _tried("origin", origin, visit)
    if not plan.model:
        yield Finding("gateway", "not tried", "left out with --no-model")
    else:
        called = _tried("gateway", gateway, visit)
        yield called
        if called.state == "ok" and streams.state == "ok":
            yield _tried("answer", answer, visit)
    if not plan.kernel:
        yield Finding("kernel", "not tried", "left out with --no-kernel")
    elif found.sock:
        yield Finding("kernel", "not tried", "the server listens on a Unix socket")
    else:
        from .kernel import kernel

        yield _tried("kernel", kernel, visit)


def _tried(layer: str, look: Callable[..., Finding], *arguments: object) -> Finding:
    """What a look at a layer finds; a failed request is the layer's."""
    try:
        return look(*arguments)
    except AssistantError as error:
        return Finding(layer, "broken", error.text, remedy=error.hint)
