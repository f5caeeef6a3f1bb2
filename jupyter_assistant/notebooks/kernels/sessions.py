"""Which kernel a notebook has: found, or started, through the server's own session and kernel managers.

The law: a notebook has one kernel, the one its user sees; it is started with the notebook's own kernelspec and
registered as the notebook's session, so that every front-end finds it. The managers' errors become ours here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from logging import Logger
from typing import Any

from tornado.web import HTTPError

from ...errors import KernelDead, KernelNotFound, KernelUnable

SHARED_PREFIX = "RTC:"
"""What real-time collaboration puts before a path."""
REVIVAL, REVIVAL_STEP = 8.0, 0.1
"""Seconds a kernel that died has to be started again by the server, which looks every three seconds."""


@dataclass(frozen=True, slots=True)
class KernelState:
    """A running kernel. ``execution_state``: starting, idle, busy, dead; ``path`` is its notebook's, None for none.

    ``ours``: it was started from here, for a run.
    """

    id: str
    name: str
    language: str
    execution_state: str
    path: str | None
    ours: bool


class Sessions:
    """The server's sessions, as far as notebooks and their kernels go."""

    def __init__(self, kernel_manager: Any, session_manager: Any, kernel_spec_manager: Any, log: Logger) -> None:
        self.kernels = kernel_manager
        self._sessions = session_manager
        self._specs = kernel_spec_manager
        self._log = log
        self._starting: dict[str, asyncio.Lock] = {}
        self._ours: set[str] = set()

    def has(self, kernel_id: str) -> bool:
        return kernel_id in self.kernels

    async def kernel_of(self, path: str) -> str | None:
        """The id of the kernel that the notebook at ``path`` has now."""
        async for model in self._models():
            if _path(model) == path and self.has(_kernel_id(model)):
                return _kernel_id(model)
        return None

    async def adopted(self, path: str) -> str:
        """The id of the notebook's kernel; raises ``KernelNotFound`` where it has none."""
        kernel = await self.kernel_of(path)
        if kernel is None:
            raise KernelNotFound(f"{path} has no running kernel.")
        return kernel

    async def adopted_or_started(self, path: str, kernel_name: str | None) -> str:
        """The id of the notebook's kernel, started with ``kernel_name`` (None: the server's default) if need be.

        Raises ``KernelUnable`` for an unknown kernelspec, ``KernelDead`` where the kernel does not start.
        """
        lock = self._starting.setdefault(path, asyncio.Lock())
        try:
            async with lock:
                return await self.kernel_of(path) or await self._start(path, kernel_name)
        finally:
            if not lock.locked():
                self._starting.pop(path, None)

    async def alive(self, kernel_id: str) -> Any:
        """The manager of the kernel, once its process runs; one that died or restarts is waited for.

        Raises ``KernelDead`` where it does not come back.
        """
        deadline = time.monotonic() + REVIVAL
        while self.has(kernel_id):
            manager = self.kernels.get_kernel(kernel_id)
            if await _awaited(manager.is_alive()):
                return manager
            if getattr(manager, "execution_state", None) == "dead" or time.monotonic() > deadline:
                raise KernelDead("The kernel died and does not come back by itself.")
            await asyncio.sleep(REVIVAL_STEP)
        raise KernelDead("The kernel was shut down.")

    async def running(self) -> tuple[KernelState, ...]:
        """All running kernels of the server."""
        paths = {_kernel_id(model): _path(model) async for model in self._models()}
        languages = {name: language for name, _, language in await self._installed()}
        models = await _awaited(self.kernels.list_kernels())
        self._ours &= {str(model["id"]) for model in models}
        return tuple(
            KernelState(
                str(model["id"]),
                str(model["name"]),
                languages.get(str(model["name"]), ""),
                str(model.get("execution_state") or "unknown"),
                paths.get(str(model["id"])),
                str(model["id"]) in self._ours,
            )
            for model in models
        )

    async def _models(self) -> Any:
        for model in await _awaited(self._sessions.list_sessions()):
            if model.get("type") == "notebook" and model.get("kernel"):
                yield model

    async def _start(self, path: str, kernel_name: str | None) -> str:
        name = kernel_name or str(self.kernels.default_kernel_name)
        await self._check_installed(name, path)
        fields = {"path": path, "name": path.rpartition("/")[2], "type": "notebook", "kernel_name": name}
        try:
            model = await self._sessions.create_session(**fields)
        except (HTTPError, RuntimeError, OSError, ValueError, KeyError) as error:
            self._log.warning("The kernel %s could not be started: %s", name, error)
            raise KernelDead(
                f"The kernel {name!r} of {path} could not be started.", "The server's log says why; mend the kernel."
            ) from error
        self._ours.add(_kernel_id(model))
        return _kernel_id(model)

    async def _check_installed(self, name: str, path: str) -> None:
        installed = await self._installed()
        if installed and name not in {known for known, _, _ in installed}:
            listed = ", ".join(f"{known} ({label})" for known, label, _ in installed)
            raise KernelUnable(
                f"{path} asks for the kernel {name!r}, which is not installed. Installed: {listed}.",
                "Install that kernel, or choose an installed one for the notebook.",
            )

    async def _installed(self) -> list[tuple[str, str, str]]:
        """Name, label and language of each kernelspec."""
        specs = await _awaited(self._specs.get_all_specs())
        return sorted(_spec(name, entry) for name, entry in specs.items())


def _spec(name: str, entry: dict[str, Any]) -> tuple[str, str, str]:
    spec = entry.get("spec") or {}
    return name, str(spec.get("display_name") or name), str(spec.get("language") or "")


def _path(model: dict[str, Any]) -> str:
    path = str(model.get("path") or (model.get("notebook") or {}).get("path") or "")
    return path.removeprefix(SHARED_PREFIX).lstrip("/")


def _kernel_id(model: dict[str, Any]) -> str:
    return str(model["kernel"]["id"])


async def _awaited(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value
