"""Every kind of image that people upload comes out as the pixels that one sees; every hostile one as a reason."""

import io
import math
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from pixlake.errors import BadImage
from pixlake.images.decoding import FORMATS, Picture, decode, decode_stored
from tests.builders.pictures import BLUE, LIMIT, RED, close, halves, png, seen
from tests.builders.tiny import encode

# what a camera does to an upright picture before it writes the orientation
STORED_AS = {
    1: None,
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_90",
    7: "TRANSVERSE",
    8: "ROTATE_270",
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_of_the_list_is_decoded(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert close(seen(encode(halves(), kind, **options)), (RED, BLUE), within=8)


@pytest.mark.parametrize("kind", ["ICO", "PCX", "SGI", "DDS", "EPS", "PDF"])
def test_a_format_that_is_not_on_the_list_is_refused_though_pillow_knows_it(kind: str) -> None:
    with pytest.raises(BadImage) as caught:
        decode(encode(halves(), kind), max_pixels=LIMIT)
    assert caught.value.reason == "not_an_image"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "JPEG"),
        ("YCbCr", "TIFF"),
    ],
)
def test_colors_survive_every_mode(mode: str, kind: str) -> None:
    assert close(seen(encode(halves(mode), kind)), (RED, BLUE), within=8)


def test_lab_is_converted_to_rgb() -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(halves(), srgb, lab, outputMode="LAB")
    assert image is not None
    assert close(seen(encode(image, "TIFF")), (RED, BLUE), within=8)


def test_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (8, 8), 0)
    image.paste(1, (4, 0, 8, 8))
    assert seen(encode(image)) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_of_grey_are_scaled_not_clipped(kind: str) -> None:
    values = np.full((8, 8), 10_000, dtype=np.uint16)
    values[:, 4:] = 50_000
    grey = tuple((round(value / 257),) * 3 for value in (10_000, 50_000))
    assert seen(encode(Image.fromarray(values), kind)) == grey


def test_sixteen_bits_a_channel_keep_their_high_byte() -> None:
    row = b"\x00" + struct.pack(">3H", 60_000, 30_000, 1_000) * 8
    assert close(seen(png(8, 8, 16, 2, row * 8)), ((234, 117, 3), (234, 117, 3)), within=1)


def test_floats_from_zero_to_one_are_the_whole_range() -> None:
    values = np.full((8, 8), 0.25, dtype=np.float32)
    values[:, 4:] = 0.5
    assert seen(encode(Image.fromarray(values), "TIFF")) == ((64, 64, 64), (128, 128, 128))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_other_deep_values_are_stretched_from_least_to_most(dtype: type) -> None:
    values: np.ndarray[Any, Any] = np.full((8, 8), -5_000, dtype=dtype)
    values[:, 4:] = 200_000
    assert seen(encode(Image.fromarray(values), "TIFF")) == ((0, 0, 0), (255, 255, 255))


def test_the_extremes_of_float32_do_not_overflow() -> None:
    values = np.full((8, 8), np.finfo(np.float32).min, dtype=np.float32)
    values[:, 4:] = np.finfo(np.float32).max
    assert seen(encode(Image.fromarray(values), "TIFF")) == ((0, 0, 0), (255, 255, 255))


def test_nan_pixels_are_black() -> None:
    values = np.array([[np.nan, np.inf, 0.5, 0.5]], dtype=np.float32).repeat(4, axis=0)
    assert seen(encode(Image.fromarray(values), "TIFF")) == ((0, 0, 0), (128, 128, 128))


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 128, 0)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparent_pixels_show_the_background(kind: str, background: tuple[int, int, int]) -> None:
    image = halves("RGBA")
    image.paste((9, 9, 9, 0), (32, 0, 64, 48))
    options = {"lossless": True} if kind == "WEBP" else {}
    found = seen(encode(image, kind, **options), background=background)
    assert close(found, (RED, background), within=8)


def test_half_transparent_pixels_are_mixed() -> None:
    image = Image.new("RGBA", (8, 8), (200, 100, 0, 128))
    expected = tuple(round(c * 128 / 255 + 255 * 127 / 255) for c in (200, 100, 0))
    assert close(seen(encode(image)), (expected, expected), within=1)


def test_grey_with_alpha_is_laid_on_the_background() -> None:
    image = Image.new("LA", (8, 8), (100, 255))
    image.paste((100, 0), (4, 0, 8, 8))
    assert seen(encode(image), background=(1, 2, 3)) == ((100, 100, 100), (1, 2, 3))


@pytest.mark.parametrize("transparency", [1, b"\xff\x00"])
def test_a_transparent_color_of_a_palette_shows_the_background(transparency: int | bytes) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (4, 0, 8, 8))
    assert seen(encode(image, transparency=transparency), background=(1, 2, 3)) == (RED, (1, 2, 3))


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [halves(), Image.new("RGB", (64, 48), (0, 255, 0))]
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        assert close(seen(data), (RED, BLUE), within=12), kind


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_image_is_turned_as_its_exif_says(orientation: int, kind: str) -> None:
    upright = Image.new("RGB", (64, 32), RED)
    upright.paste(BLUE, (0, 16, 32, 32))
    upright.paste((250, 250, 0), (32, 16, 64, 32))
    name = STORED_AS[orientation]
    stored = upright.transpose(Image.Transpose[name]) if name else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}

    picture = decode(encode(stored, kind, exif=exif, **options), max_pixels=LIMIT)

    assert (picture.width, picture.height, picture.pixels.size) == (64, 32, (64, 32))
    difference = np.asarray(picture.pixels).astype(int) - np.asarray(upright)
    assert np.abs(difference).max() <= 8


TURNED = Image.Exif()
TURNED[0x0112] = 6
STORED = {
    "turned": encode(halves(), "JPEG", exif=TURNED, quality=95, subsampling=0),
    "transparent": encode(halves("RGBA"), "PNG"),
    "palette": encode(halves("P"), "PNG", transparency=0),
    "CMYK": encode(halves("CMYK"), "JPEG", quality=95),
    "grey and alpha": encode(halves("LA"), "PNG"),
    "deep": encode(Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20), "PNG"),
}


@pytest.mark.parametrize("kind", STORED)
def test_stored_pixels_are_those_that_pillow_converts(kind: str) -> None:
    picture = decode_stored(STORED[kind], max_pixels=LIMIT)
    with Image.open(io.BytesIO(STORED[kind])) as image:
        assert picture.pixels == image.convert("RGB")
    assert (picture.width, picture.height) == ((48, 64) if kind == "turned" else (64, 48))


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"no", "not_an_image"), (encode(halves(), "PNG")[:90], "truncated")]
)
def test_stored_pixels_of_a_bad_image_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadImage) as caught:
        decode_stored(data, max_pixels=LIMIT)
    assert caught.value.reason == reason
    with pytest.raises(BadImage, match="more than the 10"):
        decode_stored(encode(halves()), max_pixels=10)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b""])
def test_unreadable_exif_is_ignored(exif: bytes) -> None:
    assert close(seen(encode(halves(), "JPEG", exif=exif)), (RED, BLUE), within=8)


def draft(data: bytes, least: tuple[int, int]) -> Picture:
    return decode(data, max_pixels=LIMIT, least=lambda _: least)


def test_a_large_jpeg_is_decoded_smaller_but_never_below_what_is_needed() -> None:
    data = encode(halves(size=(801, 400)), "JPEG")
    assert draft(data, (100, 50)).pixels.size == (101, 50)
    assert draft(data, (101, 51)).pixels.size == (201, 100)
    assert draft(data, (101, 51)).box == (0, 0, 200.25, 100)
    assert draft(data, (401, 1)).pixels.size == (801, 400)
    assert (draft(data, (100, 50)).width, draft(data, (100, 50)).height) == (801, 400)


def test_a_turned_jpeg_is_decoded_smaller_by_its_upright_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    asked: list[tuple[int, int]] = []

    def least(size: tuple[int, int]) -> tuple[int, int]:
        asked.append(size)
        return (100, 200)

    picture = decode(encode(halves(size=(800, 400)), "JPEG", exif=exif), max_pixels=LIMIT, least=least)

    assert asked == [(400, 800)]
    assert picture.pixels.size == (100, 200)
    assert (picture.width, picture.height) == (400, 800)


@pytest.mark.parametrize("orientation", STORED_AS)
def test_a_turned_jpeg_decoded_smaller_loses_the_rounded_up_edge(orientation: int) -> None:
    """A quarter of 1001 x 603 is 250.25 x 150.75; what rounding adds lies where the stored right and lower side go."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = draft(encode(halves(size=(1001, 603)), "JPEG", exif=exif), (100, 100))
    stored = Image.new("L", (251, 151))
    stored.paste(255, (0, 0, 250, 150))
    turn = {**STORED_AS, 6: "ROTATE_270", 8: "ROTATE_90"}[orientation]
    upright = stored.transpose(Image.Transpose[turn]) if turn else stored
    assert picture.pixels.size == upright.size
    assert picture.box is not None
    left, top, right, bottom = picture.box
    assert (math.ceil(left), math.ceil(top)) == (upright.getbbox() or ())[:2]
    assert (right - left, bottom - top) == ((250.25, 150.75) if orientation < 5 else (150.75, 250.25))


@pytest.mark.parametrize(("kind", "imported"), [("JPEG", False), ("PNG", False), ("TIFF", True)])
def test_common_formats_need_few_of_pillows_plugins(kind: str, imported: bool) -> None:
    code = """
import sys
from pixlake.images.decoding import decode
decode(sys.stdin.buffer.read(), max_pixels=10_000)
print("PIL.WebPImagePlugin" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], input=encode(halves(), kind), capture_output=True, check=True)
    assert said.stdout.decode().strip() == str(imported)
