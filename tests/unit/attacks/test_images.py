"""Bytes that are no image, or one made to harm, come out as a reason; quickly, and in little memory."""

import io
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixlake.errors import BadImage
from pixlake.images import decoding as images
from pixlake.images.decoding import FORMATS, decode
from tests.builders.pictures import BLUE, LIMIT, RED, close, halves, png, png_chunk, seen
from tests.builders.tiny import encode


def reason(data: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(BadImage) as caught:
        decode(data, max_pixels=limit)
    assert caught.value.detail
    return caught.value.reason


def test_an_empty_file_is_rejected_as_empty() -> None:
    assert reason(b"") == "empty"


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file",
        b"PK\x03\x04" + b"\0" * 60,
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
    ],
)
def test_bytes_of_no_image_format_are_rejected(data: bytes) -> None:
    assert reason(data) in ("not_an_image", "truncated")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF"])
def test_a_truncated_file_is_rejected(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind)
    assert reason(data[: len(data) * 2 // 3]) == "truncated"


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "JPEG2000", "QOI"])
def test_a_truncated_file_is_rejected_though_its_decoder_accepts_it(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind)
    assert reason(data[: len(data) * 2 // 3]) in ("damaged", "not_an_image")


def test_a_header_of_more_pixels_than_allowed_is_refused_before_decoding() -> None:
    assert reason(png(60_000, 60_000, 8, 2, b"")) == "too_many_pixels"
    assert reason(b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b";") in (
        "too_many_pixels",
        "not_an_image",
    )
    assert reason(b"P6 999999 999999 255\n") == "too_many_pixels"


def test_a_decompression_bomb_of_few_bytes_is_refused() -> None:
    bomb = png(10_001, 10_001, 8, 0, bytes(10_002 * 10_001))
    assert len(bomb) < LIMIT
    assert reason(bomb, limit=100_000_000) == "too_many_pixels"


def test_the_limit_is_on_width_times_height_and_inclusive() -> None:
    data = encode(halves(size=(100, 40)))
    assert decode(data, max_pixels=4_000).width == 100
    assert reason(data, limit=3_999) == "too_many_pixels"


def test_a_compressed_text_bomb_in_a_png_is_rejected_as_damaged() -> None:
    text = png_chunk(b"zTXt", b"comment\0\0" + zlib.compress(b"a" * 20_000_000))
    assert reason(png(1, 1, 8, 2, b"\0\0\0\0", text)) == "damaged"


def test_the_format_is_read_from_the_bytes_alone() -> None:
    polyglot = io.BytesIO(encode(halves(), "JPEG"))
    polyglot.seek(0, io.SEEK_END)
    with zipfile.ZipFile(polyglot, "a") as archive:
        archive.writestr("run.sh", "echo")
    assert close(seen(polyglot.getvalue()), (RED, BLUE), within=8)


@given(st.data())
def test_damaged_bytes_give_pixels_or_bad_image_and_no_other_error(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(FORMATS))
    good = bytearray(encode(halves(size=(16, 16)), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadImage):
        assert decode(bytes(good), max_pixels=LIMIT).pixels.mode == "RGB"


def test_pillows_warnings_never_leak() -> None:
    """In a process of its own, with warnings as errors: a file that Pillow warns of is decoded in silence."""
    program = """
import io, sys, warnings
from PIL import Image
Image.MAX_IMAGE_PIXELS = 10
from pixlake.images.decoding import decode
buffer = io.BytesIO()
Image.new("P", (64, 48)).save(buffer, "PNG", transparency=bytes([0] * 200))
print(decode(buffer.getvalue(), max_pixels=10_000).pixels.size)
Image.MAX_IMAGE_PIXELS = 2_000
print(decode(buffer.getvalue(), max_pixels=10_000).pixels.size)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.split("\n")[:2], done.stderr) == (["(64, 48)", "(64, 48)"], "")


def test_large_images_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once: list[int] = []
    running, guard = 0, Lock()
    original = images._rgb

    def counted(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
        nonlocal running
        with guard:
            running += 1
            at_once.append(running)
        time.sleep(0.002)
        result = original(image, background)
        with guard:
            running -= 1
        return result

    monkeypatch.setattr(images, "_rgb", counted)
    monkeypatch.setattr(images, "LARGE_PIXELS", 1_000)
    data = encode(halves(size=(900, 900)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: decode(data, max_pixels=LIMIT), range(24)))
    assert max(at_once) == 1
