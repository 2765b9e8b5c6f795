"""Image files to prove a model by: the formats, sizes and defects of real uploads, drawn here. Like photographs they
have detail at all scales, and edges: noise alone would test little of resizing.
"""

import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

_ORIENTATION = 0x0112
Color = tuple[int, int, int]


@dataclass(frozen=True)
class Picture:
    """An image file. `plain` where a bundle and training code read it alike: it has nothing that Pillow opens unlike a
    viewer (EXIF's orientation, transparency, deep grey) or resizes before it is RGB."""

    kind: str
    data: bytes
    plain: bool = True


@functools.cache
def make_pictures() -> tuple[Picture, ...]:
    """Deterministic; about 5 MB."""
    return (*_sizes(), *_photographs(), *_greys(), *_colors(), *_transparent(), *_turned())


def as_shown(image: Image.Image, background: Color) -> Image.Image:
    """The picture that a viewer shows, in RGB; written independently of `pixlake.images.decoding`."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (*background, 255))
        return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def draw_scene(width: int, height: int, seed: int) -> Image.Image:
    """Detail at all scales, and a dozen shapes with hard edges."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(_clouds(width, height, random))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, right = sorted(random.integers(0, width, 2).tolist())
        top, bottom = sorted(random.integers(0, height, 2).tolist())
        color = tuple(random.integers(0, 256, 3).tolist())
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((left, top, right, bottom), outline=color, width=int(random.integers(1, 6)))
    return image


def _clouds(width: int, height: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Noise of every size, its contrast falling with its size as in photographs."""
    total = np.zeros((height, width, 3), dtype=np.float32)
    side = 2
    while side < 2 * max(width, height):
        cells = (random.random((min(side, height), min(side, width), 3)) * 255).astype(np.uint8)
        layer = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
        total += (np.asarray(layer, dtype=np.float32) - 128) / side**0.5
        side *= 2
    return np.asarray(np.clip(128 + total, 0, 255), dtype=np.uint8)


def save_picture(kind: str, image: Image.Image, form: str, *, plain: bool = True, **options: Any) -> Picture:
    """The image as a file in one of Pillow's formats."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return Picture(kind, file.getvalue(), plain)


def _sizes() -> Iterator[Picture]:
    """Larger, smaller, narrow, a single pixel."""
    for index, size in enumerate([(640, 480), (211, 337), (225, 224), (64, 64), (7, 9), (1, 1)]):
        yield save_picture("PNG", draw_scene(*size, index), "PNG")
    yield save_picture("narrow PNG", draw_scene(1200, 61, 10), "PNG")
    yield save_picture("narrow PNG", draw_scene(37, 500, 11), "PNG")


def _photographs() -> Iterator[Picture]:
    scene = draw_scene(517, 333, 20)
    yield save_picture("JPEG", scene, "JPEG", quality=92, subsampling=0)
    yield save_picture("JPEG", scene, "JPEG", quality=30)
    yield save_picture("JPEG", draw_scene(333, 517, 21), "JPEG", quality=85, progressive=True)
    for index, size in enumerate([(1024, 768), (1511, 2016), (3000, 2001)]):
        yield save_picture("large JPEG", draw_scene(*size, 22 + index), "JPEG", quality=88)


def _greys() -> Iterator[Picture]:
    grey = draw_scene(300, 401, 30).convert("L")
    yield save_picture("grey", grey, "PNG")
    yield save_picture("grey", grey, "JPEG", quality=90)
    yield save_picture("16-bit grey", Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257), "PNG", plain=False)
    yield save_picture("black and white", grey.convert("1"), "PNG", plain=False)


def _colors() -> Iterator[Picture]:
    scene = draw_scene(403, 302, 40)
    yield save_picture("palette", scene.quantize(64), "PNG", plain=False)
    yield save_picture("palette", scene.quantize(64), "GIF", plain=False)
    yield save_picture("CMYK", scene.convert("CMYK"), "JPEG", plain=False, quality=92)
    yield save_picture("CMYK", scene.convert("CMYK"), "TIFF", plain=False)
    yield save_picture("WebP", scene, "WEBP", lossless=True)
    yield save_picture("BMP", scene, "BMP")


def _transparent() -> Iterator[Picture]:
    """A disc with a soft edge, over pixels without a colour."""
    scene = draw_scene(320, 280, 50)
    x, y = np.meshgrid(np.linspace(-1, 1, 320), np.linspace(-1, 1, 280))
    alpha = Image.fromarray(np.asarray(np.clip(4 - 5 * np.hypot(x, y), 0, 1) * 255, dtype=np.uint8))
    scene.putalpha(alpha)
    yield save_picture("transparent", scene, "PNG", plain=False)
    yield save_picture("transparent", scene.convert("LA"), "PNG", plain=False)
    yield save_picture("transparent", scene, "WEBP", plain=False, lossless=True, exact=True)
    yield save_picture("transparent", scene.convert("RGB").quantize(32), "PNG", plain=False, transparency=3)


def _turned() -> Iterator[Picture]:
    for orientation in (3, 5, 6, 8):
        exif = Image.Exif()
        exif[_ORIENTATION] = orientation
        scene = draw_scene(420, 280, 60 + orientation)
        yield save_picture("turned by EXIF", scene, "JPEG", plain=False, quality=92, exif=exif)
