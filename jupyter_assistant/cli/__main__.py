"""``python -m jupyter_assistant.cli``: the same as ``jupyter assistant``."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
