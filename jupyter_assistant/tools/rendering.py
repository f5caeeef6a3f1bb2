"""Cells and outputs as a model reads them: one compact form everywhere, within the budget of a result.

The law: wherever a cell is shown, its id, hash, type, place and execution count stand beside it; what a notebook
holds stays between fences; base64 never becomes text. What does not fit is cut where it hurts least and said.

A cell is called by its place from 1, as everywhere a person or a model sees it; offsets count from 0.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..messages import Json
from ..notebooks.cells import Cell, Output, Snapshot
from ..notebooks.outputs import TRACEBACK_BUDGET, WHOLE, left_out, output_record, shown
from . import Content, Image, Text
from .images import MAX_BYTES, MAX_IMAGES, Images, Picture, image_of
from .tables import table_digest
from .text import BUDGET, encodable, fenced, shares, size, within
from .tracebacks import FRAME_START, traceback_excerpt

MOST_OUTPUTS = 24
"""Outputs of one cell that are shown: the first third of them and the last two thirds."""

T = TypeVar("T")

_LANGUAGE = re.compile(r"[A-Za-z][\w+#-]{0,30}")
_LINE = re.compile("\n")
_REPR = re.compile(r"<[^\n]{0,200}>")
_FENCE_BYTES = 24
_SHRINKING = (1.0, 0.6, 0.4, 0.25)


@dataclass(frozen=True, slots=True)
class Piece:
    """One output to be shown: ``kind`` names it on its fence, ``chars`` is its length before it was cut to ``text``."""

    kind: str
    text: str
    chars: int
    opening: re.Pattern[str] = _LINE

    def within(self, room: int) -> str:
        if len(self.text) <= room:
            return self.text
        return shown((self.text, self.text, max(self.chars, len(self.text))), max(room, 0), self.opening)[0]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, whole, with the outputs (nbformat) below it and the ``notes`` below these."""

    heading: str
    outputs: tuple[Json, ...] = ()
    notes: tuple[str, ...] = ()


# ---------------------------------------------------------------- cells


def named(path: str) -> str:
    """A path as text: as it is, or quoted where something in it could be taken for more than a path."""
    return path if path.isprintable() and path.strip() == path else json.dumps(path)


def heading(cell: Cell, *, runs: bool = False) -> str:
    """``[cell 4] id "a1b2" · hash 0123456789ab · code · run as [5]``"""
    return f"[cell {cell.index + 1}] {identity(cell, runs=runs)}"


def identity(cell: Cell, *, runs: bool = False) -> str:
    """What names a cell and its state, without its place; ``runs``: it is at work, whatever its count."""
    kind = cell.cell_type if cell.cell_type in ("code", "markdown", "raw") else "unknown type"
    facts = [f"id {json.dumps(cell.id[:200])}", f"hash {cell.hash}", kind]
    if kind == "code" and (cell.execution_count is not None or not runs):
        facts.append("not run" if cell.execution_count is None else f"run as [{cell.execution_count}]")
    return " · ".join([*facts, *(["not saved yet"] if cell.unsaved else [])])


def source(cell: Cell, snapshot: Snapshot, room: int) -> str:
    """The cell's source between fences, cut to ``room`` bytes."""
    if not cell.source:
        return "(empty)"
    language = snapshot.language if _LANGUAGE.fullmatch(snapshot.language) else "text"
    kind = {"code": language, "markdown": "markdown"}.get(cell.cell_type, "text")
    return fenced(within(encodable(cell.source), room), kind)


def digests(cell: Cell, room: int) -> list[str]:
    """The outputs of a cell as they were digested when the notebook was read, ``room`` characters each."""
    return [_digest(each, room) if isinstance(each, Output) else each for each in _chosen(cell.outputs)]


def _digest(output: Output, room: int) -> str:
    if output.error is not None:
        text, chars = shown(traceback_excerpt([output.error.traceback], output.error.name, output.error.value), WHOLE)
        piece = Piece("error", text, chars, FRAME_START)
    else:
        piece = Piece(_kind(output.output_type), output.text, output.chars)
    return fenced(encodable(piece.within(room)), piece.kind)


def _kind(output_type: str, name: object = "") -> str:
    known = {"execute_result": "result", "display_data": "display", "stream": "output"}
    return name if name in ("stdout", "stderr") and isinstance(name, str) else known.get(output_type, "output")


def _chosen(outputs: Sequence[T]) -> list[T | str]:
    """The outputs that are shown, with a line for those that are not."""
    if len(outputs) <= MOST_OUTPUTS:
        return list(outputs)
    first = MOST_OUTPUTS // 3
    last = MOST_OUTPUTS - first
    return [*outputs[:first], left_out(len(outputs) - MOST_OUTPUTS, "outputs"), *outputs[-last:]]


# ---------------------------------------------------------------- outputs


async def rendered(
    sections: Sequence[Section], images: Images, *, opening: str = "", closing: str = "", budget: int = BUDGET
) -> tuple[Content, ...]:
    """Sections as one text of at most ``budget`` bytes, then the images it names."""
    drawn, pictures = await _drawn(sections, images)
    parts: list[str | Piece] = [opening]
    for section in sections:
        parts.append(section.heading)
        for output in _chosen(section.outputs):
            parts += _pieces(output, drawn)
            await asyncio.sleep(0)  # one output is digested in some milliseconds; there may be many
        parts += section.notes
    text = _fitted([part for part in (*parts, closing) if part], budget)
    return (Text(text), *(Image(picture.mime, picture.data) for picture in pictures))


def _fitted(parts: Sequence[str | Piece], budget: int) -> str:
    """Fixed texts whole, and the pieces in what room they leave, each as much as it needs or an equal share."""
    pieces = [part for part in parts if isinstance(part, Piece)]
    fixed = sum(size(part) + 1 for part in parts if isinstance(part, str)) + _FENCE_BYTES * len(pieces)
    for factor in _SHRINKING:
        rooms = iter(shares([len(piece.text) for piece in pieces], int((budget - fixed) * factor)))
        text = "\n".join(part if isinstance(part, str) else _shown(part, next(rooms)) for part in parts)
        if size(text) <= budget:
            return text
    return within(text, budget)


def _shown(piece: Piece, room: int) -> str:
    return fenced(encodable(piece.within(room)), piece.kind)


def _pieces(output: Json | str, drawn: dict[int, str]) -> Iterator[str | Piece]:
    if isinstance(output, str):
        yield output
        return
    if output.get("output_type") == "error":
        yield _error(output)
        return
    image = drawn.get(id(output))
    if image is not None:
        yield image
    record = output_record(_told(output, image is not None), WHOLE)
    if record[1]:
        yield Piece(_kind(record[0], output.get("name")), record[1].rstrip("\n"), record[2])


def _error(output: Json) -> Piece:
    lines = output.get("traceback")
    frames = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    excerpt = traceback_excerpt(frames, str(output.get("ename", "")), str(output.get("evalue", ""))[:2_000])
    text, chars = shown(excerpt, TRACEBACK_BUDGET, FRAME_START)
    return Piece("error", text, chars, FRAME_START)


def _told(output: Json, has_image: bool) -> Json:
    """The output as its text is taken from: dataframes as their digest, no image that is shown beside it."""
    data = output.get("data")
    if not isinstance(data, dict):
        return output
    plain = _text(data.get("text/plain"))
    if has_image:
        data = {mime: value for mime, value in data.items() if not mime.startswith("image/")}
        data = {} if set(data) <= {"text/plain"} and _REPR.fullmatch(plain) else data
    elif "text/html" in data and (digest := table_digest(_text(data["text/html"]), plain)):
        data = {"text/plain": digest}
    return {**output, "data": data}


def _text(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else value if isinstance(value, str) else ""


# ---------------------------------------------------------------- images


async def _drawn(sections: Sequence[Section], images: Images) -> tuple[dict[int, str], list[Picture]]:
    """What stands in the text for each output with an image, by the output's identity, and the images shown."""
    found = [
        (output, image)
        for section in sections
        for output in _chosen(section.outputs)
        if isinstance(output, dict) and isinstance(data := output.get("data"), dict) and (image := image_of(data))
    ]
    shown_ones = found[:MAX_IMAGES]
    room = MAX_BYTES // max(1, len(shown_ones))
    made = await asyncio.gather(*(images.picture(mime, base64, room) for _, (mime, base64) in shown_ones))
    pictures = [picture for picture in made if isinstance(picture, Picture)]
    numbers = {id(picture): number for number, picture in enumerate(pictures, 1)}
    texts = {
        id(output): each if isinstance(each, str) else f"[image {numbers[id(each)]} below: {each.note}]"
        for (output, _), each in zip(shown_ones, made, strict=True)
    }
    for output, (mime, _) in found[MAX_IMAGES:]:
        texts[id(output)] = f"[{mime}, not shown: at most {MAX_IMAGES} images a result]"
    return texts, pictures
