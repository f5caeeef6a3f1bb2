"""The built-in responder: a real, modest assistant without a language model, for the first minute and for no network.

The law: it answers only from the typed context that came with the question, cites the cells it relies on, says what
it does not know, and says in each answer that no language model is connected.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from ...messages import Finish, Message, ModelEvent, Sources, Token
from .evidence import Cited, GivenCell, cells_of, gathered, given_cell, question_of, sources
from .questions import answer

CONNECT = (
    "*No language model is connected: this is the built-in responder. To connect one, open the model menu under the "
    "question; or set `JUPYTER_ASSISTANT_BASE_URL`, `JUPYTER_ASSISTANT_API_KEY` and `JUPYTER_ASSISTANT_MODEL` and "
    "start the server again.*"
)

_CELLS_A_STEP = 8


class Offline:
    """A ``Model`` that is no language model. It holds nothing between questions and uses no network."""

    name = "offline/responder"

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[ModelEvent, None]:
        """The answer as it is worked out, line by line; then the cells it cites, and ``Finish``."""
        evidence = gathered(messages, await _read(question_of(messages)))
        cited: list[Cited] = []
        for piece in answer(evidence):
            if isinstance(piece, Cited):
                cited.append(piece)
            elif piece:
                yield Token(piece)
                await asyncio.sleep(0)
        yield Token(CONNECT)
        if cited:
            yield Sources(sources(cited, evidence.path))
        yield Finish("stop")


async def _read(message: Message) -> list[GivenCell]:
    """The cells of a question, a few at a time: a long notebook must not hold the event loop."""
    cells: list[GivenCell] = []
    for cell_id, path, content, truncated in cells_of(message):
        cells.append(given_cell(cell_id, path, content, truncated))
        if len(cells) % _CELLS_A_STEP == 0:
            await asyncio.sleep(0)
    return cells
