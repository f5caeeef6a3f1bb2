"""What a window refuses, or cannot answer any more, as errors of ours.

The law: an error says whether what was asked may have been done: nothing was where it was never sent, or refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import AssistantError, CellNotFound, EditRefused, KernelUnable, TabClosed, TabUnresponsive
from .reading import BadAnswer, Unknown
from .window import Lost, Refusal

GONE = "The notebook's file is what there is now: read it again before you go on."


class Stale(Exception):
    """A cell is not what the edits were decided on any more."""


@contextmanager
def told(path: str, what: str, *, sent: bool) -> Iterator[None]:
    """Failures of asking for ``what`` as errors; ``sent``: a change was on its way.

    Raises ``Stale``, ``TabUnresponsive``, ``TabClosed``, ``CellNotFound``, ``EditRefused``, ``KernelUnable``.
    """
    try:
        yield
    except Refusal as refusal:
        raise refused(refusal, path) from None
    except Lost as lost:
        raise _lost(lost, path, what if sent else "") from None
    except (BadAnswer, Unknown) as error:
        raise unresponsive(path, what if sent else "") from error


def unresponsive(path: str, sent: str = "") -> TabUnresponsive:
    """No answer; ``sent`` is what was on its way."""
    if not sent:
        return TabUnresponsive(f"JupyterLab, which has {path} open, does not answer; nothing was changed.")
    return TabUnresponsive(
        f"JupyterLab, which has {path} open, stopped answering while the {sent} was on its way.", _perhaps(sent)
    )


def _lost(lost: Lost, path: str, sent: str) -> AssistantError:
    if not lost.for_good:
        return unresponsive(path, sent)
    if not sent:
        return TabClosed(f"The tab with {path} was closed; nothing was done.", GONE)
    return TabClosed(f"The tab with {path} was closed while the {sent} was on its way.", _perhaps(sent))


def _perhaps(sent: str) -> str:
    return f"The {sent} may have been made: read the notebook before you repeat it."


def refused(refusal: Refusal, path: str) -> Exception:
    """What a window says it did not do."""
    text, hint = refusal.text("text"), refusal.text("hint")
    if refusal.code == "stale":
        return Stale()
    if refusal.code == "cell_not_found":
        return CellNotFound(f"{path} has no cell {refusal.text('cell_id')[:64]}.")
    if refusal.code == "unknown_document":
        return TabClosed(f"The tab with {path} was closed; nothing was done.", GONE)
    if refusal.code == "kernel_unable":
        return KernelUnable(text or f"The kernel of {path} could not be started.", hint)
    if refusal.code == "refused":
        return EditRefused(text or f"JupyterLab refused to change {path}.", hint)
    if refusal.code == "cancelled":
        return unresponsive(path)
    return TabUnresponsive(f"JupyterLab, which has {path} open, failed: {text or 'it does not say why'}", hint)
