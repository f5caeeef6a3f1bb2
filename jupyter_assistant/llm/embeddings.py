"""Vectors of texts from an OpenAI-compatible endpoint.

The law: what is sent has no secrets in it; a text that an endpoint cannot take costs that text its vector, not the
others theirs. Vectors come back with length 1, whatever the endpoint gives.
Source: the OpenAI API reference (``POST embeddings``), and what vLLM, Ollama, LM Studio and LiteLLM leave out of it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import sys
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ContextTooLong, NotAGateway, ProviderError, QuotaExceeded, RequestRejected
from ..messages import Json
from .client import AGAIN, Client, Dropped
from .faults import refused
from .provider import Provider

PATH = "embeddings"
SHORT = 1_000
"""Characters of a text that is tried once more, after it was too long."""
_ANSWER_BYTES = 32 * 2**20
_FORMAT = "encoding_format"

Redact = Callable[[str], tuple[str, int]]


class Embeddings:
    """One embedding model of an endpoint. ``redact`` takes the secrets out of a text and counts them."""

    def __init__(self, provider: Provider, model: str, client: Client, redact: Redact) -> None:
        self._provider = provider
        self._model = model
        self._client = client
        self._redact = redact
        self._packed = True
        self._worked = False

    @property
    def name(self) -> str:
        """Of endpoint and model together; not to be read."""
        return hashlib.sha256(f"{self._provider.shown_url}\0{self._model}".encode()).hexdigest()[:16]

    @property
    def shown(self) -> str:
        """For people: the model and its host."""
        return f"{self._model} at {self._provider.host}"

    async def embed(self, texts: Sequence[str], *, tries: int = 3) -> list[array[float]]:
        """A vector of length 1 for each text, an empty one where the endpoint cannot take it.

        Asked up to ``tries`` times where waiting may help. Raises ProviderError.
        """
        clean = await asyncio.to_thread(lambda: [self._redact(text)[0] for text in texts])
        return await self._each(clean, tries)

    async def _each(self, texts: list[str], tries: int) -> list[array[float]]:
        """Together, else in halves down to the one that is refused, which is tried once more cut short."""
        try:
            found = await self._together(texts, tries)
        except (ContextTooLong, RequestRejected):
            if len(texts) > 1:
                middle = len(texts) // 2
                return [*await self._each(texts[:middle], tries), *await self._each(texts[middle:], tries)]
            if len(texts[0]) > SHORT:
                return await self._each([texts[0][:SHORT]], tries)
            if not self._worked:  # it is not this text, then
                raise
            return [array("f")]
        self._worked = True
        return found

    async def _together(self, texts: list[str], tries: int) -> list[array[float]]:
        attempt = 1
        while True:
            try:
                return await self._asked(texts)
            except ProviderError as error:
                passing = isinstance(error, _Passing | Dropped)
                pause = self._client.pause(attempt, error.retry_after) if passing and attempt < tries else None
                if pause is None:
                    raise (error.error if isinstance(error, _Passing) else error) from error.__cause__
            await asyncio.sleep(pause)
            attempt += 1

    async def _asked(self, texts: list[str]) -> list[array[float]]:
        body: Json = {"model": self._model, "input": texts}
        if self._packed:
            body[_FORMAT] = "base64"
        reply = await self._client.post(self._provider, PATH, body)
        if reply.status == 200:
            try:
                answer = await reply.body(_ANSWER_BYTES)
            finally:
                await reply.close()
            return await asyncio.to_thread(self._read, answer, len(texts))
        refusal = await reply.refusal()
        if self._packed and refusal.status in (400, 422) and _FORMAT.encode() in refusal.body:
            self._packed = False
            return await self._asked(texts)
        error = refused(self._provider, self._model, refusal)
        raise _Passing(error) if refusal.status in AGAIN and not isinstance(error, QuotaExceeded) else error

    def _read(self, answer: bytes, count: int) -> list[array[float]]:
        """The vectors in the order of the texts; raises NotAGateway."""
        try:
            data = json.loads(answer)["data"]
            found = {int(one.get("index", at)): _vector(one["embedding"]) for at, one in enumerate(data)}
            return [found[at] for at in range(count)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            said = f"{self._provider.host} did not answer with embeddings."
            raise NotAGateway(said, "Check embeddings_base_url and embeddings_model.") from error


class _Passing(ProviderError):
    """``error``, after which the same request may succeed in a moment."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(error.text, error.hint, retry_after=error.retry_after)
        self.error = error


def _vector(found: Any) -> array[float]:
    """A list of numbers, or float32 in base64, brought to length 1; empty for one without a direction."""
    if isinstance(found, str):
        values = array("f")
        values.frombytes(base64.b64decode(found, validate=True))
        if sys.byteorder == "big":
            values.byteswap()
    else:
        values = array("f", found)
    length = math.sqrt(math.fsum(value * value for value in values))
    return array("f", (value / length for value in values)) if 0 < length < math.inf else array("f")
