"""What the notebook's kernel knows of a question, asked while the notebook is being read.

The law: a question is never held up for long by a kernel, nor a kernel by a question; what is not known is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import Protocol, TypeVar

from ..context.kernel import documentation_asked, is_asked, names_asked
from ..errors import KernelError, KernelNotFound
from ..messages import KernelView, Variable
from ..notebooks.kernels import Inspection
from ..notebooks.kernels import Variable as Known
from ..notebooks.outputs import clean

SECONDS = 1.5
"""The longest a question about what the kernel holds waits for it."""
UNASKED = 0.3
"""The same of any other question; a kernel that is not stuck answers in some milliseconds."""
SUMMARY_CHARS = 60

T = TypeVar("T")


class Kernels(Protocol):
    """Whom to ask (``notebooks.kernels``)."""

    async def variables(self, path: str, pattern: str = "*") -> tuple[Known, ...]:
        """All names; raises ``KernelError``."""

    async def inspect(self, path: str, name: str) -> Inspection:
        """A closer look at one; raises ``KernelError``."""

    async def documentation(self, path: str, name: str) -> str:
        """What the kernel says about a name; raises ``KernelError``."""


async def view(kernels: Kernels, path: str, question: str) -> KernelView | None:
    """What the kernel of the notebook at ``path`` knows of ``question``; None where the notebook has no kernel."""
    seconds = SECONDS if is_asked(question) else UNASKED
    try:
        return await asyncio.wait_for(_view(kernels, path, question), seconds)
    except KernelNotFound:
        return None
    except KernelError as error:
        return KernelView(missing=error.text)
    except asyncio.TimeoutError:
        return KernelView(missing="The kernel did not answer in time; what its variables hold is not known.")


def joined(known: KernelView | None, sent: tuple[Variable, ...]) -> KernelView | None:
    """What the kernel knows, with the values that came with the question: those are what the user sees."""
    if not sent:
        return known
    known = known or KernelView()
    names = {one.name for one in sent}
    return replace(known, named=(*sent, *(one for one in known.named if one.name not in names)))


async def _view(kernels: Kernels, path: str, question: str) -> KernelView:
    known: tuple[Known, ...] = ()
    missing = ""
    try:
        known = await kernels.variables(path)
    except KernelNotFound:
        raise
    except KernelError as error:
        missing = error.text
    variables = tuple(_variable(one) for one in known)
    named = await _those(kernels.inspect(path, name) for name in names_asked(question, variables))
    wanted = documentation_asked(question)
    told = await _those(_documentation(kernels, path, name) for name in wanted)
    return KernelView(variables, tuple(_looked(one) for one in named), tuple(told), missing)


async def _documentation(kernels: Kernels, path: str, name: str) -> Variable:
    return Variable(name, "", "", clean(await kernels.documentation(path, name)))


async def _those(asked: Iterable[Awaitable[T]]) -> list[T]:
    """The results of those that succeed, in order: a name may be gone since it was listed."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, KernelError):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]


def _variable(one: Known) -> Variable:
    shape = " x ".join(f"{length:,}".replace(",", " ") for length in one.shape or ())
    if not shape and len(one.summary) <= SUMMARY_CHARS:
        shape = one.summary
    return Variable(one.name, one.type, shape)


def _looked(found: Inspection) -> Variable:
    one = _variable(found.variable)
    return Variable(one.name, one.type, one.shape, clean(found.text))
