"""Which notebooks were renamed or moved, as the server's contents manager tells it.

The law: what was opened before a rename is found by it at its new path; what is put at the old path later is another
notebook. A contents manager that tells nothing costs that, and nothing else.
"""

from __future__ import annotations

from contextlib import suppress
from logging import Logger
from typing import Any

from .edits import Json

KEPT = 10_000


class Renames:
    """Renames since this was made; close it when the server stops."""

    def __init__(self, contents_manager: Any, *, log: Logger) -> None:
        self.count = 0
        self._known: dict[int, tuple[str, str]] = {}
        self._events: Any = getattr(contents_manager, "event_logger", None)
        self._schema: Any = getattr(contents_manager, "event_schema_id", None)
        try:
            if self._events is not None:
                self._events.add_listener(schema_id=self._schema, listener=self._heard)
        except Exception:
            log.warning("The contents manager does not tell of renames", exc_info=True)
            self._events = None

    def of(self, path: str, since: int) -> str:
        """Where the notebook is now that was at ``path`` when ``count`` was ``since``."""
        for number in range(max(since, self.count - KEPT), self.count):
            old, new = self._known[number]
            if path == old or path.startswith(f"{old}/"):
                path = new + path[len(old) :]
        return path

    def close(self) -> None:
        if self._events is not None:
            with suppress(KeyError):  # of a schema that nobody registered
                self._events.remove_listener(schema_id=self._schema, listener=self._heard)
            self._events = None

    async def _heard(self, logger: Any, schema_id: str, data: Json) -> None:
        old, new = str(data.get("source_path") or "").strip("/"), str(data.get("path") or "").strip("/")
        if data.get("action") == "rename" and old and new:
            self._known[self.count] = old, new
            self.count += 1
            self._known.pop(self.count - KEPT - 1, None)
