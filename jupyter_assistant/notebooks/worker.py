"""The reading process: a notebook's bytes on standard input, its records as JSON lines on standard output.

The law: it is told no path and opens no file, tells nothing but records or one reason, and starts in the time of a
bare interpreter: ``files.py`` starts it without ``site`` and without the package, under the name ``reading``.
"""

from __future__ import annotations

import gc
import json
import os
import sys

from .nbformats import NotANotebook, NotJson, records
from .scan import shortened

BATCH = 32


def main() -> None:
    """Header line, one line a cell, a line ``true``; or one line with the reason: ``{"why": …, "torn": true}``."""
    gc.disable()
    try:
        header, cells = records(shortened(lambda size: os.read(0, size)))
    except NotANotebook as error:
        _tell({"why": str(error), "torn": isinstance(error, NotJson)})
    except MemoryError:
        _tell({"why": "it is too large for the memory of this machine", "torn": False})
    else:
        _tell(header)
        for at in range(0, len(cells), BATCH):
            _tell(*cells[at : at + BATCH])
        _tell(True)
    sys.stdout.flush()
    os._exit(0)


def _tell(*values: object) -> None:
    sys.stdout.write("".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values))
