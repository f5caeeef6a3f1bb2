"""The processes a benchmark measures: a Jupyter server with the extension, and the scripted gateway, each its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOKEN = "bench"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A running server: ``url`` ends with a slash."""

    url: str
    pid: int

    def cpu(self) -> float:
        """CPU seconds the process has used (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self) -> float:
        """Resident memory in MB (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def jupyter_server(
    folder: Path, *, extensions: dict[str, bool], environ: dict[str, str], ready: str
) -> Iterator[Server]:
    """A Jupyter server with exactly these extensions, until ``ready`` (a path) answers."""
    port = free_port()
    config = folder / "config.json"
    config.write_text(json.dumps({"ServerApp": {"jpserver_extensions": extensions}}))
    command = [sys.executable, "-m", "jupyter_server", f"--config={config}", f"--port={port}", "--no-browser"]
    command += ["--allow-root", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    folders = {"JUPYTER_CONFIG_DIR": "etc", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
    own = {name: str(folder / place) for name, place in folders.items()}
    process = subprocess.Popen(
        command,
        env={**os.environ, **own, "JUPYTER_NO_CONFIG": "1", "PYTHONPATH": str(ROOT), **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        wait_for(f"{url}{ready}?token={TOKEN}", process)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def scripted_gateway() -> Iterator[str]:
    """The tests' gateway in a process of its own; gives its base URL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gateway", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the address answers 200."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError("the process did not answer")
