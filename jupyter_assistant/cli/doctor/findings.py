"""What was found at a layer, and what is to be walked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "broken", "not tried"]


@dataclass(frozen=True)
class Finding:
    """A layer, how it is, the sentence that tells it, and for a broken one the remedy."""

    layer: str
    state: State
    said: str
    remedy: str = ""

    def line(self) -> str:
        """The finding as a line of the report."""
        return f"{self.state:<10} {self.layer:<8} {self.said}"


@dataclass(frozen=True)
class Plan:
    """Whether the model is called and a kernel started, and the seconds one request may take."""

    model: bool = True
    kernel: bool = True
    seconds: float = 60.0


def milliseconds(seconds: float) -> str:
    """A duration for a person: ``340 ms``, ``2.1 s``."""
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
