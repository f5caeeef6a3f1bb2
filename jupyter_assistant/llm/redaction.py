"""Keeps keys out of what the HTTP libraries log, at any level, without silencing them.

The law: the loggers of httpx and httpcore belong to the whole process; only the secrets are taken out of them.
"""

from __future__ import annotations

import logging

from .provider import Provider

LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
"""A filter sees only the records of the very logger it is put on, so each is named."""


class Redaction(logging.Filter):
    """Takes the secrets of every provider that was asked out of what httpx and httpcore log."""

    def __init__(self) -> None:
        super().__init__()
        self._providers: dict[str, Provider] = {}
        self._secrets: frozenset[str] = frozenset()

    def hide(self, provider: Provider) -> None:
        """Have this provider's secrets hidden from now on."""
        if self._providers.get(provider.name) != provider:
            self._providers[provider.name] = provider
            self._secrets |= provider.secrets()

    def attach(self) -> None:
        """Begin; once for every ``detach``."""
        for name in LOGGERS:
            logging.getLogger(name).addFilter(self)

    def detach(self) -> None:
        """End: the loggers are as they were."""
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the secrets."""
        said = record.getMessage()
        for secret in self._secrets:
            said = said.replace(secret, "[hidden]")
        record.msg, record.args = said, None
        return True
