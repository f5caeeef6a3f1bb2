"""What is shipped: real wheels and sdists are built from a copy of the sources, looked into, and installed."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import hatch_build
from jupyter_assistant import __version__
from tests.test_rooms import TYPESCRIPT_MAY_IMPORT, our_typescript

ROOT = Path(__file__).parents[1]
NOT_SOURCES = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "labextension", "static", "dist", "__pycache__", ".*_cache", ".hypothesis"
)
LAB = f"jupyter_assistant-{__version__}.data/data/share/jupyter/labextensions/jupyter-assistant"
CONFIG = f"jupyter_assistant-{__version__}.data/data/etc/jupyter/jupyter_server_config.d/jupyter_assistant.json"


def copy_sources(target: Path) -> Path:
    """A clean checkout, so to speak: the sources with their times, nothing that was made from them."""
    shutil.copytree(ROOT, target, ignore=NOT_SOURCES)
    return target


def build(kind: str, source: Path, out: Path, **environment: str) -> Path:
    """Build ``--wheel`` or ``--sdist`` with the tools of this environment; gives the one file that came out."""
    command = [sys.executable, "-m", "build", kind, "--no-isolation", "--outdir", str(out), str(source)]
    run(command, **environment)
    (built,) = out.iterdir()
    return built


def run(command: list[str], **environment: str) -> str:
    """What a command prints, both streams; run away from the sources, so that it sees only what is installed."""
    result = subprocess.run(
        command,
        cwd=Path(command[0]).parent,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def read_wheel(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


@pytest.fixture(scope="module")
def no_node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with a shell on it and nothing else."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    return str(folder)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with the installed npm packages, without a built front-end.

    Files are linked, folders are not: a build that installs packages anew must not empty the developer's own folder.
    """
    source = copy_sources(tmp_path_factory.mktemp("checkout") / "source")
    packages = ROOT / "js" / "node_modules"
    shutil.copytree(packages, source / "js" / "node_modules", symlinks=True, copy_function=link_or_copy)
    return source


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("--wheel", checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(checkout: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("--sdist", checkout, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):  # Python 3.12 warns without, some 3.10 and 3.11 have none
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    return folder / f"jupyter_assistant-{__version__}"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel, and sees the libraries of this one."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    run([sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)])
    (packages,) = folder.glob("lib/python*/site-packages")
    ours = Path(pytest.__file__).parents[1]
    (packages / "libraries.pth").write_text(f"{ours}\n")
    return python


def list_extensions(python: Path, module: str) -> str:
    """What a ``list`` command of Jupyter prints in an environment, away from this user's own configuration."""
    alone = {"HOME": str(python.parent), "JUPYTER_CONFIG_DIR": str(python.parent), "JUPYTER_PATH": "", "NO_COLOR": "1"}
    listing = run([str(python), "-c", f"from {module} import main; main()", "list"], **alone)
    return re.sub(r"\x1b\[[0-9;]*m", "", listing)


def test_wheel_holds_both_extensions_and_their_configuration(wheel: Path) -> None:
    files = read_wheel(wheel)
    manifest = json.loads(files[f"{LAB}/package.json"])
    assert {
        "jupyter_assistant/__init__.py",
        "jupyter_assistant/extension/__init__.py",
        "jupyter_assistant/py.typed",
    } <= set(files)
    assert json.loads(files[CONFIG])["ServerApp"]["jpserver_extensions"] == {"jupyter_assistant": True}
    assert json.loads(files[f"{LAB}/install.json"])["packageName"] == "jupyter_assistant"
    assert f"{LAB}/{manifest['jupyterlab']['_build']['load']}" in files
    assert files[f"{LAB}/schemas/jupyter-assistant/plugin.json"] == (ROOT / "js/schema/plugin.json").read_bytes()


def test_wheel_holds_every_module_once_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    package = ROOT / "jupyter_assistant"
    modules = [path.relative_to(ROOT).as_posix() for path in package.rglob("*.py")] + ["jupyter_assistant/py.typed"]
    assert len(names) == len(set(names))
    panel = [f"jupyter_assistant/{name}" for name in hatch_build.PANEL]
    assert sorted(name for name in names if name.startswith("jupyter_assistant/")) == sorted([*modules, *panel])
    assert {name.split("/")[0] for name in names if not name.startswith("jupyter_assistant/")} == {
        f"jupyter_assistant-{__version__}.data",
        f"jupyter_assistant-{__version__}.dist-info",
    }


def test_wheel_tells_nothing_of_the_machine_that_built_it(wheel: Path, checkout: Path) -> None:
    files = read_wheel(wheel)
    assert [name for name in files if name.endswith((".map", "build_log.json"))] == []
    for place in (checkout, ROOT, Path.home()):
        assert [name for name, content in files.items() if f"{place}/".encode() in content] == []


def test_sidebar_is_loaded_on_first_use_only(wheel: Path) -> None:
    files = read_wheel(wheel)
    entry = json.loads(files[f"{LAB}/package.json"])["jupyterlab"]["_build"]["load"]
    scripts = {name: len(content) for name, content in files.items() if name.startswith(f"{LAB}/static/")}
    assert len([name for name in scripts if name.endswith(".js")]) >= 3
    assert scripts[f"{LAB}/{entry}"] < max(scripts.values())


def test_wheel_from_the_sdist_needs_no_node_and_is_the_same(
    unpacked: Path, wheel: Path, no_node: str, tmp_path: Path
) -> None:
    again = build("--wheel", unpacked, tmp_path / "out", PATH=no_node)
    assert not (unpacked / "js" / "node_modules").exists()
    assert read_wheel(again) == read_wheel(wheel)


def test_sdist_holds_the_sources_and_no_packages(unpacked: Path) -> None:
    present = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")}
    wanted = {
        "hatch_build.py",
        "LICENSE",
        "js/package-lock.json",
        "js/.npmrc",
        "js/src",
        "tests",
        "examples",
        "Makefile",
    }
    assert wanted <= present
    assert not [name for name in present if "node_modules" in name or "__pycache__" in name]


def test_installed_wheel_is_found_and_enabled_by_jupyter_server(installed: Path) -> None:
    listing = list_extensions(installed, "jupyter_server.extension.serverextension")
    assert re.search(r"jupyter_assistant enabled", listing), listing
    assert re.search(rf"jupyter_assistant {re.escape(__version__)}\s+OK", listing), listing


def test_installed_wheel_is_found_and_enabled_by_jupyterlab(installed: Path) -> None:
    listing = list_extensions(installed, "jupyterlab.labextensions")
    assert f"jupyter-assistant v{__version__} enabled OK (python, jupyter_assistant)" in listing, listing


@pytest.mark.network
def test_wheel_is_built_on_a_machine_without_node(no_node: str, tmp_path: Path) -> None:
    source = copy_sources(tmp_path / "source")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(tmp_path / "out"), str(source)]
    run(command, PATH=no_node)
    (built,) = (tmp_path / "out").iterdir()
    assert f"{LAB}/package.json" in read_wheel(built)


def test_version_is_one_number(wheel: Path) -> None:
    metadata = email.message_from_bytes(read_wheel(wheel)[f"jupyter_assistant-{__version__}.dist-info/METADATA"])
    package = json.loads((ROOT / "js" / "package.json").read_text("utf-8"))
    lock = json.loads((ROOT / "js" / "package-lock.json").read_text("utf-8"))
    assert {metadata["Version"], package["version"], lock["version"], lock["packages"][""]["version"]} == {__version__}


def test_lock_file_names_no_address() -> None:
    lock = json.loads((ROOT / "js" / "package-lock.json").read_text("utf-8"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert [name for name, package in lock["packages"].items() if name and "integrity" not in package] == []


def package_of(target: str) -> str:
    """``preact/hooks`` -> ``preact``, ``@lumino/widgets`` -> itself."""
    return "/".join(target.split("/")[: 2 if target.startswith("@") else 1])


def test_front_end_declares_the_packages_it_uses_and_no_others() -> None:
    package = json.loads((ROOT / "js" / "package.json").read_text("utf-8"))
    used = {
        package_of(target) for _, target in our_typescript() if not target.startswith(("..", *TYPESCRIPT_MAY_IMPORT))
    }
    builders = ("@jupyter/", "@jupyterlab/", "@rspack/")
    shipped = {name for name in package["dependencies"] if not name.startswith(builders)}
    from_the_host = {name for name in package["devDependencies"] if name.startswith(("@jupyterlab/", "@lumino/"))}
    assert used == shipped | from_the_host


@pytest.mark.parametrize("version", ["v20.19.0", "v20.20.2", "v22.12.0", "v23.0.0", "v24.19.0", "v26.1.0-nightly"])
def test_node_the_builder_runs_on_is_suitable(version: str) -> None:
    assert hatch_build.is_suitable(version)


@pytest.mark.parametrize("version", ["", "v18.20.0", "v20.18.3", "v21.7.0", "v22.11.0", "node: not found"])
def test_node_the_builder_fails_on_is_not(version: str) -> None:
    assert not hatch_build.is_suitable(version)


def fake_node(folder: Path, version: str) -> str:
    """A search path with a ``node`` that only knows its version, and an ``npm``."""
    folder.mkdir()
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_first_suitable_node_is_taken(tmp_path: Path) -> None:
    old, new, newer = (fake_node(tmp_path / version, version) for version in ("v18.0.0", "v22.12.0", "v24.0.0"))
    assert hatch_build.find_node([str(tmp_path), old, new, newer]) == new


def test_node_without_npm_is_passed_over(tmp_path: Path) -> None:
    path = fake_node(tmp_path / "bin", "v22.12.0")
    (tmp_path / "bin" / "npm").unlink()
    assert hatch_build.find_node([path]) is None


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A tree whose front-end was built at the very second its sources were written, as in an unpacked sdist."""
    output = tmp_path / "jupyter_assistant" / "labextension"
    output.mkdir(parents=True)
    (tmp_path / "js" / "src").mkdir(parents=True)
    (output / "package.json").write_text('{"jupyterlab": {"_build": {}}}')
    (tmp_path / "jupyter_assistant" / "static").mkdir()
    for name in hatch_build.PANEL:
        (tmp_path / "jupyter_assistant" / name).write_text("")
    for name in ("src/plugin.ts", "package.json"):
        (tmp_path / "js" / name).write_text("")
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (1_000, 1_000))
    return tmp_path


def test_front_end_that_was_built_last_is_shipped_as_it_is(built: Path) -> None:
    assert hatch_build.is_shippable(built)


@pytest.mark.parametrize("name", ["src/plugin.ts", "package.json"])
def test_front_end_is_built_again_when_a_source_is_newer(built: Path, name: str) -> None:
    os.utime(built / "js" / name, (1_001, 1_001))
    assert not hatch_build.is_current(built)


def test_front_end_is_built_again_when_a_source_was_added(built: Path) -> None:
    (built / "js" / "src" / "new.ts").touch()
    assert not hatch_build.is_current(built)


@pytest.mark.parametrize("content", ['{"jupyterlab": {}}', '{"jupyterlab"', ""])
def test_unfinished_front_end_is_built_again(built: Path, content: str) -> None:
    (built / "jupyter_assistant" / "labextension" / "package.json").write_text(content)
    assert not hatch_build.is_current(built)


@pytest.mark.parametrize("name", hatch_build.PANEL)
def test_front_end_without_the_panel_is_built_again(built: Path, name: str) -> None:
    (built / "jupyter_assistant" / name).unlink()
    assert not hatch_build.is_current(built)


@pytest.mark.parametrize("name", hatch_build.PANEL)
def test_front_end_is_built_again_when_the_panel_is_older_than_a_source(built: Path, name: str) -> None:
    os.utime(built / "jupyter_assistant" / name, (999, 999))
    assert not hatch_build.is_current(built)


def test_development_build_is_used_but_never_shipped(built: Path) -> None:
    (built / "jupyter_assistant" / "labextension" / "static").mkdir()
    (built / "jupyter_assistant" / "labextension" / "static" / "entry.js.map").touch()
    assert hatch_build.is_current(built)
    assert not hatch_build.is_shippable(built)
