"""Who may import whom: the table that keeps the rooms of the code apart, read from the sources, importing nothing.

A room is a module or a folder directly in the package. A row says what of ours it may know; its own room, and the
version, it always may. "On first use" means inside a function or for the type checker only: not when it is imported.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "jupyter_assistant"
ANYTHING = frozenset({"*"})

VOCABULARY = frozenset({"messages", "errors"})
DOMAIN = VOCABULARY | {"sse", "settings", "runs", "conversations", "notebooks", "llm", "context", "tools", "agent"}
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "__init__": frozenset(),
    "_version": frozenset(),
    "messages": frozenset(),
    "errors": frozenset(),
    "sse": frozenset(),
    "settings": VOCABULARY,
    "runs": VOCABULARY,
    "conversations": VOCABULARY,
    "notebooks": VOCABULARY,
    "llm": VOCABULARY | {"sse"},
    "context": frozenset({"messages", "notebooks.cells"}),
    "tools": VOCABULARY | {"notebooks"},
    "agent": VOCABULARY | {"llm", "tools"},
    "assistant": DOMAIN,
    "server": DOMAIN | {"assistant"},
    "kernel": VOCABULARY | {"sse"},
    "cli": VOCABULARY | {"sse", "kernel.client"},
    "extension": ANYTHING,
}
MAY_IMPORT_ON_FIRST_USE: Mapping[str, frozenset[str]] = {
    "__init__": frozenset({"extension", "kernel"}),
    "kernel": frozenset({"llm"}),
    "cli": DOMAIN | {"kernel", "server.clients"},
}
STANDARD_LIBRARY_ONLY = frozenset({"messages", "errors", "sse"})

LIVE = frozenset({"notebooks.live"})
DOORS: Mapping[str, frozenset[str]] = {
    "fastmcp": frozenset({"server.mcp", "tools.external"}),
    "httpx": frozenset({"llm.client", "kernel.client"}),
    "tornado": frozenset({"server", "notebooks"}),
    "websocket": frozenset({"kernel.client"}),
    "mcp_types": frozenset({"server.mcp"}),
    "pydantic": frozenset({"tools.arguments", "server.mcp"}),
    "pydantic_core": frozenset({"tools.arguments"}),
    "png": frozenset({"tools.scaling"}),
    "PIL": frozenset({"tools.scaling"}),
    "pycrdt": LIVE,
    "jupyter_ydoc": LIVE,
    "jupyter_server_ydoc": LIVE,
    "jupyter_collaboration": LIVE,
    "jupyter_server_documents": LIVE,
}
OPENED_ON_FIRST_USE = frozenset(
    {"fastmcp", "httpx", "pydantic", "pydantic_core", "png", "PIL", "mcp_types", "websocket"}
)
LATE = frozenset({"server.mcp.protocol"})
"""Modules that are imported on first use only: what they import at their top is as late as they are."""

TYPESCRIPT_MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "chat": frozenset(),
    "lab": frozenset({"chat"}),
    "panel": frozenset({"chat"}),
}
HOSTS = ("@jupyterlab/", "@jupyter/", "@lumino/", "@jupyter-notebook/", "@jupyter-widgets/", "@anywidget/", "anywidget")


@dataclass(frozen=True)
class Import:
    """One import: from which module, of what (dotted, ours without the package's name), and when."""

    module: str
    target: str
    ours: bool
    on_first_use: bool


def read_package(sources: Mapping[str, str]) -> list[Import]:
    """Every import of a package given as ``{"llm/client.py": text}``."""
    modules = {name_of(path): path.endswith("__init__.py") for path in sources}
    return [
        found for path, text in sources.items() for found in imports_of(name_of(path), ast.parse(text), modules, False)
    ]


def name_of(path: str) -> str:
    """``llm/client.py`` -> ``llm.client``; ``llm/__init__.py`` -> ``llm``; the package itself is ``__init__``."""
    parts = path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imports_of(module: str, tree: ast.AST, modules: Mapping[str, bool], on_first_use: bool) -> Iterator[Import]:
    """The imports below ``tree``; ``modules`` tells of each of ours whether it is a folder's ``__init__``."""
    for node in ast.iter_child_nodes(tree):
        later = on_first_use or is_later(node)
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield absolute(module, alias.name, later)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield absolute(module, node.module or "", later)
        elif isinstance(node, ast.ImportFrom):
            base = [*folder_of(module, modules[module], node.level), *(node.module or "").split(".")]
            for alias in node.names:
                yield Import(module, resolve([part for part in base if part], alias.name, modules), True, later)
        else:
            yield from imports_of(module, node, modules, later)


def is_later(node: ast.AST) -> bool:
    """Whether what is inside runs after the import of its module, or for the type checker only."""
    checking = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    return checking or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def absolute(module: str, target: str, later: bool) -> Import:
    """An import by full name."""
    if target.split(".")[0] != PACKAGE:
        return Import(module, target, False, later)
    return Import(module, target.partition(".")[2] or "__init__", True, later)


def folder_of(module: str, is_folder: bool, level: int) -> list[str]:
    """The folder that ``level`` dots mean in ``module``."""
    parts = [] if module == "__init__" else module.split(".")
    up = level - 1 if is_folder else level
    return parts[: len(parts) - up] if up else parts


def resolve(base: list[str], name: str, modules: Mapping[str, bool]) -> str:
    """``from base import name``: the module ``base.name`` if there is one, else ``base``."""
    whole = ".".join([*base, name])
    return whole if whole in modules else ".".join(base) or "__init__"


def room_of(module: str) -> str:
    return module.split(".")[0]


def is_in(module: str, places: frozenset[str]) -> bool:
    """Whether a module is one of the places or inside one of them."""
    return any(place in ("*", module) or module.startswith(f"{place}.") for place in places)


def trespasses(imports: list[Import]) -> list[str]:
    """Each import between our rooms that no row of the table allows."""
    return [f"{found.module} imports {found.target}" for found in imports if found.ours and not is_allowed(found)]


def is_allowed(found: Import) -> bool:
    room = room_of(found.module)
    if room == room_of(found.target) or found.target == "_version":
        return True
    later = MAY_IMPORT_ON_FIRST_USE.get(room, frozenset()) if found.on_first_use else frozenset()
    return is_in(found.target, MAY_IMPORT[room] | later)


def forced_doors(imports: list[Import]) -> list[str]:
    """Each import of an outside library by a module that is not its door, or too early."""
    return [f"{found.module} imports {found.target}" for found in imports if not found.ours and not is_at_door(found)]


def is_at_door(found: Import) -> bool:
    library = room_of(found.target)
    if room_of(found.module) in STANDARD_LIBRARY_ONLY:
        return library in sys.stdlib_module_names
    if library in OPENED_ON_FIRST_USE and not found.on_first_use and found.module not in LATE:
        return False
    return library not in DOORS or is_in(found.module, DOORS[library])


def cycle(edges: list[tuple[str, str]]) -> list[str]:
    """The modules of one import cycle, empty when there is none; a module's import of itself is none."""
    graph: dict[str, set[str]] = {}
    for module, target in edges:
        if module != target:
            graph.setdefault(module, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def our_sources() -> dict[str, str]:
    folder = ROOT / PACKAGE
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.py")}


def our_package() -> list[Import]:
    return read_package(our_sources())


def read_typescript(sources: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every import of a tree given as ``{"lab/plugin.ts": text}``; relative ones resolved, without suffix."""
    static = r"""^[ \t]*(?:import|export)\s+(?:[\w\s{},*$]+\sfrom\s+)?['"]([^'"]+)['"]"""
    dynamic = r"""\bimport\(\s*['"]([^'"]+)['"]"""
    statement = re.compile(f"{static}|{dynamic}", re.MULTILINE)
    return [
        (path.rsplit(".", 1)[0], from_where(path, first or second))
        for path, text in sources.items()
        for first, second in statement.findall(text)
    ]


def from_where(path: str, target: str) -> str:
    """A relative import as a path from ``src``; what lies above it, such as the style, begins with ``..``."""
    if not target.startswith("."):
        return target
    parts = path.split("/")[:-1]
    for part in target.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return re.sub(r"\.(tsx?|js)$", "", "/".join(parts))


def typescript_trespasses(imports: list[tuple[str, str]]) -> list[str]:
    """Each import across rooms that is not ``lab -> chat`` or ``panel -> chat``, and each of a host in ``chat``."""
    return [f"{module} imports {target}" for module, target in imports if not is_allowed_typescript(module, target)]


def is_allowed_typescript(module: str, target: str) -> bool:
    room, other = module.split("/")[0], target.split("/")[0]
    if other in TYPESCRIPT_MAY_IMPORT:
        return other == room or other in TYPESCRIPT_MAY_IMPORT[room]
    return room != "chat" or not target.startswith(HOSTS)


def our_typescript() -> list[tuple[str, str]]:
    folder = ROOT / "js" / "src"
    paths = [path for path in folder.rglob("*.ts*") if path.is_file()]
    return read_typescript({path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths})


def test_rooms_import_only_what_the_table_allows() -> None:
    assert trespasses(our_package()) == []


def test_outside_libraries_come_in_by_their_doors_only() -> None:
    assert forced_doors(our_package()) == []


def test_late_modules_are_imported_on_first_use_only() -> None:
    late = [found for found in our_package() if found.target in LATE]
    assert {found.target for found in late} == LATE
    assert all(found.on_first_use for found in late)


def test_modules_form_no_import_cycle() -> None:
    assert cycle([(found.module, found.target) for found in our_package() if found.ours]) == []


def test_every_room_is_in_the_table() -> None:
    assert {room_of(name_of(path)) for path in our_sources()} <= set(MAY_IMPORT)


def test_typescript_rooms_import_only_the_chat() -> None:
    assert typescript_trespasses(our_typescript()) == []


def test_typescript_modules_form_no_import_cycle() -> None:
    assert cycle(our_typescript()) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("runs.py", "from .assistant import Assistant"),
        ("runs.py", "from . import assistant"),
        ("runs.py", "import jupyter_assistant.assistant"),
        ("runs.py", "from jupyter_assistant.assistant import Assistant"),
        ("runs.py", "def later():\n    from .assistant import Assistant"),
        ("runs.py", "if TYPE_CHECKING:\n    from .assistant import Assistant"),
        ("notebooks/files.py", "from ..assistant import Assistant"),
        ("notebooks/__init__.py", "from ..assistant import Assistant"),
        ("context.py", "from .notebooks.files import read"),
        ("kernel/magic.py", "from ..llm import Model"),
        ("server/mcp.py", "from ..kernel import client"),
        ("__init__.py", "from .extension import AssistantExtension"),
    ],
)
def test_a_trespass_is_found(path: str, text: str) -> None:
    others = dict.fromkeys(["assistant.py", "notebooks/files.py", "llm/__init__.py", "kernel/client.py"], "")
    assert len(trespasses(read_package({**others, path: text}))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("runs.py", "from .messages import Token"),
        ("notebooks/files.py", "from .cells import Cell\nfrom ..errors import PathRefused"),
        ("context.py", "from .notebooks.cells import Cell"),
        ("kernel/magic.py", "def ask():\n    from ..llm import Model"),
        ("server/handlers.py", "from .. import _version, sse"),
        (
            "__init__.py",
            "from ._version import __version__\ndef points():\n    from .extension import AssistantExtension",
        ),
    ],
)
def test_what_the_table_allows_is_let_through(path: str, text: str) -> None:
    others = dict.fromkeys(["messages.py", "errors.py", "sse.py", "_version.py", "notebooks/cells.py"], "")
    assert trespasses(read_package({**others, path: text})) == []


@pytest.mark.parametrize(
    ("path", "text", "forced"),
    [
        ("llm/client.py", "def client():\n    import httpx", 0),
        ("llm/client.py", "if TYPE_CHECKING:\n    import httpx", 0),
        ("llm/client.py", "import httpx", 1),
        ("llm/openai.py", "def client():\n    import httpx", 1),
        ("server/mcp.py", "async def mount():\n    from fastmcp.server import FastMCP", 0),
        ("server/mcp.py", "from fastmcp.server import FastMCP", 1),
        ("server/handlers.py", "from tornado import web", 0),
        ("runs.py", "from tornado import web", 1),
        ("notebooks/tab.py", "import pycrdt", 1),
        ("sse.py", "import orjson", 1),
    ],
)
def test_a_library_outside_its_door_is_found(path: str, text: str, forced: int) -> None:
    assert len(forced_doors(read_package({path: text}))) == forced


def test_a_cycle_is_found() -> None:
    sources = {"llm/__init__.py": "from .client import Client", "llm/client.py": "from . import Model"}
    imports = read_package(sources)
    assert set(cycle([(found.module, found.target) for found in imports])) == {"llm", "llm.client"}


@pytest.mark.parametrize(
    ("path", "text", "wrong"),
    [
        ("lab/sidebar.ts", "import { mount } from '../chat/mount';", 0),
        ("lab/sidebar.ts", "import('../chat/mount')", 0),
        ("lab/sidebar.ts", "import {\n  mount\n} from '../panel/entry';", 1),
        ("chat/view.tsx", "import '../../style/index.css';", 0),
        ("chat/view.tsx", "import { plugin } from '../lab/plugin';", 1),
        ("chat/view.tsx", "export * from '../lab/plugin';", 1),
        ("chat/view.tsx", "void import('../lab/plugin');", 1),
        ("chat/view.tsx", "import type { JupyterFrontEnd } from '@jupyterlab/application';", 1),
        ("chat/view.tsx", "export function View() {\n  return '../lab/plugin';\n}", 0),
        ("lab/plugin.ts", "import type { JupyterFrontEnd } from '@jupyterlab/application';", 0),
    ],
)
def test_a_typescript_trespass_is_found(path: str, text: str, wrong: int) -> None:
    assert len(typescript_trespasses(read_typescript({path: text}))) == wrong
