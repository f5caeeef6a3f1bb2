"""What runs have told and the file does not hold yet, at most one entry a run, shared by two threads.

The law: an entry leaves only when it was written; what could not be written comes back, behind what came since.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from .logs import RUNNING, Progress


class Unwritten:
    """Progress by run; newer progress of a run is joined to what still waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Progress] = {}

    def add(self, progress: Progress) -> bool:
        """Take progress in; whether it is the first to wait for its run."""
        with self._lock:
            earlier = self._waiting.get(progress.run_id)
            self._waiting[progress.run_id] = progress.after(earlier)
            return earlier is None

    def take(self) -> list[Progress]:
        """All that waits, which then waits no more."""
        with self._lock:
            taken = list(self._waiting.values())
            self._waiting.clear()
            return taken

    def put_back(self, taken: Iterable[Progress]) -> None:
        """What was taken and could not be written."""
        with self._lock:
            for progress in taken:
                later = self._waiting.get(progress.run_id)
                self._waiting[progress.run_id] = later.after(progress) if later else progress

    def ended(self) -> frozenset[str]:
        """Runs whose end waits."""
        with self._lock:
            return frozenset(run_id for run_id, progress in self._waiting.items() if progress.state != RUNNING)
