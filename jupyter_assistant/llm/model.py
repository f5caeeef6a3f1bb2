"""The seam to models, and the one behind it that speaks to a gateway.

The law: a model streams events and ends with ``Finish``, or raises a ``ProviderError``; whatever text had come is
yielded before either. Closing the stream closes the gateway's connection at once. A request is repeated only before
the first byte of its answer.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, MutableMapping, Sequence
from contextlib import aclosing
from typing import Protocol

from ..errors import GatewayFailed, ProviderError, QuotaExceeded, RateLimited
from ..messages import Json, Message, ModelEvent, Status
from ..sse import Decoder, TooLong
from . import openai
from .client import AGAIN, Client, Dropped, Reply
from .faults import not_a_gateway, refused
from .provider import Options, Provider


class Model(Protocol):
    """What answers messages. ``name`` is ``provider/model``."""

    @property
    def name(self) -> str: ...

    def stream(self, messages: Sequence[Message]) -> AsyncGenerator[ModelEvent, None]:
        """The answer's events, ``Finish`` last; an async generator, to be closed. Raises ProviderError."""


class GatewayModel:
    """One model of an OpenAI-compatible endpoint.

    ``refusals`` remembers, by model, what a gateway has refused, so that it is not asked for again. ``seen`` is told
    how a call went: None for well, or the error.
    """

    def __init__(
        self,
        provider: Provider,
        model: str,
        client: Client,
        options: Options,
        refusals: MutableMapping[str, frozenset[str]],
        seen: Callable[[ProviderError | None], None],
    ) -> None:
        self._provider = provider
        self._model = model
        self._client = client
        self._options = options
        self._refusals = refusals
        self._seen = seen

    @property
    def name(self) -> str:
        """``provider/model``, the model as the endpoint names it."""
        return f"{self._provider.name}/{self._model}"

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[ModelEvent, None]:
        """The answer to the messages; a ``Status`` tells of each wait before another attempt."""
        started = time.monotonic()
        answer = openai.Answer(self._provider, self._model)
        try:
            async with aclosing(self._opened(messages)) as steps:
                async for step in steps:
                    if isinstance(step, Status):
                        yield step
                        continue
                    async with aclosing(_read(step, self._provider, answer)) as batches:
                        async for batch in batches:
                            for event in batch:
                                yield event
            if usage := answer.usage(time.monotonic() - started):
                yield usage
            yield answer.finish()
        except ProviderError as error:
            self._seen(error)
            raise

    async def _opened(self, messages: Sequence[Message]) -> AsyncGenerator[Status | Reply, None]:
        """Attempts until one is answered: a Status before each wait, the Reply last, closed when it is left."""
        without = self._refusals.get(self.name, frozenset())
        attempt = 1
        while True:
            body = openai.request(messages, self._model, self._options, without)
            outcome = await self._attempt(body, without)
            if isinstance(outcome, Reply):
                self._refusals[self.name] = without
                self._seen(None)
                try:
                    yield outcome
                finally:
                    await outcome.close()
                return
            if isinstance(outcome, frozenset):
                without = outcome
                continue
            pause = self._client.pause(attempt, outcome.retry_after)
            if pause is None:
                raise outcome
            yield Status(_waiting(outcome, pause))
            await asyncio.sleep(pause)
            attempt += 1

    async def _attempt(self, body: Json, without: frozenset[str]) -> Reply | frozenset[str] | ProviderError:
        """The reply; or what to leave out next time; or what may pass in a moment. Raises what will not."""
        try:
            reply = await self._client.post(self._provider, openai.PATH, body)
        except Dropped as dropped:
            return dropped
        if reply.status == 200:
            return reply
        refusal = await reply.refusal()
        if (less := openai.amended(body, without, refusal)) is not None:
            return less
        error = refused(self._provider, self._model, refusal)
        if refusal.status in AGAIN and not isinstance(error, QuotaExceeded):
            return error
        raise error


async def _read(reply: Reply, provider: Provider, answer: openai.Answer) -> AsyncGenerator[list[ModelEvent], None]:
    """What each network read adds to the answer; a failure is left with the answer, behind all that came before it."""
    decoder = Decoder()
    try:
        if reply.content_type == "application/json":
            yield answer.whole(await reply.body())
        elif reply.content_type != "text/event-stream":
            answer.fail(not_a_gateway(provider, reply.content_type))
        else:
            while not answer.done and (chunk := await reply.read()):
                yield [found for event in decoder.feed(chunk) for found in answer.feed(event)]
    except TooLong as error:
        answer.fail(GatewayFailed(f"{provider.host} sent an event of more than 4 MB."), error)
    except ProviderError as error:
        answer.fail(error)
    yield answer.close(decoder.close())
    if answer.done and answer.failure is None:
        await reply.settle()


def _waiting(error: ProviderError, seconds: float) -> str:
    """What the user reads while an attempt is awaited."""
    what = "Rate limited" if isinstance(error, RateLimited) else error.text.rstrip(".").partition(": ")[0]
    when = f"in {math.ceil(seconds)} s" if seconds >= 1 else "now"
    return f"{what}. Trying again {when}…"
