"""How long the search gives things that may take long.

The law: these are seconds, for one server; none of them changes what is found, only when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Pace:
    """``idle``: after the last search that waits for nothing, until the index is brought up to date for the next.

    ``fresh``: for which a search trusts a look at every notebook, and looks only where a folder has changed.
    ``vector``: the longest a search waits for its query's vector.
    """

    idle: float = 2.0
    fresh: float = 5.0
    vector: float = 2.0


PACE: Final = Pace()
