"""``ChatPanel()``: the sidebar's panel in an output cell, as an anywidget.

The law: the page asks its own Jupyter server where it has one, and this side is used only where it has none; the
kernel is never kept waiting. What is to survive a reload of the page is in the widget's traits.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Int, Unicode

from .errands import Errands
from .reach import Reach

STATIC = Path(__file__).parents[2] / "static"
LOWEST, HIGHEST = 200, 4_000
"""Bounds of a panel's height, in CSS pixels."""
PATIENCE = 0.5
"""Seconds for which a new panel waits to be told where its notebook is; the page learns it later, too."""


class ChatPanel(anywidget.AnyWidget):
    """The assistant in this cell's output. ``height`` in CSS pixels, from 200 to 4000; it can be drawn larger there.

    Panels are independent: each has its conversation. ``close()`` takes a panel away; what was said stays in the
    history.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"

    panel = Unicode(help="Which panel this is.").tag(sync=True)
    path = Unicode(help="The notebook, from the server's root; empty where it is not known.").tag(sync=True)
    conversation = Unicode(help="The conversation that is shown; empty for a new one.").tag(sync=True)
    height = Int(480, min=LOWEST, max=HIGHEST, help="In CSS pixels.").tag(sync=True)

    def __init__(self, height: int = 480) -> None:
        self._reach = Reach()
        self._errands = Errands(self.send, self._reach)
        super().__init__(height=height, panel=secrets.token_hex(8))
        self.on_msg(self._heard)
        self._look().join(PATIENCE)

    def __repr__(self) -> str:
        """What a notebook shows of it where no widget can be: in a file that is read."""
        return "<ChatPanel: run this cell to talk with Jupyter Assistant here>"

    def close(self) -> None:
        """Take the panel away, with every thread of its own."""
        self._errands.close()
        self._reach.close()
        super().close()

    def _heard(self, _: object, content: Any, __: object) -> None:
        """A message of the page's, on the kernel's own thread: back at once."""
        if isinstance(content, dict) and content.get("kind") == "where":
            self._look()
        else:
            self._errands.take(content)

    def _look(self) -> threading.Thread:
        looking = threading.Thread(target=self._find, name="jupyter-assistant-where", daemon=True)
        looking.start()
        return looking

    def _find(self) -> None:
        from ..finding import path, server

        found = path(server())
        if found != self.path:
            self.path = found
