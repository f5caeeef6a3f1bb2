"""The cells that fit a question by its words, and what can be asked at all.

The law: it says that it only compared words, and when nothing fits.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from .evidence import Cited, Evidence, GivenCell, Piece
from .markdown import block, code, listing

_PART = re.compile(r"[^\W_]+")


def search(words: Sequence[str], evidence: Evidence) -> Iterator[Piece]:
    """The cells that have the words of the question in common with it, rare words first; honest when none does."""
    hits = _ranked(words, evidence.cells)
    if not hits:
        looked = f"{len(evidence.cells)} of {evidence.total} cells" if evidence.missing else "cells"
        yield f"I found nothing about that in the {looked} I was given.\n\n"
        yield from abilities()
        return
    yield "These cells fit your question best by its words; to judge more than that takes a language model.\n\n"
    for one, line in hits[:4]:
        yield Cited(one, line)
        yield f"{one.ref}, line {line}:\n\n"
        yield block(one.statement(line), one.language)


def elsewhere(evidence: Evidence) -> Iterator[Piece]:
    """The cells of other notebooks that came with the question, by notebook, in the order they were found."""
    many = len({one.path for one in evidence.elsewhere})
    yield f"These cells of {'other notebooks' if many > 1 else 'another notebook'} fit your question best by their "
    yield "words:\n\n"
    for one in evidence.elsewhere[:4]:
        yield Cited(one)
        yield f"{code(one.path)} {one.ref}:\n\n"
        yield block(one.content.source, one.language)
    if rest := evidence.elsewhere[4:]:
        yield from map(Cited, rest)
        yield f"Also {listing(f'{code(one.path)} {one.ref}' for one in rest)}.\n\n"


def _ranked(words: Sequence[str], cells: Sequence[GivenCell]) -> list[tuple[GivenCell, int]]:
    """(cell, line) of the cells that have any of the words, best first: BM25 over the parts of names and of prose."""
    stems = list(dict.fromkeys(_stem(word) for word in words))
    texts = [Counter(_PART.findall(one.content.source[:20_000].lower())) for one in cells]
    mean = sum(text.total() for text in texts) / max(1, len(texts)) or 1.0
    scores: dict[int, float] = {}
    for stem in stems:
        counts = [sum(times for part, times in text.items() if part.startswith(stem)) for text in texts]
        rarity = math.log(1 + len(cells) / (1 + sum(count > 0 for count in counts)))
        for at, count in enumerate(counts):
            if count:
                norm = 1.2 * (0.25 + 0.75 * texts[at].total() / mean)
                scores[at] = scores.get(at, 0.0) + rarity * count * 2.2 / (count + norm)
    best = sorted(scores, key=lambda at: (-scores[at], at))
    return [(cells[at], _best_line(cells[at].content.source[:20_000].lower(), stems)) for at in best]


def _stem(word: str) -> str:
    """What words of one family begin with, roughly."""
    for suffix in ("ing", "ed", "es", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word.removesuffix(suffix)
    return word


def _best_line(text: str, words: Sequence[str]) -> int:
    lines = text.splitlines()
    return max(range(len(lines)), key=lambda at: (sum(word in lines[at] for word in words), -at), default=0) + 1


def abilities() -> Iterator[Piece]:
    """What can be asked of this responder."""
    yield "Without a language model I can:\n\n"
    yield "- explain an error: *Why does this fail?*\n"
    yield "- find where a name comes from: *Where is `total` computed?*\n"
    yield "- outline the notebook: *What does this notebook do?*\n"
    yield "- describe a cell or a selection: *What does this cell do?*\n"
    yield "- describe a function of yours: *What does `load` do?*\n"
    yield "- tell what the kernel holds: *Which variables are there?*, *What columns does `orders` have?*\n"
    yield "- show documentation: *How do I use `pd.merge`?*\n"
    yield "- find cells of your other notebooks: *In which notebook do I plot sales?*\n\n"


def connecting() -> Iterator[Piece]:
    """How a language model is connected: in the sidebar, or by the environment."""
    yield "Open the model menu under the question: it finds local models, takes a key or the address of any "
    yield "OpenAI-compatible endpoint, and tries it before anything is saved.\n\n"
    yield "Or start Jupyter with the endpoint in its environment, for a model in Ollama like this:\n\n"
    yield "```sh\n"
    yield "export JUPYTER_ASSISTANT_BASE_URL=http://localhost:11434/v1\n"
    yield "export JUPYTER_ASSISTANT_MODEL=llama3.2\n"
    yield "jupyter lab\n"
    yield "```\n\n"
    yield "An endpoint that wants a key takes it from `JUPYTER_ASSISTANT_API_KEY`.\n\n"


def introduction() -> Iterator[Piece]:
    """The answer when no notebook came with the question."""
    yield "No notebook came with this question. Open one and ask again: I answer from its cells.\n\n"
    yield from abilities()
