"""The process for large notebooks: reads one, gives some of its outputs, or writes it anew with some cells changed.

The law: it is told no path and opens no file, tells nothing but its answer or one reason, and starts in the time of
a bare interpreter: ``process.py`` starts it without ``site`` and without the package, under the name ``reading``.
What it is asked comes as one JSON line on standard input (``read``: nothing, the notebook itself).
"""

from __future__ import annotations

import gc
import json
import os
import sys

from .nbformats import NotANotebook, NotJson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 32


def main() -> None:
    """Answer lines, then a line ``true``; or one line with the reason: ``{"why": …, "torn": true}``."""
    gc.disable()
    commands: dict[str, Callable[..., None]] = {"read": _read, "outputs": _outputs, "entire": _entire, "write": _write}
    try:
        commands[sys.argv[2]](*map(int, sys.argv[3:]))
    except NotANotebook as error:
        _tell({"why": str(error), "torn": isinstance(error, NotJson)})
    except MemoryError:
        _tell({"why": "it is too large for the memory of this machine", "torn": False})
    else:
        _tell(True)
    sys.stdout.flush()
    os._exit(0)


def _read() -> None:
    """The header, then one line a cell."""
    from .nbformats import records
    from .scan import shortened

    header, cells = records(shortened(lambda size: os.read(0, size)))
    _tell(header)
    for at in range(0, len(cells), BATCH):
        _tell(*cells[at : at + BATCH])


def _outputs(source: int) -> None:
    """The id of a cell, then a list with one of its outputs a line; asked by a list of ids."""
    from .payloads import outputs_of
    from .rewriting import contents

    for name, outputs in outputs_of(contents(source), json.load(sys.stdin)):
        _tell(name, *([output] for output in outputs))


def _entire(source: int) -> None:
    """What ``entire.entire`` gives, or ``null`` where that is too much; asked by a list of ids or ``null``."""
    from .entire import LARGEST, entire
    from .rewriting import contents

    line = json.dumps(entire(contents(source), json.load(sys.stdin)), separators=(",", ":"))
    sys.stdout.write(f"{line if len(line) <= LARGEST else 'null'}\n")


def _write(source: int, target: int) -> None:
    """What ``rewriting.rewrite`` answers, or ``{"failed": …}`` with the error number or the name of what happened."""
    from .rewriting import NotWritten, rewrite
    from .splice import Changed

    try:
        _tell([rewrite(source, target, json.load(sys.stdin))])
    except OSError as error:
        _tell([{"failed": error.errno or 0}])
    except (Changed, NotWritten) as error:
        _tell([{"failed": type(error).__name__}])


def _tell(*values: object) -> None:
    sys.stdout.write("".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values))
