"""The composition root: settings -> objects -> routes; opens in order, closes in reverse.

The law: loading costs the server's start next to nothing (no network, no subprocess, no model client; what answers is
imported and built by the first request), a wrong setting is one sentence in the log and the server runs on without the
assistant, and nothing is left behind at the end.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING

from jupyter_server.extension.application import ExtensionApp
from traitlets import TraitError

from .._version import __version__
from ..errors import Misconfigured, StoreUnavailable
from ..server.handlers import Services, off, routes
from ..settings import KERNEL_VARIABLE, KEY_VARIABLES, JupyterAssistant, Settings

if TYPE_CHECKING:
    from .composition import Composition


class AssistantExtension(ExtensionApp):
    """The server extension; its settings are those of ``JupyterAssistant``."""

    name = "jupyter_assistant"
    version = __version__
    description = "An AI assistant that knows the open notebook."
    load_other_extensions = True
    classes = [JupyterAssistant]  # noqa: RUF012  (traitlets' convention)

    def initialize_settings(self) -> None:
        """Check the settings; nothing is built yet."""
        self._opening = asyncio.Lock()
        self.kernel_secret = secrets.token_hex(32)
        self._stopped = False
        self.built: Composition | None = None
        self.wrong: Misconfigured | None = None
        try:
            self.known = Settings(JupyterAssistant(parent=self), known=self._tokens())
        except TraitError as error:
            self.wrong = Misconfigured(f"Jupyter Assistant is off: {str(error).rstrip('.')}.")
            self.log.error("%s %s", self.wrong.text, self.wrong.hint)
        finally:
            for variable in KEY_VARIABLES.values():
                os.environ.pop(variable, None)  # also when a setting is wrong: no kernel may inherit it
        os.environ[KERNEL_VARIABLE] = self.kernel_secret  # each kernel inherits this one

    def initialize_handlers(self) -> None:
        """Put the routes under ``{base_url}assistant/``."""
        if self.wrong is not None:
            self.handlers.extend(off(r"/", self.wrong))
        else:
            self.handlers.extend(routes(r"/", Services(self.known, self.open, self.kernel_secret)))

    async def open(self) -> Composition:
        """What answers, built and its stores open, once; requests that come meanwhile wait here.

        Raises Misconfigured, and StoreUnavailable once the extension has been stopped.
        """
        if self.wrong is not None:
            raise self.wrong
        if self.built is not None:
            return self.built
        async with self._opening:
            if self._stopped:
                raise StoreUnavailable("The server is stopping.", "Start the server again.")
            if self.built is None:
                self.built = await self._build()
            return self.built

    async def _build(self) -> Composition:
        await asyncio.get_running_loop().run_in_executor(None, _import)
        from .composition import Composition

        built = Composition(self.known, self.serverapp, self.log)
        try:
            await built.open()
        except Exception:
            self.log.exception("Jupyter Assistant could not open its stores")
            raise
        return built

    async def stop_extension(self) -> None:
        """Interrupt what runs, then close in reverse order."""
        async with self._opening:
            self._stopped = True
            built, self.built = self.built, None
        if os.environ.get(KERNEL_VARIABLE) == self.kernel_secret:
            del os.environ[KERNEL_VARIABLE]
        if built is not None:
            await built.close()

    def _tokens(self) -> tuple[str, ...]:
        """The server's own token and its kernels', which are a shell to whoever has them; they must reach no model."""
        provider = self.serverapp.identity_provider if self.serverapp else None
        return (str(getattr(provider, "token", "")), self.kernel_secret)


def _import() -> None:
    """Import what answers; in a thread, since it takes long enough to be felt by others."""
    from . import composition  # noqa: F401
