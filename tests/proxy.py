"""Debian's nginx before a server, as people set it up, rightly and wrongly."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PLAIN = "proxy_http_version 1.1; proxy_set_header Host $http_host;"
SOCKETS = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"
RIGHT = f"{PLAIN} {SOCKETS}"
BUFFERING = "proxy_set_header Host $http_host; proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"
WITHOUT_HOST = f"proxy_http_version 1.1; {SOCKETS}"
WITHOUT_SOCKETS = PLAIN

CONFIG = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; {settings} }} }}
}}
"""


@contextmanager
def nginx(folder: Path, behind: int, settings: str) -> Iterator[int]:
    """A proxy before the port ``behind``; gives its own port."""
    program = shutil.which("nginx") or shutil.which("nginx", path=f"/usr/sbin:{ROOT}/.venv/nginx/usr/sbin")
    if program is None:
        pytest.skip("needs nginx")
    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    file = folder / "nginx.conf"
    file.write_text(CONFIG.format(folder=folder, port=port, behind=behind, settings=settings))
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(file)], stderr=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("nginx did not start")
