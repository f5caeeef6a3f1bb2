"""Images of outputs, small enough for a model: found, checked by their headers, scaled down where they are too large.

The law: nothing is decoded on the event loop, or at all before its header has said how large it would become; a
process of its own does it, with bounded memory and time, and an image that cannot be shown is named with the reason.
"""

from __future__ import annotations

import asyncio
import binascii
import os
import sys
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..notebooks.outputs import dimensions, label

MAX_SIDE = 768
"""Pixels of the longer side of an image that is shown."""
MAX_PIXELS = 40_000_000
MAX_IMAGES = 4
MAX_BYTES = 600_000
"""Of all images of one result together: with base64 and the text still below the 1 MiB some clients take."""
TIMEOUT = 15.0
PROCESSES = 2

_MIMES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_HEADER_CHARS = 64_000
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
# `scaling` alone, by its path: neither `site` nor our package is imported.
_BOOT = "import runpy, sys; sys.path += sys.argv[2:]; runpy.run_path(sys.argv[1])['main']()"
_COMMAND = ("-I", "-S", "-X", "utf8", "-c", _BOOT, str(Path(__file__).with_name("scaling.py")))


@dataclass(frozen=True, slots=True)
class Picture:
    """An image to be shown; ``note`` says what it is (``image/png 640x480``)."""

    mime: str
    data: bytes
    note: str


def image_of(data: Mapping[str, object]) -> tuple[str, str] | None:
    """Mime type and base64 of the image in an output's data, the first that models read; None without one."""
    for mime in _MIMES:
        value = data.get(mime)
        text = "".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(text, str) and text:
            return mime, text
    return None


class Images:
    """Scales images for results; at most two at a time. ``libraries`` says which may be used, best first."""

    def __init__(self, libraries: tuple[str, ...] = ("PIL", "png")) -> None:
        self._libraries = libraries
        self._processes = asyncio.Semaphore(PROCESSES)

    async def picture(self, mime: str, base64: str, most_bytes: int = MAX_BYTES) -> Picture | str:
        """The image in at most 768 pixels and ``most_bytes``, or a text that names it and says why it is not shown."""
        extent = extent_of(_decoded(base64[:_HEADER_CHARS]))
        if extent is None:
            return _named(mime, base64, "not shown: it is no readable image")
        if extent[0] * extent[1] > MAX_PIXELS:
            return _named(mime, base64, f"not shown: {extent[0]}x{extent[1]} pixels are too many to look at")
        if max(extent) <= MAX_SIDE and len(base64) * 3 // 4 <= most_bytes:
            data = _decoded(base64)
            if not is_whole(mime, data):
                return _named(mime, base64, "not shown: it is damaged or not what it is called")
            return Picture(mime, data, f"{mime} {extent[0]}x{extent[1]}")
        return await self._scaled(mime, base64, extent, most_bytes)

    async def _scaled(self, mime: str, base64: str, extent: tuple[int, int], most_bytes: int) -> Picture | str:
        library, folder = self._library(mime)
        if not library:
            return _named(mime, base64, f"not shown: it is larger than {MAX_SIDE} pixels, and Pillow is not installed")
        async with self._processes:
            try:
                data = await asyncio.wait_for(_in_process(library, folder, base64, most_bytes), TIMEOUT)
            except asyncio.TimeoutError:
                return _named(mime, base64, f"not shown: making it smaller took longer than {TIMEOUT:.0f} s")
            except NotImplementedError:  # an event loop on Windows that starts no processes
                return _named(mime, base64, "not shown: this server can make no image smaller")
        shown = extent_of(data)
        if shown is None:
            return _named(mime, base64, "not shown: it could not be read")
        made = "image/jpeg" if data[:2] == b"\xff\xd8" else "image/png"
        return Picture(made, data, f"{mime} {extent[0]}x{extent[1]}, shown at {shown[0]}x{shown[1]}")

    def _library(self, mime: str) -> tuple[str, str]:
        """Name and folder of the library that reads this type; empty where none is installed."""
        for name in self._libraries:
            spec = find_spec(name) if name == "PIL" or mime == "image/png" else None
            if spec is not None and spec.origin:
                place = Path(spec.origin).parent
                return name, str(place.parent if spec.submodule_search_locations else place)
        return "", ""


async def _in_process(library: str, folder: str, base64: str, most_bytes: int) -> bytes:
    """The scaled image's bytes, empty where it could not be made; the process is gone in any case."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *_COMMAND,
        folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )
    order = f"{library} {MAX_SIDE} {most_bytes} {MAX_PIXELS}\n".encode()
    try:
        data, _ = await process.communicate(order + base64.encode("ascii", "replace"))
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
        raise
    return data


def _named(mime: str, base64: str, why: str) -> str:
    return f"{label(mime, base64)[:-1]}, {why}]"


def _decoded(base64: str) -> bytes:
    plain = "".join(base64.split())
    try:
        return binascii.a2b_base64(plain[: len(plain) // 4 * 4])
    except ValueError:
        return b""


# ---------------------------------------------------------------- headers


def extent_of(image: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None for what is no PNG, JPEG, GIF or WebP, or has none of either."""
    extent = _webp(image) if image[:4] == b"RIFF" else dimensions(image)
    return extent if extent and min(extent) > 0 else None


def _webp(image: bytes) -> tuple[int, int] | None:
    """From the first chunk (RFC 9649)."""
    if image[8:12] != b"WEBP" or len(image) < 30:
        return None
    kind, data = image[12:16], image[20:30]
    if kind == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    return None


def is_whole(mime: str, image: bytes) -> bool:
    """Whether an image is of its type and was not cut: a model's provider refuses the whole request otherwise."""
    if mime == "image/png":
        return _whole_png(image)
    if mime == "image/jpeg":
        return image[:3] == b"\xff\xd8\xff" and image.rstrip(b"\0\r\n")[-2:] == b"\xff\xd9"
    if mime == "image/gif":
        return image[:6] in (b"GIF87a", b"GIF89a") and image.rstrip(b"\0\r\n")[-1:] == b";"
    return image[:4] == b"RIFF" and len(image) >= int.from_bytes(image[4:8], "little") + 8


def _whole_png(image: bytes) -> bool:
    """Each chunk's checksum, from the first to the end (PNG specification, 5.3)."""
    at = 8 if image[:8] == b"\x89PNG\r\n\x1a\n" else len(image)
    while at + 12 <= len(image):
        end = at + 8 + int.from_bytes(image[at : at + 4], "big")
        if zlib.crc32(image[at + 4 : end]) != int.from_bytes(image[end : end + 4], "big") or end + 4 > len(image):
            return False
        if image[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False
