"""How the benchmarks print: a line a figure, minimum and median, beside its target."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def show(what: str, values: Sequence[float], unit: str, target: float | None = None) -> None:
    """Print minimum and median; the median is held against the target (DESIGN §14)."""
    median = statistics.median(values)
    verdict = "" if target is None else f"   target <= {target:g} {unit}: {'met' if median <= target else 'MISSED'}"
    print(f"{what:<64} min {min(values):9.2f}  median {median:9.2f} {unit:<6} (n={len(values)}){verdict}", flush=True)
