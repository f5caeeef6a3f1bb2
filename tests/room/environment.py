"""The environment in which the tests of rooms run: this one, and real-time collaboration beside it.

The law: what the tests of everything else use stays without collaboration. The environment lies inside this one's
folder, sees this one's packages, and is made in some seconds; ``python -m tests.room.environment`` does that.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

REQUIREMENT = "jupyter-collaboration>=5,<6"
FOLDER = Path(sys.prefix) / "room"
PYTHON = FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def made() -> Path:
    """The environment's interpreter; made, or made anew, where it is not there as it should be.

    Raises ``SubprocessError`` where pip cannot install; its ``stderr``, where it has one, says why.
    """
    stamp = FOLDER / ".made"
    wanted = f"{REQUIREMENT}\n{sys.version}\n"
    if not stamp.is_file() or stamp.read_text("utf-8") != wanted:
        _make()
        stamp.write_text(wanted, "utf-8")
    return PYTHON


def _make() -> None:
    venv.create(FOLDER, clear=True, with_pip=True)
    ours = sysconfig.get_path("purelib")
    theirs = sysconfig.get_path("purelib", vars={"base": str(FOLDER), "platbase": str(FOLDER)})
    (Path(theirs) / "main.pth").write_text(f"import site; site.addsitedir({ours!r})\n", "utf-8")
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)


if __name__ == "__main__":
    print(made())
