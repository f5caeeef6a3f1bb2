"""The room home: the one suite over a shared document that somebody has open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_assistant.notebooks import Document, Notebooks
from tests.conftest import Server
from tests.document import *  # noqa: F403
from tests.document import Json
from tests.document_nbformat import *  # noqa: F403
from tests.document_outputs import *  # noqa: F403
from tests.room.conftest import Join, read_back


@dataclass(frozen=True)
class Shared:
    """Notebooks that somebody has open in a room."""

    notebooks: Notebooks
    root: Path
    server: Server
    join: Join

    async def put(self, content: Json, name: str = "a.ipynb") -> Document:
        (self.root / name).write_text(json.dumps(content), encoding="utf-8")
        await self.join(name)
        return await self.notebooks.open(name)

    def shared(self, name: str) -> Any:
        rooms = self.server.app.web_app.settings["jupyter_server_ydoc"].ywebsocket_server.rooms
        return next(room._document for room in rooms.values() if room._document.path == name)

    def stored(self, name: str = "a.ipynb") -> Any:
        return read_back(self.shared(name).get(deduplicate=False))

    def mark(self, name: str = "a.ipynb") -> object:
        document = self.shared(name)
        return document.get(deduplicate=False), document.ydoc.get_state()


@pytest.fixture
def home(server: Server, join: Join) -> Shared:
    return Shared(server.built.notebooks, server.root, server, join)
