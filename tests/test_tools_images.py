"""Images of results: small ones as they are, large ones smaller, and what cannot be shown named with the reason.

What scaling gives is compared with Pillow's own box filter.
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import struct
import zlib
from pathlib import Path

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.tools.images import MAX_SIDE, Images, Picture, extent_of, image_of, is_whole
from jupyter_assistant.tools.scaling import MEMORY, shrunk, sides
from tests.kernels import until

BOTH = pytest.mark.parametrize("libraries", [("PIL", "png"), ("png",)])


def drawn(width: int, height: int, mode: str = "RGB") -> PIL.Image.Image:
    """Two slopes of grey, so that each part of the picture is like no other."""
    across = PIL.Image.linear_gradient("L").resize((width, height)).rotate(180)
    down = PIL.Image.linear_gradient("L").rotate(90).resize((width, height))
    return PIL.Image.merge("RGB", (across, down, across)).convert(mode)


def encoded(image: PIL.Image.Image, kind: str = "PNG") -> str:
    data = io.BytesIO()
    image.save(data, kind)
    return base64.b64encode(data.getvalue()).decode()


def opened(picture: Picture | str) -> PIL.Image.Image:
    assert isinstance(picture, Picture), picture
    with PIL.Image.open(io.BytesIO(picture.data)) as image:
        copied: PIL.Image.Image = image.copy()
        return copied


async def picture(mime: str, data: str, libraries: tuple[str, ...] = ("PIL", "png"), **most: int) -> Picture | str:
    return await Images(libraries).picture(mime, data, **most)


async def said(mime: str, data: str, libraries: tuple[str, ...] = ("PIL", "png"), **most: int) -> str:
    found = await picture(mime, data, libraries, **most)
    assert isinstance(found, str), found
    return found


def farthest(one: PIL.Image.Image, other: PIL.Image.Image) -> int:
    """The largest difference of two images of one size in any channel."""
    assert one.size == other.size
    pairs = zip(one.convert("RGBA").tobytes(), other.convert("RGBA").tobytes(), strict=True)
    return max(abs(left - right) for left, right in pairs)


# ---------------------------------------------------------------- as they are


@pytest.mark.parametrize(
    ("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")]
)
async def test_a_small_image_is_shown_byte_for_byte(kind: str, mime: str) -> None:
    data = encoded(drawn(640, 480), kind)
    assert await picture(mime, data, ()) == Picture(mime, base64.b64decode(data), f"{mime} 640x480")


async def test_base64_in_lines_is_read() -> None:
    data = base64.encodebytes(base64.b64decode(encoded(drawn(64, 48)))).decode()
    assert opened(await picture("image/png", data)).size == (64, 48)


def test_the_image_of_an_output_is_the_first_that_models_read() -> None:
    assert image_of({"text/plain": "x", "image/svg+xml": "<svg/>", "image/jpeg": "j", "image/png": "p"}) == (
        "image/png",
        "p",
    )
    assert image_of({"image/jpeg": ["j", "k"]}) == ("image/jpeg", "jk")
    assert image_of({"image/svg+xml": "<svg/>", "image/bmp": "b", "image/png": ""}) is None


# ---------------------------------------------------------------- smaller


@BOTH
async def test_a_large_png_is_scaled_to_768_pixels_on_its_longer_side(libraries: tuple[str, ...]) -> None:
    image = drawn(3000, 2000)
    small = await picture("image/png", encoded(image), libraries)
    assert opened(small).size == (768, 512)
    assert isinstance(small, Picture)
    assert small.note == "image/png 3000x2000, shown at 768x512"
    assert farthest(opened(small), image.resize((768, 512), PIL.Image.Resampling.BOX)) <= 1


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(1536, 300), (300, 2304), (3072, 5)])
async def test_every_kind_of_png_is_scaled_without_pillow(mode: str, size: tuple[int, int]) -> None:
    grey = drawn(*size, "L")
    image = grey.point(lambda value: value * 256, "I").convert("I;16") if mode == "I;16" else grey.convert(mode)
    small = opened(await picture("image/png", encoded(image), ("png",)))
    assert max(small.size) == MAX_SIDE
    source = grey if mode == "I;16" else image.convert("RGBA")
    assert farthest(small, source.resize(small.size, PIL.Image.Resampling.BOX)) <= 1


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")])
async def test_other_large_images_are_scaled_with_pillow_and_named_without(kind: str, mime: str) -> None:
    data = encoded(drawn(1600, 400), kind)
    assert opened(await picture(mime, data)).size == (768, 192)
    text = await said(mime, data, ("png",))
    assert text.startswith(f"[{mime}")
    assert "Pillow is not installed" in text


@BOTH
async def test_an_image_of_too_many_bytes_is_made_smaller_still(libraries: tuple[str, ...]) -> None:
    noise = PIL.Image.frombytes("RGB", (700, 700), os.urandom(700 * 700 * 3))
    small = await picture("image/png", encoded(noise), libraries, most_bytes=200_000)
    assert isinstance(small, Picture)
    assert len(small.data) <= 200_000
    assert min(opened(small).size) >= 64


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.data())
def test_scaling_keeps_the_mean_and_every_value_within_what_there_was(
    width: int, height: int, side: int, planes: int, data: st.DataObject
) -> None:
    values = st.lists(st.integers(0, 255), min_size=width * planes, max_size=width * planes)
    rows = [data.draw(values) for _ in range(height)]
    size = sides(width, height, side)
    small = shrunk(rows, (width, height), size, planes)
    assert len(small) == size[1]
    assert {len(row) for row in small} == {size[0] * planes}
    for plane in range(planes):
        old = [value for row in rows for value in row[plane::planes]]
        new = [value for row in small for value in row[plane::planes]]
        assert sum(new) / len(new) == pytest.approx(sum(old) / len(old), abs=1e-6)
        assert min(old) - 1e-6 <= min(new)
        assert max(new) <= max(old) + 1e-6


# ---------------------------------------------------------------- not at all


async def test_a_bomb_is_refused_by_its_header() -> None:
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
        + chunk(b"IEND", b"")
    )
    text = await said("image/png", base64.b64encode(data).decode())
    assert "20000x20000 pixels are too many" in text


@BOTH
async def test_a_bomb_behind_a_modest_header_is_no_more_than_an_image_that_cannot_be_read(
    libraries: tuple[str, ...],
) -> None:
    packer, zeros = zlib.compressobj(1), bytes(10_000_000)
    packed = b"".join([*(packer.compress(zeros) for _ in range(MEMORY // len(zeros) + 1)), packer.flush()])
    header = struct.pack(">IIBBBBB", 2_000, 2_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    found = await picture("image/png", base64.b64encode(data).decode(), libraries)
    assert isinstance(found, str) or max(opened(found).size) == MAX_SIDE


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("data", ["", "no base64", "AAAA", base64.b64encode(b"<svg/>" * 100).decode()])
async def test_what_is_no_image_is_named(data: str) -> None:
    assert "not shown: it is no readable image" in await said("image/png", data)


@pytest.mark.parametrize(
    ("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")]
)
async def test_a_cut_image_is_named_instead_of_sent(kind: str, mime: str) -> None:
    data = base64.b64decode(encoded(drawn(640, 480), kind))
    assert "damaged" in await said(mime, base64.b64encode(data[:-20]).decode())
    other = "image/jpeg" if kind == "PNG" else "image/png"
    assert "damaged or not what it is called" in await said(other, base64.b64encode(data).decode())


@BOTH
async def test_a_large_image_that_is_cut_is_named_instead_of_sent(libraries: tuple[str, ...]) -> None:
    data = base64.b64decode(encoded(drawn(1600, 400)))
    text = await said("image/png", base64.b64encode(data[: len(data) // 2]).decode(), libraries)
    assert "not shown: it could not be read" in text


@given(
    st.binary(max_size=200),
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8X", b"RIFF"]),
)
def test_no_header_makes_reading_fail(rest: bytes, start: bytes) -> None:
    extent = extent_of(start + rest)
    assert extent is None or min(extent) > 0
    for mime in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        is_whole(mime, start + rest)


# ---------------------------------------------------------------- beside the loop


@BOTH
async def test_scaling_holds_neither_the_loop_nor_a_process_afterwards(libraries: tuple[str, ...]) -> None:
    data = encoded(drawn(2400, 1600))
    turns = 0
    scaling = asyncio.ensure_future(picture("image/png", data, libraries))
    while not scaling.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert isinstance(scaling.result(), Picture)
    assert turns > 10
    assert children() == []


async def test_a_cancelled_scaling_leaves_no_process() -> None:
    scaling = asyncio.ensure_future(picture("image/png", encoded(drawn(3000, 2000)), ("png",)))
    await until(children)
    scaling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scaling
    assert children() == []


def children() -> list[str]:
    """The scaling processes of this one (Linux)."""
    found = Path(f"/proc/self/task/{os.getpid()}/children")
    if not found.exists():
        pytest.skip("needs /proc")
    lines = [Path(f"/proc/{pid}/cmdline") for pid in found.read_text().split()]
    return [name for line in lines if line.exists() and "scaling.py" in (name := line.read_text())]
