"""Pictures whose left half is red and whose right half is blue, however encoded; and PNGs made by hand."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from pixlake.images.decoding import Color, decode

LIMIT = 1_000_000
RED, BLUE = (220, 30, 40), (20, 60, 200)


def halves(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image if mode == "RGB" else image.quantize() if mode == "P" else image.convert(mode)


def seen(data: bytes, background: Color = (255, 255, 255)) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The colors of the left and the right half."""
    picture = decode(data, max_pixels=LIMIT, background=background)
    assert picture.pixels.mode == "RGB"
    width, height = picture.pixels.size
    pixels = np.asarray(picture.pixels).astype(int)
    left, right = pixels[height // 2, width // 4], pixels[height // 2, 3 * width // 4]
    return tuple(left.tolist()), tuple(right.tolist())


def close(found: tuple[tuple[int, ...], ...], expected: tuple[tuple[int, ...], ...], within: int = 4) -> bool:
    return bool(np.abs(np.array(found) - np.array(expected)).max() <= within)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, rows: bytes, *chunks: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + body + png_chunk(b"IEND", b"")


def endless_jpeg(side: int, scans: int) -> bytes:
    """A progressive JPEG with empty scans of 10 bytes, each of which passes over all of its coefficients."""
    target = io.BytesIO()
    Image.new("RGB", (side, side), (9, 99, 199)).save(target, "JPEG", progressive=True)
    data = target.getvalue()
    return data[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" * scans + data[-2:]
