"""The scaling process: one image in base64 on standard input, a smaller one on standard output, nothing if it fails.

The law: it starts without ``site`` and without the package (``images.py`` runs this file alone), is told no path of
the user's, opens no file, and can take neither the machine's memory nor its processor for long: limits hold.

Scaling averages boxes of pixels: each new pixel is the mean of the area it covers, edges counted by their part.
"""

from __future__ import annotations

import binascii
import io
import os
import sys
from itertools import accumulate, pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

MEMORY = 1_000_000_000
SECONDS = 30
SMALLEST = 64
"""Pixels of the longer side below which an image is not worth showing."""


def main() -> None:
    """Input: a line ``library side bytes pixels``, then the base64."""
    _limit()
    order, _, base64 = sys.stdin.buffer.read().partition(b"\n")
    library, side, most_bytes, most_pixels = order.decode().split()
    scale = pillow if library == "PIL" else plain
    try:
        made = scale(binascii.a2b_base64(base64), int(side), int(most_bytes), int(most_pixels))
    except Exception:  # whatever a broken image makes a decoder do, the answer is that there is none
        made = b""
    sys.stdout.buffer.write(made)
    sys.stdout.flush()
    os._exit(0)


def _limit() -> None:
    """Where the platform can: no more memory and no more processor time than a large image needs."""
    try:
        import resource
    except ImportError:
        return
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS)):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):
            continue


def sides(width: int, height: int, side: int) -> tuple[int, int]:
    """The size whose longer side is at most ``side``, in proportion."""
    longer = max(width, height)
    if longer <= side:
        return width, height
    return max(1, round(width * side / longer)), max(1, round(height * side / longer))


# ---------------------------------------------------------------- with Pillow


def pillow(image: bytes, side: int, most_bytes: int, most_pixels: int) -> bytes:
    """A PNG, or a JPEG of what was one or is too large as a PNG."""
    import warnings

    import PIL.Image

    warnings.simplefilter("ignore")
    PIL.Image.MAX_IMAGE_PIXELS = most_pixels
    with PIL.Image.open(io.BytesIO(image), formats=("PNG", "JPEG", "GIF", "WEBP")) as opened:
        photo = opened.format == "JPEG"
        if photo:
            opened.draft("RGB", (side, side))
        picture = opened.convert("RGBA" if _has_alpha(opened) else "RGB")
    while side >= SMALLEST:
        small = picture.resize(sides(picture.width, picture.height, side), PIL.Image.Resampling.BOX)
        for kind in ("JPEG",) if photo else ("PNG", "JPEG"):
            made = _saved(small, kind)
            if len(made) <= most_bytes:
                return made
        side //= 2
    return b""


def _has_alpha(picture: Any) -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def _saved(picture: Any, kind: str) -> bytes:
    made = io.BytesIO()
    if kind == "JPEG" and picture.mode == "RGBA":
        import PIL.Image

        paper = PIL.Image.new("RGB", picture.size, "white")
        paper.paste(picture, mask=picture.getchannel("A"))
        picture = paper
    picture.save(made, kind)
    return made.getvalue()


# ---------------------------------------------------------------- without


def plain(image: bytes, side: int, most_bytes: int, most_pixels: int) -> bytes:
    """A PNG, as small as it has to be."""
    import png  # type: ignore[import-untyped]  # pypng has no types

    width, height, rows, info = png.Reader(bytes=image).asDirect()
    if width * height > most_pixels:
        return b""
    planes, most = info["planes"], (1 << info["bitdepth"]) - 1
    size = sides(width, height, side)
    lines = [_bytes(line, 255 / most) for line in shrunk(rows, (width, height), size, planes)]
    while max(size) >= SMALLEST:
        made = io.BytesIO()
        png.Writer(*size, greyscale=info["greyscale"], alpha=info["alpha"], bitdepth=8).write(made, lines)
        if made.tell() <= most_bytes:
            return made.getvalue()
        smaller = sides(size[0], size[1], max(size) // 2)
        lines = [_bytes(line, 1) for line in shrunk(lines, size, smaller, planes)]
        size = smaller
    return b""


def _bytes(values: Sequence[float], factor: float) -> bytes:
    return bytes([int(value * factor + 0.5) for value in values])


def shrunk(
    rows: Iterable[Sequence[int]], size: tuple[int, int], smaller: tuple[int, int], planes: int
) -> list[list[float]]:
    """The rows of an image of ``size`` (width, height), each of ``planes`` values a pixel, as those of ``smaller``."""
    made: list[list[float]] = []
    step = size[1] / smaller[1]
    total = [0.0] * (smaller[0] * planes)
    for at, row in enumerate(rows):
        narrow = _narrowed(row, smaller[0], planes)
        end = step * (len(made) + 1)
        part = min(1.0, end - at)
        total = [old + part * new for old, new in zip(total, narrow)]  # noqa: B905 (as long as each other, and hot)
        if at + 1 >= end - 1e-9 and len(made) < smaller[1]:
            made.append([value / step for value in total])
            rest = 1.0 - part
            total = [rest * value for value in narrow]
    return made


def _narrowed(row: Sequence[int], width: int, planes: int) -> list[float]:
    """One row with the mean of each box: the running sum at its end less that at its start, over its length."""
    made = [0.0] * (width * planes)
    for plane in range(planes):
        values = row[plane::planes]
        sums = [0, *accumulate(values), 0]
        step = len(values) / width
        values = [*values, 0]
        at = [sums[int(edge)] + (edge - int(edge)) * values[int(edge)] for edge in (step * x for x in range(width + 1))]
        made[plane::planes] = [(after - before) / step for before, after in pairwise(at)]
    return made
