"""Notebooks that people share live: the tests of ``tests/room``, in an environment that has real-time collaboration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.room import environment

ROOT = Path(__file__).parents[1]


@pytest.mark.network
@pytest.mark.skipif(sys.platform == "win32", reason="the environment is put together for POSIX")
def test_rooms_keep_what_their_tests_ask_for() -> None:
    try:
        python = environment.made()
    except subprocess.SubprocessError as error:
        why = str(getattr(error, "stderr", None) or error).strip()
        pytest.skip(f"{environment.REQUIREMENT} cannot be installed here: {why[-300:]}")
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--show-capture=no", "tests/room"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTEST_ADDOPTS": ""}, capture_output=True, text=True, timeout=600
    )
    print(done.stdout[-20_000:])
    assert done.returncode == 0, done.stderr[-2_000:]
