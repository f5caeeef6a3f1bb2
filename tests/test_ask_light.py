"""Loading the magic costs a kernel next to nothing, and asking loads no more than it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LOAD = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "jupyter_assistant")
loaded = sorted(set(sys.modules) - before)
shell.run_line_magic("ask", "help")
print(json.dumps([loaded, sorted(set(sys.modules) - before)]))
"""
ASK = """
import json, sys
import jupyter_assistant
names = dir(jupyter_assistant)
before = set(sys.modules)
from jupyter_assistant import ask, stream
print(json.dumps([sorted(set(sys.modules) - before), names]))
"""
HEAVY = {"httpx", "anyio", "pydantic", "nbformat", "jupyter_client", "jupyter_server", "tornado", "ssl", "asyncio"}


def told(code: str, folder: Path) -> Any:
    """What a new interpreter prints last, as JSON."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("JPY_")}
    environ |= {"IPYTHONDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_loading_imports_a_handful_of_our_own_small_modules_only(tmp_path: Path) -> None:
    loaded, after = told(LOAD, tmp_path)
    assert {name for name in loaded if not name.startswith("IPython.")} <= {
        "jupyter_assistant",
        "jupyter_assistant._version",
        "jupyter_assistant.kernel",
        "jupyter_assistant.kernel.magic",
        "jupyter_assistant.kernel.transformer",
    }
    assert not {name.partition(".")[0] for name in after} & (HEAVY - {"asyncio", "ssl"})


def test_the_python_api_is_there_by_name_and_imports_no_client(tmp_path: Path) -> None:
    imported, names = told(ASK, tmp_path)
    assert {"ask", "stream", "ChatPanel"} <= set(names)
    assert not {name.partition(".")[0] for name in imported} & {"httpx", "anyio", "pydantic", "IPython", "llm"}
    assert "jupyter_assistant.llm" not in imported
