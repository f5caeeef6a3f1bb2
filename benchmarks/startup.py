"""Start-up time and memory of a Jupyter server with and without the extension, in turn, in one run."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.figures import show
from benchmarks.processes import jupyter_server

RUNS = 9


def start(enabled: bool, folder: Path) -> tuple[float, float, float]:
    """Until the server answers (with the extension: until its store is open): seconds, MB resident, CPU seconds."""
    began = time.perf_counter()
    ready = "assistant/health" if enabled else "api/status"
    with jupyter_server(folder, extensions={"jupyter_assistant": enabled}, environ={}, ready=ready) as server:
        return time.perf_counter() - began, server.resident_mb(), server.cpu()


def main() -> None:
    """Measure in turn, so that a change of the machine's speed touches both alike."""
    with tempfile.TemporaryDirectory() as name:
        start(True, Path(name))
        pairs = [(start(False, Path(name)), start(True, Path(name))) for _ in range(RUNS)]
    show("server start without the extension", [without[0] for without, _ in pairs], "s")
    show("server start with the extension, store open", [with_it[0] for _, with_it in pairs], "s")
    show("start added, pair by pair", [1000 * (b[0] - a[0]) for a, b in pairs], "ms", 50)
    show("CPU added, pair by pair", [1000 * (b[2] - a[2]) for a, b in pairs], "ms", 50)
    show("memory added, pair by pair", [b[1] - a[1] for a, b in pairs], "MB", 10)


if __name__ == "__main__":
    main()
