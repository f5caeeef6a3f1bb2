"""Every object of the assistant, built once, on its first request.

The law: what is opened is closed in reverse order; nothing else builds a part of the assistant.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from .. import sse
from ..assistant import Assistant
from ..context import Redactor
from ..conversations import Conversations
from ..errors import SettingsUnavailable
from ..llm import Models, Options, Provider
from ..llm.client import Client
from ..llm.embeddings import Embeddings
from ..notebooks import Notebooks
from ..notebooks.kernels import Kernels
from ..runs import Entry, Runs
from ..server.mcp import Endpoint
from ..server.mcp.asking import asking_tools
from ..server.mcp.desk import Desk
from ..settings import Settings
from ..tools import Registry
from ..tools.notebook import notebook_tools


class Composition:
    """The assistant of one server: ``open`` it before use, ``close`` it at the end."""

    def __init__(self, settings: Settings, server: Any, log: Any) -> None:
        self._settings = settings
        self._log = log
        self._stack = AsyncExitStack()
        self._client = Client(
            connect_timeout=settings.traits.connect_timeout, idle_timeout=settings.traits.idle_timeout
        )
        self.kernels = Kernels(
            kernel_manager=server.kernel_manager,
            session_manager=server.session_manager,
            kernel_spec_manager=server.kernel_spec_manager,
            log=log,
        )
        self.notebooks = Notebooks(
            server.contents_manager,
            root_dir=Path(server.root_dir),
            index_dir=settings.data_dir / "index",
            kernel_spec_manager=server.kernel_spec_manager,
            embedder=self._embedder(),
            web_settings=server.web_app.settings,
            log=log,
        )
        self.assistant = self._assistant()
        self.mcp = self._endpoint()

    async def open(self) -> None:
        """Read the user's settings and open the store."""
        async with AsyncExitStack() as stack:
            await asyncio.get_running_loop().run_in_executor(None, self._load_settings)
            self.reconfigure()
            await self.assistant.conversations.open()
            stack.push_async_callback(self.assistant.conversations.close)
            stack.push_async_callback(self.assistant.models.close)
            stack.push_async_callback(self.notebooks.close)
            stack.push_async_callback(self.kernels.close)
            stack.push_async_callback(self.assistant.runs.close)
            stack.push_async_callback(self.mcp.close)
            self._stack = stack.pop_all()

    async def close(self) -> None:
        """Interrupt what runs, then close in reverse order."""
        await self._stack.aclose()

    def reconfigure(self) -> None:
        """Tell the models what the settings say now."""
        self.assistant.models.configure(_providers(self._settings), self._settings.value("model") or None)

    def _assistant(self) -> Assistant:
        settings, traits = self._settings, self._settings.traits
        return Assistant(
            models=Models(
                _providers(settings),
                self._client,
                default_model=settings.value("model") or None,
                options=lambda _: Options(settings.value("max_tokens") or None),
            ),
            notebooks=self.notebooks,
            kernels=self.kernels,
            conversations=Conversations(
                settings.data_dir / "conversations.sqlite", log=self._log, unpinned_limit=traits.max_conversations
            ),
            runs=Runs(keep_seconds=traits.keep_runs),
            settings=settings,
            encode=sse.encode,
            decode=entries,
            log=self._log,
            max_messages=traits.max_messages,
        )

    def _embedder(self) -> Callable[[], Embeddings | None]:
        """Who makes vectors for the search, as the settings are now; what is sent is redacted as for models."""
        made: dict[Provider, Embeddings] = {}

        def embedder() -> Embeddings | None:
            if (found := self._settings.embeddings()) is None:
                return None
            provider = Provider(found.name, found.label, found.base_url, found.api_key, found.model)
            if provider not in made:
                made.clear()
                made[provider] = Embeddings(provider, found.model or "", self._client, self._redact)
            return made[provider]

        return embedder

    def _redact(self, text: str) -> tuple[str, int]:
        return Redactor(self._settings.secrets())(text)

    def _endpoint(self) -> Endpoint:
        """The one list of tools behind the MCP protocol; without secrets, as for any model."""
        settings, log, redact = self._settings, self._log, self._redact
        tools = Registry(notebook_tools(self.notebooks, self.kernels), log=log, redact=redact)
        asking = Registry(asking_tools(self.assistant), log=log, redact=redact)
        level, names = settings.traits.mcp_tools, frozenset(tool.name for tool in asking)
        return Endpoint(Desk([tools, asking], self.notebooks, level=level, asking=names, redact=redact), log=log)

    def _load_settings(self) -> None:
        try:
            self._settings.load()
        except SettingsUnavailable as error:
            self._log.warning("Jupyter Assistant: %s", error.text)


def _providers(settings: Settings) -> list[Provider]:
    return [Provider(e.name, e.label, e.base_url, e.api_key, e.model) for e in settings.endpoints()]


_FRAME = re.compile(rb"id: (\d+)\nevent: ([a-z_]+)\ndata: [^\n]*\n\n")


def entries(frames: bytes) -> list[Entry]:
    """A stored log as the entries that ``sse.encode`` made."""
    return [Entry(int(m[1]), m[2].decode(), m[0]) for m in _FRAME.finditer(frames)]
