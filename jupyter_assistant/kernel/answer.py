"""An answer as a value: its text, code, sources, usage; shown as Markdown in a notebook, as text in a terminal.

The law: it holds what came, also of an answer that failed or was stopped, and asks nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .transcript import Transcript, blocks, code_of, quoted, tame, value

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """``text`` is the whole answer in Markdown. ``reason`` says how it ended (``stop``, ``length``, ``cancelled``,
    ``error``, ``limit``, ``interrupted``); ``error`` is ``{code, text, hint}`` of one that failed.

    ``sources`` are ``{title, path, cell_id?, url, snippet}``, ``usage`` is ``{input_tokens, output_tokens, seconds}``
    where the model told it.
    """

    text: str
    model: str = ""
    reason: str = ""
    conversation_id: str = ""
    sources: list[Json] = field(default_factory=list, repr=False)
    usage: Json = field(default_factory=dict, repr=False)
    error: Json | None = None

    @classmethod
    def of(cls, transcript: Transcript) -> Answer:
        """What has come."""
        return cls(
            transcript.text,
            transcript.model,
            transcript.reason,
            transcript.conversation_id,
            transcript.sources,
            transcript.usage,
            transcript.error,
        )

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """The code blocks, each with its language (empty without one)."""
        return blocks(self.text)

    @property
    def code(self) -> str:
        """The answer's code for this kernel, a blank line between its blocks; empty when there is none.

        Blocks that name another language, a shell's or an output, are left out where there is any Python.
        """
        return code_of(self.blocks)

    def json(self) -> Any:
        """The answer's JSON value. Raises ValueError when it has none."""
        return value(self.text)

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return "\n\n".join(filter(None, [tame(self.text).strip(), quoted(self.error) if self.error else ""]))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text.strip())
