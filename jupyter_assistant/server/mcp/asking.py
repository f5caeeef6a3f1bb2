"""``ask_notebook``: the assistant's own answer, for an MCP client that wants an answer and not the cells.

The law: it is the chat's question, context and run; whoever stops waiting for the answer stops it.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from ...assistant import Assistant
from ...errors import ToolError
from ...messages import Json, NotebookFocus, Question
from ...runs import AnyRun
from ...tools import Tool
from .caller import CALLER

MOST_SOURCES = 20
MOST_CHARS = 32_000
"""Of a question, as over HTTP."""


def asking_tools(assistant: Assistant) -> list[Tool]:
    """The tools that only the endpoint adds."""

    async def ask_notebook(
        question: Annotated[str, "What to find out"],
        path: Annotated[str, "Notebook it is about, relative to the server's root"] = "",
    ) -> str:
        """Ask this server's assistant about a notebook; it answers from the notebook as it is now and cites cells.

        The answer comes from the user's own model, or without one from a modest built-in responder. To work with the
        cells yourself, use read_notebook.
        """
        if not question.strip() or len(question) > MOST_CHARS:
            raise ToolError(f"question: expected 1 to {MOST_CHARS} characters.", "Say what to find out.")
        focus = NotebookFocus(path) if path else None
        owner = CALLER.get().owner
        run = await assistant.ask(Question(question, notebook=focus), owner)
        try:
            await run.wait()
        except asyncio.CancelledError:
            await asyncio.shield(assistant.stop(owner, run.id))
            raise
        return _told(run)

    return [Tool(ask_notebook, "read", "Ask about a notebook")]


def _told(run: AnyRun) -> str:
    """The answer, then its sources; raises ``ToolError`` with what there is of an answer that failed."""
    parts = {part["type"]: part for part in run.snapshot()["parts"]}
    text = str(parts.get("text", {}).get("text", ""))
    if "error" in parts:
        said = f"{text}\n{parts['error']['text']}" if text else parts["error"]["text"]
        raise ToolError(said, parts["error"]["hint"])
    return "\n".join([text, *_sources(parts.get("sources", {}).get("sources", []))])


def _sources(sources: list[Json]) -> list[str]:
    lines = [f"- {source['path']} · cell {source.get('cell_id', '')} · {source['title']}" for source in sources]
    return ["", "Sources:", *lines[:MOST_SOURCES]] if lines else []
