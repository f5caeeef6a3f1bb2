"""The last layer: a kernel starts and computes, over the WebSocket that a page uses."""

from __future__ import annotations

from ...kernel.client.channel import computed
from ...kernel.client.visit import Visit
from .findings import Finding, milliseconds


def kernel(visit: Visit) -> Finding:
    """The default kernel starts, computes, and is ended."""
    return Finding("kernel", "ok", f"a kernel starts, computes and ends, {milliseconds(computed(visit, '1 + 1'))}")
