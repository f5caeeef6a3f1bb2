"""What Jupyter Server's own file manager does with the same files: its saves, its users' hooks, its signatures.

The law: neither side's save is lost. A save of Jupyter Server is known from its start, and one of ours takes its one
step between two of them; a user's save hooks see our saves as they see Jupyter's; a trusted notebook stays trusted.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..errors import SaveFailed
from .trust import file_of, kept, kept_in_file

Threaded = Callable[..., Coroutine[Any, Any, Any]]

RUNNING = 10.0
"""Seconds after which a save that never told its end has failed: Jupyter Server tells none that fails."""
SHOWN = 0.5
"""Seconds, once the loop is free again, after which a save shows by its copy ``.~name``, where it makes one."""


@dataclass(slots=True)
class _Save:
    """A save that has begun; ``shows``: it is over when no ``.~name`` lies beside the notebook."""

    began: float
    shows: bool = False

    def runs(self, real: str) -> bool:
        if time.monotonic() - self.began > RUNNING:
            return False
        folder, name = os.path.split(real)
        return not self.shows or os.path.lexists(os.path.join(folder, f".~{name}"))


class Stock:
    """The saves of one exactly stock ``contents_manager``; ``close`` lets go of its hooks."""

    def __init__(self, contents_manager: Any) -> None:
        self._manager = contents_manager
        self._step = threading.Lock()
        self._running: dict[str, list[_Save]] = {}
        self._ours: set[int] = set()
        contents_manager.register_pre_save_hook(self._before_save)
        contents_manager.register_post_save_hook(self._after_save)

    def close(self) -> None:
        for hooks, ours in self._registered():
            with suppress(ValueError):
                hooks.remove(ours)

    # ------------------------------------------------------------ saves

    @contextmanager
    def between_saves(self, real: os.PathLike[str]) -> Iterator[bool]:
        """Whether no save of ``real`` is running; none can start inside. Never waited in: the loop may want to save."""
        with self._step:
            yield not self._is_running(os.fspath(real))

    def is_running(self, real: os.PathLike[str]) -> bool:
        with self._step:
            return self._is_running(os.fspath(real))

    def _is_running(self, real: str) -> bool:
        latest = [save for save in self._running.get(real, ()) if save.runs(real)]
        if latest:
            self._running[real] = latest
        else:
            self._running.pop(real, None)
        return bool(latest)

    def _before_save(self, *, model: dict[str, Any], path: str, **_: object) -> None:
        if id(model) in self._ours or model.get("type") != "notebook":
            return
        place, save = self._place(path), _Save(time.monotonic())
        with self._step:
            self._running.setdefault(os.path.realpath(place), []).append(save)
        with suppress(RuntimeError):  # no loop here
            asyncio.get_running_loop().call_later(SHOWN, self._shown, place, save)

    def _shown(self, place: str, save: _Save) -> None:
        """The save is in the middle of writing, or over: nothing it does before gives way to the loop."""
        has_copy = self._manager.use_atomic_writing and os.access(os.path.dirname(place), os.W_OK)
        with self._step:
            save.shows = has_copy and not os.path.islink(place)
            self._is_running(os.path.realpath(place))

    def _after_save(self, *, os_path: str, model: dict[str, Any], **_: object) -> None:
        if id(model) in self._ours:
            return
        real = os.path.realpath(os_path)
        with self._step:
            started = self._running.pop(real, [])[1:]
            if started:
                self._running[real] = started

    def _place(self, path: str) -> str:
        return os.path.join(os.path.abspath(self._manager.root_dir), *path.strip("/").split("/"))

    # ------------------------------------------------------------ the user's hooks

    @property
    def has_pre_hooks(self) -> bool:
        manager = self._manager
        return manager.pre_save_hook is not None or len(manager._pre_save_hooks) > 1

    @property
    def has_post_hooks(self) -> bool:
        manager = self._manager
        return manager.post_save_hook is not None or len(manager._post_save_hooks) > 1

    def run_pre_hooks(self, path: str, content: Any) -> Any:
        """What the hooks make of ``content``, which they may change in place; raises ``SaveFailed``."""
        model = {"type": "notebook", "format": "json", "content": content}
        with self._own(model):
            try:
                self._manager.run_pre_save_hooks(model=model, path=path)
            except Exception as error:  # a hook is anybody's code; the manager lets only some of its errors out
                raise SaveFailed(
                    f"{path} was not saved: a save hook of this server refused it ({type(error).__name__}).",
                    "Ask whoever set up the hook, or save the notebook in JupyterLab to see its message.",
                ) from error
        return model["content"]

    def run_post_hooks(self, path: str, real: os.PathLike[str]) -> bool:
        """Whether all hooks that want to know of a save went well; the notebook is saved either way."""
        model = {"type": "notebook", "format": None, "content": None, "path": path, "name": os.path.basename(path)}
        with self._own(model):
            try:
                self._manager.run_post_save_hooks(model=model, os_path=os.fspath(real))
            except Exception:  # as above
                return False
        return True

    @contextmanager
    def _own(self, model: dict[str, Any]) -> Iterator[None]:
        self._ours.add(id(model))
        try:
            yield
        finally:
            self._ours.discard(id(model))

    def _registered(self) -> tuple[tuple[list[Any], Any], tuple[list[Any], Any]]:
        manager = self._manager
        return (manager._pre_save_hooks, self._before_save), (manager._post_save_hooks, self._after_save)

    # ------------------------------------------------------------ trust

    def seal(self) -> tuple[bytes, str] | None:
        """The notary's secret and algorithm, if it has one; asked on the loop's thread, where its store belongs."""
        with suppress(Exception):  # it reads and writes files of its own, which may not be there
            notary = self._manager.notary
            return notary.secret, notary.algorithm
        return None

    async def keep_trust(self, before: str | None, bare: bool, after: str | None, in_thread: Threaded) -> None:
        """Trust ``after`` (a signature) if ``before`` is trusted, or had nothing in it that could be mistrusted."""
        if after is None:
            return
        with suppress(Exception):  # any store may be configured; a notebook that lost its trust is safe, and saved
            notary = self._manager.notary
            store, what = notary.store, (notary.algorithm, before, bare, after)
            file = file_of(store)
            if file is None or not await in_thread(kept_in_file, file, store.cache_size, *what):
                kept(store, *what)
