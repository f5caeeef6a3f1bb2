"""A real JupyterLab in a process of its own, for Chromium to drive; started and ended by the test that needs it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_SECONDS = 60


@dataclass(frozen=True)
class Lab:
    """Where a running JupyterLab is; ``url`` ends with a slash."""

    url: str
    token: str
    root: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].split("/")[0])

    def page(self, path: str = "lab") -> str:
        """The address of a page, with the token."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={self.token}"

    def __repr__(self) -> str:
        return f"Lab({self.url})"


@contextmanager
def running_lab(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    base_url: str = "/",
    port: int = 0,
    python: str = sys.executable,
) -> Iterator[Lab]:
    """JupyterLab on a copy of the examples, with configuration and data of its own under ``folder``.

    The same ``folder`` and ``port`` again are the same server after a restart: its address, token and store are kept.
    """
    work = folder / "work"
    if not work.exists():
        shutil.copytree(ROOT / "examples", work)
    _no_news(folder / "etc")
    token, port = _token(folder / "token"), port or _free_port()
    command = [python, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={work}", f"--ServerApp.base_url={base_url}"]
    command += ["--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True"]
    log = folder / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=_environment(folder, environ or {}), stdout=output, stderr=subprocess.STDOUT, cwd=work
        )
    lab = Lab(f"http://127.0.0.1:{port}{base_url}", token, work, process, log)
    try:
        _wait(lab)
        yield lab
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _token(file: Path) -> str:
    if not file.exists():
        file.write_text(secrets.token_hex(16))
    return file.read_text()


def _environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The machine's environment without anybody's keys, with folders of the test's own."""
    kept = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL", "_proxy", "_PROXY"))}
    kept = {k: v for k, v in kept.items() if not k.startswith(("JUPYTER_", "JPY_"))}
    folders = {
        "JUPYTER_CONFIG_DIR": "etc",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "run",
        "IPYTHONDIR": "ipython",
    }
    return {**kept, **{name: str(folder / place) for name, place in folders.items()}, **environ}


def _no_news(etc: Path) -> None:
    """JupyterLab's news toast covers the corner that a test wants to click."""
    page = etc / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(lab: Lab) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and lab.process.poll() is None:
        try:
            with urllib.request.urlopen(lab.page("api/status"), timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code == 403:  # it is there, and wants a password
                return
            time.sleep(0.1)
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{lab.log.read_text(errors='replace')[-3000:]}")
