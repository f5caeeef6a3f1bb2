"""The house: light to load, nothing left behind at the end, and described as it is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server
from tests.gateway import Gateway

ROOT = Path(__file__).parent.parent
HEAVY = {"fastmcp", "mcp", "httpx", "pydantic", "anywidget", "ipywidgets", "IPython"}

START = """
import asyncio, json, sys
outside = []
WATCHED = {"subprocess.Popen", "os.fork", "os.posix_spawn", "socket.getaddrinfo", "socket.connect"}
def watch(event, arguments):
    frame = sys._getframe() if event in WATCHED else None
    while frame is not None:
        if "jupyter_assistant" in frame.f_code.co_filename:
            outside.append(event)
        frame = frame.f_back
from jupyter_server.serverapp import ServerApp
app = ServerApp(jpserver_extensions={"jupyter_assistant": True}, open_browser=False, allow_root=True)
before = set(sys.modules)
sys.addaudithook(watch)
app.initialize([], new_httpserver=False)
def modules():
    return sorted(set(sys.modules) - before)
async def start():
    await app.extension_manager.start_all_extensions()
    started = modules()
    extension = app.extension_manager.extension_apps["jupyter_assistant"].copy().pop()
    client = (await extension.open()).assistant.models._client
    made = [name for name, value in vars(client).items() if type(value).__module__.startswith("httpx")]
    await app.extension_manager.stop_all_extensions()
    return started, made
started, made = asyncio.run(start())
print(json.dumps({"outside": outside, "made": made, "started": started, "modules": modules()}))
"""


def fresh(code: str, folder: Path) -> Any:
    """What a new interpreter prints, as JSON."""
    places = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **places, "JUPYTER_NO_CONFIG": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_imports_nothing_else(tmp_path: Path) -> None:
    code = (
        "import __future__, sys, json, typing; before = set(sys.modules); import jupyter_assistant;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert set(fresh(code, tmp_path)) == {"jupyter_assistant", "jupyter_assistant._version"}


LIGHT = {"_version", "errors", "extension", "server", "settings", "sse"}
"""The rooms that a server's start may enter; what answers is imported by the first request."""


def test_the_server_starts_without_heavy_modules_network_or_processes(tmp_path: Path) -> None:
    seen = fresh(START, tmp_path)
    ours = {name.split(".")[1] for name in seen["started"] if name.startswith("jupyter_assistant.")}
    assert ours == LIGHT
    assert HEAVY & {name.partition(".")[0] for name in seen["modules"]} == set()
    assert seen["outside"] == []
    assert seen["made"] == []


async def test_a_server_that_was_used_leaves_nothing_behind(
    server: Server, gateway: Gateway, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> None:
    await server.client.patch("settings", json={"base_url": gateway.url, "model": "paced-999-20"})
    running = [asyncio.create_task(server.ask("x")) for _ in range(3)]
    await gateway.until(lambda g: len(g.posts) == 3)
    await server.extension.stop_extension()
    await asyncio.gather(*running)
    await server.client.aclose()
    ours = [task for task in asyncio.all_tasks() if "jupyter_assistant" in repr(task.get_coro())]
    assert ours == []
    left = [thread for thread in threading.enumerate() if "assistant" in thread.name or "conversations" in thread.name]
    assert left == []
    await gateway.until(lambda g: g.open == 0)
    assert open_files(server.extension.known.data_dir) == []
    assert children() == []


def open_files(folder: Path) -> list[str]:
    """Files of this process that are open below a folder (Linux)."""
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("needs /proc")
    return [target for fd in fds.iterdir() if fd.exists() and (target := os.readlink(fd)).startswith(str(folder))]


def children() -> list[str]:
    """Child processes of this one that are ours: the notebook worker (Linux)."""
    tasks = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in tasks]
    return [line for line in lines if "jupyter_assistant" in line]


def test_the_readmes_tree_is_the_package() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    tree = readme.partition("```\njupyter_assistant/")[2].partition("```")[0]
    package, _, rest = tree.partition("js/ ")
    told = set(re.findall(r"^  (\S+)", package, re.MULTILINE))
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in (ROOT / "jupyter_assistant").iterdir()
        if not path.name.startswith(("__pycache__", "_version", "py.typed", "labextension", "static"))
    }
    assert told == there
    folders = set(re.findall(r"^(\w[\w-]*)/", rest, re.MULTILINE)) | {"js", "jupyter_assistant"}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if tracked:
        assert {line.partition("/")[0] for line in tracked.splitlines() if "/" in line and line[0] != "."} == folders


def test_no_host_of_a_registry_and_no_path_of_a_machine_is_told() -> None:
    hosts = ["pypi." + "org", "files." + "pythonhosted", "registry.npm" + "js", "deb." + "debian"]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    for name in tracked:
        text = (ROOT / name).read_bytes().decode("utf-8", "replace")
        assert not [host for host in hosts if host in text], name
        assert str(ROOT) not in text, name


WRONG = """
import json, os
from jupyter_server.serverapp import ServerApp
app = ServerApp(log_level="CRITICAL", jpserver_extensions={"jupyter_assistant": True})
app.initialize(argv=["--no-browser", "--port=0", "--allow-root", "--JupyterAssistant.context_tokens=many"])
extension = app.extension_manager.extension_apps["jupyter_assistant"].copy().pop()
print(json.dumps({"on": extension.wrong is None, "key": os.environ.get("JUPYTER_ASSISTANT_API_KEY")}))
"""


def test_no_kernel_inherits_the_key_also_when_a_setting_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_ASSISTANT_API_KEY", "sk-canary")
    assert fresh(WRONG, tmp_path) == {"on": False, "key": None}
