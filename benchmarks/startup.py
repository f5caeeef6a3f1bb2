"""What the extension adds to a Jupyter server: to its start, and with the assistant's first request, in one run."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.figures import show
from benchmarks.processes import jupyter_server

RUNS = 9


def start(enabled: bool, folder: Path, ready: str = "api/status") -> tuple[float, float, float]:
    """Until the server answers at ``ready``: seconds, MB resident, CPU seconds."""
    began = time.perf_counter()
    with jupyter_server(folder, extensions={"jupyter_assistant": enabled}, environ={}, ready=ready) as server:
        return time.perf_counter() - began, server.resident_mb(), server.cpu()


def main() -> None:
    """Measure in turn, so that a change of the machine's speed touches all alike."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start(True, folder, "assistant/health")
        runs = [
            (start(False, folder), start(True, folder), start(True, folder, "assistant/health")) for _ in range(RUNS)
        ]
    show("server start without the extension", [without[0] for without, _, _ in runs], "s")
    show("server start with the extension", [with_it[0] for _, with_it, _ in runs], "s")
    show("start added, pair by pair", [1000 * (b[0] - a[0]) for a, b, _ in runs], "ms", 50)
    show("CPU added, pair by pair", [1000 * (b[2] - a[2]) for a, b, _ in runs], "ms", 50)
    show("memory added, pair by pair", [b[1] - a[1] for a, b, _ in runs], "MB", 10)
    show("added with the assistant in use, its store open", [1000 * (c[0] - a[0]) for a, _, c in runs], "ms")
    show("memory added then", [c[1] - a[1] for a, _, c in runs], "MB", 10)


if __name__ == "__main__":
    main()
