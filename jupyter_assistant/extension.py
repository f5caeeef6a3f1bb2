"""The composition root: settings -> objects -> routes; opens in order, closes in reverse.

The law: loading costs the server's start next to nothing (no network, no subprocess, no model client), a wrong
setting is one sentence in the log and the server runs on without the assistant, and nothing is left behind at the end.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import TraitError

from . import sse
from ._version import __version__
from .assistant import Assistant
from .context import Redactor
from .conversations import Conversations
from .errors import Misconfigured, SettingsUnavailable, StoreUnavailable
from .llm import Models, Options, Provider
from .llm.client import Client
from .notebooks import Notebooks
from .notebooks.kernels import Kernels
from .runs import Entry, Runs
from .server.handlers import Services, off, routes
from .server.mcp import Desk, Endpoint, asking_tools
from .settings import KEY_VARIABLE, JupyterAssistant, Settings
from .tools import Registry
from .tools.notebook import notebook_tools


class AssistantExtension(ExtensionApp):
    """The server extension; its settings are those of ``JupyterAssistant``."""

    name = "jupyter_assistant"
    version = __version__
    description = "An AI assistant that knows the open notebook."
    load_other_extensions = True
    classes = [JupyterAssistant]  # noqa: RUF012  (traitlets' convention)

    def initialize_settings(self) -> None:
        """Build every object; nothing is opened yet."""
        self._opening = asyncio.Lock()
        self._stopped = False
        self._stack: AsyncExitStack | None = None
        try:
            traits = JupyterAssistant(parent=self)
            self.known = Settings(traits, known=self._tokens())
        except TraitError as error:
            self._wrong = Misconfigured(f"Jupyter Assistant is off: {str(error).rstrip('.')}.")
            self.log.error("%s %s", self._wrong.text, self._wrong.hint)
            self.assistant: Assistant | None = None
            return
        finally:
            os.environ.pop(KEY_VARIABLE, None)  # also when a setting is wrong: no kernel may inherit it
        self.assistant = self._compose(self.known)
        self.mcp = self._endpoint(self.assistant, self.known)

    def initialize_handlers(self) -> None:
        """Put the routes under ``{base_url}assistant/``."""
        if self.assistant is None:
            self.handlers.extend(off(r"/", self._wrong))
            return
        services = Services(self.assistant, self.known, self.open, self._reconfigure, self.mcp)
        self.handlers.extend(routes(r"/", services))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Open the stores once the loop runs; a failure is logged here, since Jupyter's own log would lose it."""
        try:
            await self.open()
        except Exception:
            self.log.exception("Jupyter Assistant could not open its stores")

    async def open(self) -> None:
        """Open what needs opening, once; requests that come earlier wait here.

        Raises StoreUnavailable once the extension has been stopped.
        """
        if self.assistant is None or self._stack is not None:
            return
        async with self._opening:
            if self._stopped:
                raise StoreUnavailable("The server is stopping.", "Start the server again.")
            if self._stack is None:
                self._stack = await self._open(self.assistant)

    async def _open(self, assistant: Assistant) -> AsyncExitStack:
        async with AsyncExitStack() as stack:
            await asyncio.get_running_loop().run_in_executor(None, self._load_settings)
            self._reconfigure()
            await assistant.conversations.open()
            stack.push_async_callback(assistant.conversations.close)
            stack.push_async_callback(assistant.models.close)
            stack.push_async_callback(assistant.notebooks.close)
            stack.push_async_callback(self.kernels.close)
            stack.push_async_callback(assistant.runs.close)
            stack.push_async_callback(self.mcp.close)
            return stack.pop_all()

    async def stop_extension(self) -> None:
        """Interrupt what runs, then close in reverse order."""
        async with self._opening:
            self._stopped = True
            stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    def _tokens(self) -> tuple[str, ...]:
        """The server's own token, which is a shell to whoever has it; it must reach no model."""
        provider = self.serverapp.identity_provider if self.serverapp else None
        return (str(getattr(provider, "token", "")),)

    def _compose(self, settings: Settings) -> Assistant:
        traits, server = settings.traits, self.serverapp
        assert server is not None
        self.kernels = Kernels(
            kernel_manager=server.kernel_manager,
            session_manager=server.session_manager,
            kernel_spec_manager=server.kernel_spec_manager,
            log=self.log,
        )
        client = Client(connect_timeout=traits.connect_timeout, idle_timeout=traits.idle_timeout)
        return Assistant(
            models=Models(
                _providers(settings),
                client,
                default_model=settings.value("model") or None,
                options=lambda _: Options(settings.value("max_tokens") or None),
            ),
            notebooks=Notebooks(
                server.contents_manager,
                root_dir=Path(server.root_dir),
                index_dir=settings.data_dir / "index",
                kernel_spec_manager=server.kernel_spec_manager,
                log=self.log,
            ),
            kernels=self.kernels,
            conversations=Conversations(
                settings.data_dir / "conversations.sqlite", log=self.log, unpinned_limit=traits.max_conversations
            ),
            runs=Runs(keep_seconds=traits.keep_runs),
            settings=settings,
            encode=sse.encode,
            decode=entries,
            log=self.log,
            max_messages=traits.max_messages,
        )

    def _endpoint(self, assistant: Assistant, settings: Settings) -> Endpoint:
        """The one list of tools behind the MCP protocol; without secrets, as for any model."""

        def redact(text: str) -> tuple[str, int]:
            return Redactor(settings.secrets())(text)

        tools = Registry(notebook_tools(assistant.notebooks, self.kernels), log=self.log, redact=redact)
        asking = Registry(asking_tools(assistant), log=self.log, redact=redact)
        level, names = settings.traits.mcp_tools, frozenset(tool.name for tool in asking)
        return Endpoint(
            Desk([tools, asking], assistant.notebooks, level=level, asking=names, redact=redact), log=self.log
        )

    def _load_settings(self) -> None:
        try:
            self.known.load()
        except SettingsUnavailable as error:
            self.log.warning("Jupyter Assistant: %s", error.text)

    def _reconfigure(self) -> None:
        """Tell the models what the settings say now."""
        if self.assistant is not None:
            self.assistant.models.configure(_providers(self.known), self.known.value("model") or None)


def _providers(settings: Settings) -> list[Provider]:
    return [Provider(e.name, e.label, e.base_url, e.api_key, e.model) for e in settings.endpoints()]


_FRAME = re.compile(rb"id: (\d+)\nevent: ([a-z_]+)\ndata: [^\n]*\n\n")


def entries(frames: bytes) -> list[Entry]:
    """A stored log as the entries that ``sse.encode`` made."""
    return [Entry(int(m[1]), m[2].decode(), m[0]) for m in _FRAME.finditer(frames)]
