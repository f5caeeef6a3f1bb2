"""``%ask`` in a kernel: what loading it costs, how soon the first token is seen, what a question and a token cost.

Run with ``python -m benchmarks.ask``. The gateway is a process of its own, the kernel a real one of a real server; the
first painted token is the first display that a front-end gets with a word of the answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import show
from benchmarks.processes import scripted_gateway
from tests.asking import Kernel, Ran, notebook_kernel, put
from tests.lab import running_lab

STARTS = 15
ASKS = 30
LOAD = """
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("lsmagic", "")
before, began = len(sys.modules), time.perf_counter()
shell.run_line_magic("load_ext", "jupyter_assistant")
print(json.dumps([(time.perf_counter() - began) * 1000, len(sys.modules) - before]))
"""
CPU = """
import json as _json, time as _time
_began = _time.process_time()
get_ipython().run_line_magic("ask", "--model {model} --var _told go on")
print(_json.dumps([_time.process_time() - _began, len(_told.split())]))
"""


def loading(folder: Path) -> None:
    """``%load_ext`` in a fresh IPython that has its own magics already."""
    environ = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
    found = []
    for _ in range(STARTS):
        command = [sys.executable, "-W", "ignore", "-c", LOAD]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    show("%load_ext jupyter_assistant", [one[0] for one in found], "ms", 100)
    show("modules it imports", [one[1] for one in found], "")


def first_token(kernel: Kernel) -> float:
    """Milliseconds from the request to run a cell to the first display with a word of the answer."""
    began = time.perf_counter()
    seen: list[float] = []

    def look(ran: Ran) -> bool:
        if "word" in ran.markdown:
            seen.append((time.perf_counter() - began) * 1000)
        return bool(seen)

    kernel.run("%ask --fresh --model paced-3-200 what is total?", "cell-1", during=look)
    return seen[0]


def cpu(kernel: Kernel, model: str) -> tuple[float, int]:
    """Microseconds of the kernel's CPU time for an answer, and its tokens."""
    ran = kernel.run(CPU.format(model=model))
    seconds, tokens = json.loads(ran.text.splitlines()[-1])
    return float(seconds) * 1e6, int(tokens)


def cpu_a_token(kernel: Kernel, model: str, short: str) -> tuple[float, float]:
    """What each token of an answer costs, and the question beside its tokens: by a long answer and a short one."""
    (whole, tokens), (little, few) = cpu(kernel, model), cpu(kernel, short)
    each = (whole - little) / (tokens - few)
    return each, little - few * each


def main() -> None:
    """All figures."""
    with tempfile.TemporaryDirectory() as name, scripted_gateway() as gateway:
        folder = Path(name)
        loading(folder)
        environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway, "JUPYTER_ASSISTANT_MODEL": "echo"}
        with running_lab(folder / "lab", environ) as lab:
            put(lab.root / "a.ipynb", "total = 41", "%ask …")
            with notebook_kernel(lab, "a.ipynb") as kernel:
                kernel.run("total = 41\n%load_ext jupyter_assistant", "cell-0")
                first = first_token(kernel)
                show("execution to first painted token: the session's first", [first], "ms")
                show("execution to first painted token: later", [first_token(kernel) for _ in range(ASKS)], "ms")
                slow = [cpu_a_token(kernel, "paced-200-50", "paced-1-50") for _ in range(3)]
                fast = [cpu_a_token(kernel, "fast-20000", "fast-1") for _ in range(3)]
                show("kernel CPU a token, 50 tokens/s", [token for token, _ in slow], "µs")
                show("kernel CPU a token, full speed", [token for token, _ in fast], "µs")
                show("kernel CPU a question, beside its tokens", [question / 1000 for _, question in slow], "ms")


if __name__ == "__main__":
    main()
