"""From the bytes that somebody uploaded to upright RGB pixels, or to the reason why not.

Formats come from an explicit list, whatever else Pillow can open: each is another parser for hostile bytes. The size is
checked in the header, before a pixel is decoded.

numpy is imported where it is used, for a decoder's process starts without it.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, UnidentifiedImageError

from pixlake.errors import BadImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# By Pillow's names, in the order in which they are tried: for the first five it need not import all its plugins.
# Its JPEG covers the multi-picture files (MPO) of phones. Not ICO: the size in its header need not be that of the PNG
# in it.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "AVIF", "TIFF", "JPEG2000", "DIB", "QOI", "TGA")

# Pillow's own limit is one for the whole process and only warns; ours is checked on every image.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of oddities (EXIF it cannot read, truncated metadata) that concern neither an operator nor a caller.
warnings.filterwarnings("ignore", module=r"PIL(\.|$)")

Size = tuple[int, int]
Box = tuple[float, float, float, float]
Color = tuple[int, int, int]
Turn = Callable[[Size], AbstractContextManager[object]]
"""Waits until a picture of this size may be decoded, and holds what it takes until that is done."""

_EXIF_ORIENTATION = 0x0112
# EXIF 2.32, 4.6.4: what was done to the picture, and so what turns it back.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = frozenset({5, 6, 7, 8})
# of these the stored picture's right side, or its lower one, is the upright picture's left, or its upper one
_LEFT_LAST, _TOP_LAST = frozenset({2, 3, 6, 7}), frozenset({3, 4, 7, 8})

MAX_SIDE = 65_500
"""The longest side that a JPEG can have. Resizing takes memory for each pixel of a side, gigabytes or a MemoryError for
a picture one pixel high that is within any limit of pixels."""

# of a float picture's values, in float32
_TINY, _LIFT = 2.0**-90, 2.0**120

LARGE_PIXELS = 16_000_000
"""Above these an image waits for its turn to be decoded."""
_LARGE_TURN = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """RGB pixels, upright but for stored ones. `width` and `height` are the upright original's.

    `box` is the part of `pixels` that holds the picture, where it was decoded smaller: that rounds sizes up, and what
    the last row and column add to the picture is a fraction of a pixel, which resizing whole ones would stretch.
    """

    pixels: Image.Image
    width: int
    height: int
    box: Box | None = None

    @property
    def size(self) -> Size:
        """What its proportions follow from, exactly: the original's size."""
        return (self.width, self.height) if self.box else self.pixels.size


def one_at_a_time(size: Size) -> AbstractContextManager[object]:
    """Large images are decoded one at a time, so that memory holds one of them, whatever the number of threads."""
    return _LARGE_TURN if size[0] * size[1] > LARGE_PIXELS else nullcontext()


def decode(
    data: bytes,
    *,
    max_pixels: int,
    background: Color = (255, 255, 255),
    least: Callable[[Size], Size] | None = None,
    turn: Turn = one_at_a_time,
) -> Picture:
    """The first frame of an encoded image, upright, on `background` where it is transparent.

    `least`, given the upright original's size, tells the size that the caller needs at least: a JPEG is then decoded
    at a half, a quarter or an eighth if that is no smaller. Raises BadImage with a reason: `empty`, `not_an_image`,
    `too_many_pixels`, `side_too_long`, `too_large`, `truncated` or `damaged`.
    """
    with _opened(data, max_pixels) as image:
        original = image.size
        extent = _reduce(image, least) if least and image.format in ("JPEG", "MPO") else None
        with turn(original):  # whose coefficients a progressive JPEG keeps, however small it is decoded
            image.load()
            orientation = _orientation(image)
            pixels = _rgb(image, background)
            if orientation in _UPRIGHT:
                pixels = pixels.transpose(_UPRIGHT[orientation])
    box = _find_box(pixels.size, extent, orientation) if extent else None
    return Picture(pixels, *_turned(original, orientation in _LYING), box)


def decode_stored(data: bytes, *, max_pixels: int, turn: Turn = one_at_a_time) -> Picture:
    """The first frame's pixels as Pillow makes RGB of what is stored: not turned, transparency dropped, all of them.

    So code that reads a training set with `Image.open(path).convert("RGB")` sees a picture. Raises BadImage likewise.
    """
    with _opened(data, max_pixels) as image, turn(image.size):
        pixels = image.convert("RGB")
        return Picture(pixels, *_turned(image.size, _orientation(image) in _LYING))


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """The image of a size that is allowed, its pixels not yet decoded; what the decoder raises is a BadImage."""
    if not data:
        raise BadImage("empty", "the file has no bytes")
    with reasons(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_size(image.size, max_pixels)
        yield image


def _reduce(image: Image.Image, least: Callable[[Size], Size]) -> tuple[float, float] | None:
    """Have a JPEG decoded smaller; the size, in those pixels, that the picture then has. None where it stays whole."""
    lying, original = _orientation(image) in _LYING, image.size
    reduced = image.draft(None, _turned(least(_turned(original, lying)), lying))
    if reduced is None or image.size == original:
        return None
    _, (_, _, width, height) = reduced
    return width, height


def _find_box(size: Size, extent: tuple[float, float], orientation: int) -> Box:
    """Where a picture of `extent` lies in pixels of `size` that were turned upright."""
    width, height = extent if orientation not in _LYING else extent[::-1]
    left = size[0] - width if orientation in _LEFT_LAST else 0
    top = size[1] - height if orientation in _TOP_LAST else 0
    return left, top, left + width, top + height


@contextmanager
def reasons() -> Iterator[None]:
    """Whatever is raised at work on hostile bytes becomes a BadImage: Pillow's plugins promise no common error."""
    try:
        yield
    except BadImage:
        raise
    except MemoryError as error:
        raise BadImage("too_large", "decoding it takes more memory than an image may have") from error
    except UnidentifiedImageError as error:
        raise BadImage("not_an_image", f"no image in one of the formats {', '.join(FORMATS)}") from error
    except Exception as error:
        cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
        detail = f"{type(error).__name__}: {error}".strip(": ")
        raise BadImage("truncated" if cut else "damaged", detail) from error


def _check_size(size: Size, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise BadImage("too_many_pixels", f"{width} x {height} pixels are more than the {max_pixels} allowed")
    if max(width, height) > MAX_SIDE:
        raise BadImage("side_too_long", f"a side of {width} x {height} pixels is above the {MAX_SIDE} allowed")
    if width < 1 or height < 1:
        raise BadImage("damaged", f"{width} x {height} pixels are no image")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none; EXIF that cannot be read says nothing against the pixels."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) else 1


def _turned(size: Size, lying: bool) -> Size:
    return (size[1], size[0]) if lying else size


def _rgb(image: Image.Image, background: Color) -> Image.Image:
    """RGB pixels of an image in any of Pillow's modes."""
    if image.mode.startswith(("I", "F")):
        import numpy as np

        return Image.fromarray(_levels(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        flat = Image.new("RGB", image.size, background)
        flat.paste(layer, mask=layer)
        return flat
    return image if image.mode == "RGB" else image.convert("RGB")


def _levels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Deep grey values as 8 bits: 16-bit integers by their range, floats in 0..1 by theirs, others from least to most.

    Wider integers and other floats have no agreed white, so the image's own extremes are black and white.
    """
    import numpy as np

    levels = np.nan_to_num(values.astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(levels.min()), float(levels.max())
    if max(-low, high) < _TINY:
        levels *= _LIFT  # exact, and 255 / (high - low) then is no more than float32 reaches
        low, high = low * _LIFT, high * _LIFT
    elif low >= 0 and high <= 1 and values.dtype.kind == "f":
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 65_535 and values.dtype.kind in "iu":
        low, high = 0.0, 65_535.0
    scale = 255 / ((high - low) or 1)
    levels *= scale  # scaled before it is shifted: the extremes of float32 are further apart than float32 reaches
    levels -= low * scale
    return np.rint(levels, out=levels).astype(np.uint8)
