"""The home behind a contents manager that is not exactly one of Jupyter Server's file managers.

The law: such a manager (object store, database, a subclass with its own rules) is asked through its own API, as the
person who asks; its HTTP errors become ours without their text, which may name places we do not show.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from ..errors import NotebookError, NotebookNotFound, NotebookUnreadable, PathRefused
from .cells import Snapshot, digest
from .paths import hidden, refuse_hidden, relative

_FILES = "jupyter_server.services.contents.filemanager"
_LARGE = "jupyter_server.services.contents.largefilemanager"
STOCK = frozenset(
    {
        (_FILES, "FileContentsManager"),
        (_FILES, "AsyncFileContentsManager"),
        (_LARGE, "LargeFileManager"),
        (_LARGE, "AsyncLargeFileManager"),
    }
)


def is_stock(contents_manager: object) -> bool:
    """Whether the manager's class is exactly one of Jupyter Server's own file managers: then its files are the home."""
    kind = type(contents_manager)
    return (kind.__module__, kind.__qualname__) in STOCK


@dataclass(frozen=True, slots=True)
class ContentsDocument:
    """A notebook that only the contents manager can reach; ``path`` is the manager's API path."""

    path: str
    contents_manager: Any

    async def read(self) -> Snapshot:
        """Its content now; raises ``NotebookNotFound``, ``PathRefused``, ``NotebookUnreadable``."""
        model = await _asked(self.contents_manager.get, self.path, content=True, type="notebook")
        revision = f"{model.get('hash') or ''}-{model.get('last_modified') or ''}"
        return digest(model.get("content"), path=self.path, revision=revision, home="contents")


class Contents:
    """The notebooks of a contents manager."""

    def __init__(self, contents_manager: Any) -> None:
        self._contents_manager = contents_manager

    async def open(self, path: str) -> ContentsDocument:
        """The notebook at ``path``; raises ``PathRefused``, ``NotebookNotFound``."""
        manager, named = self._contents_manager, relative(path)
        if not getattr(manager, "allow_hidden", False):
            refuse_hidden(named)
            if await _asked(manager.is_hidden, named):
                raise hidden()
        if not await _asked(manager.file_exists, named):
            raise NotebookNotFound(f"There is no notebook at {named}.")
        return ContentsDocument(named, manager)

    async def close(self) -> None:
        """Nothing is held."""


async def _asked(method: Any, path: str, **options: object) -> Any:
    from tornado.web import HTTPError

    try:
        answer = method(path, **options)
        return await answer if inspect.isawaitable(answer) else answer
    except HTTPError as error:
        raise _translated(error.status_code, path) from None


def _translated(status: int, path: str) -> NotebookError:
    if status == 404:
        return NotebookNotFound(f"There is no notebook at {path}.")
    if status in (401, 403):
        return PathRefused(f"{path} may not be read.", "Ask whoever runs this server for access.")
    if status == 400:
        return NotebookUnreadable(f"{path} cannot be read as a notebook.")
    return NotebookUnreadable(f"The storage of {path} answered with an error ({status}).", "Try again in a moment.")
