"""Preprocessing equals an independent computation: resize the whole picture as torchvision does, cut, normalize."""

import io
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixlake.bundles.manifest import Preprocessing
from pixlake.images.preprocessing import decode_for, least_size, resize, tensor
from tests.builders.examples import examples
from tests.builders.tiny import encode, spec

FILTERS = {"bicubic": 3, "bilinear": 2, "lanczos": 1, "nearest": 0}


@cache
def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth areas with some grain."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((width, height), 3)
    grain = random.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def naive(image: Image.Image, wanted: Preprocessing) -> NDArray[np.float64]:
    """docs/bundles.md word by word, with no shortcut."""
    kind, target = FILTERS[wanted.interpolation], (wanted.width, wanted.height)
    width, height = image.size
    if wanted.resize == "squash":
        done = image.resize(target, kind)
    elif wanted.resize == "shortest":
        cover = [int(side / wanted.crop) for side in target]
        scale = max(cover[0] / width, cover[1] / height)
        size = [max(cover[0], int(width * scale + 1e-9)), max(cover[1], int(height * scale + 1e-9))]
        left, top = round((size[0] - target[0]) / 2), round((size[1] - target[1]) / 2)
        done = image.resize((size[0], size[1]), kind).crop((left, top, left + target[0], top + target[1]))
    else:
        scale = min(target[0] / width, target[1] / height)
        size = [max(1, round(width * scale)), max(1, round(height * scale))]
        done = Image.new("RGB", target, wanted.background)
        done.paste(image.resize((size[0], size[1]), kind), ((target[0] - size[0]) // 2, (target[1] - size[1]) // 2))
    return ((np.asarray(done) / 255 - wanted.mean) / wanted.std).transpose(2, 0, 1)


def worst_level(found: NDArray[Any], expected: NDArray[Any], wanted: Preprocessing) -> float:
    """The greatest difference, in levels of 255."""
    difference = np.abs(found - expected) * np.array(wanted.std)[:, None, None] * 255
    return float(difference.max())


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos", "nearest"])
@pytest.mark.parametrize("kind", ["squash", "shortest", "longest"])
@pytest.mark.parametrize("size", [(640, 480), (97, 301), (8, 8), (5, 3), (60, 300)])
def test_the_tensor_is_what_bundles_md_says(kind: str, interpolation: str, size: tuple[int, int]) -> None:
    wanted = spec(resize=kind, interpolation=interpolation, width=48, height=32, background=[9, 99, 200], crop=0.875)
    image = photo(*size)
    found = tensor(image, wanted)
    assert (found.shape, found.dtype) == ((3, 32, 48), np.dtype(np.float32))
    assert worst_level(found, naive(image, wanted), wanted) < 0.01


@examples(50)
@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(1, 64),
    st.integers(1, 64),
    st.sampled_from(["squash", "shortest", "longest"]),
    st.sampled_from([1.0, 0.95, 0.875, 0.5]),
)
def test_any_size_gives_the_graphs_size(width: int, height: int, w: int, h: int, kind: str, crop: float) -> None:
    wanted = spec(resize=kind, width=w, height=h, crop=crop)
    image = photo(width, height)
    found, expected = tensor(image, wanted), naive(image, wanted)
    assert found.shape == (3, h, w)
    if max(width / height * h / w, height / width * w / h) * (1 / crop) ** 2 < 12:
        assert worst_level(found, expected, wanted) < 0.01
    else:
        # a part resized: Pillow takes the cheaper of its two passes first, and clips and rounds in between
        assert np.abs(found - expected).mean() < 0.02


@pytest.mark.parametrize("kind", ["squash", "shortest", "longest"])
def test_resizing_an_image_of_extreme_aspect_stays_small_in_memory(kind: str) -> None:
    found = tensor(Image.new("RGB", (1, 1_000_000), (255, 0, 0)), spec(resize=kind))
    assert found.shape == (3, 8, 8)
    assert found[0].max() == pytest.approx((1 - 0.5) / 0.25)


def test_an_image_of_one_color_has_the_value_of_the_formula() -> None:
    wanted = spec(mean=[0.5, 0.25, 0.1], std=[0.5, 2.0, 0.1])
    found = tensor(Image.new("RGB", (30, 20), (255, 51, 0)), wanted)
    np.testing.assert_allclose(found[:, 0, 0], [1.0, (0.2 - 0.25) / 2.0, -1.0], rtol=1e-6)
    assert (found == found[:, :1, :1]).all()


def test_padding_has_the_value_of_the_background() -> None:
    found = tensor(
        Image.new("RGB", (40, 10)), spec(resize="longest", background=[255, 0, 0], mean=[0, 0, 0], std=[1, 1, 1])
    )
    assert found[0, :, 4].tolist() == [1, 1, 1, 0, 0, 1, 1, 1]


@cache
def jpeg(width: int, height: int) -> bytes:
    return encode(photo(width, height), "JPEG", quality=90)


@pytest.mark.parametrize("kind", ["squash", "shortest", "longest"])
@pytest.mark.parametrize("size", [(500, 380), (1152, 864), (1601, 1199), (900, 3000)])
def test_a_jpeg_decoded_smaller_gives_the_same_tensor_within_a_level(kind: str, size: tuple[int, int]) -> None:
    wanted = spec(resize=kind, width=96, height=96)
    data = jpeg(*size)
    reduced, whole = decode_for(data, wanted, 10**8), decode_for(data, spec(interpolation="nearest"), 10**8)
    assert whole.pixels.size == size
    assert (reduced.width, reduced.height) == size
    least = least_size(size, wanted)
    large_enough = all(have >= need for have, need in zip(reduced.pixels.size, least, strict=True))
    assert large_enough or reduced.pixels.size == size
    found, expected = (np.asarray(resize(each, wanted)).astype(int) for each in (reduced, whole))
    assert np.abs(found - expected).mean() < 1
    assert np.abs(found - expected).max() <= 12


def test_a_jpeg_decoded_smaller_is_cut_where_the_whole_one_is() -> None:
    """Half of 1600 x 2217 is 800 x 1108.5; 800 x 1108 would be resized to 132 rows, not 133."""
    wanted, rows = spec(resize="shortest", width=96, height=96), np.arange(2217)[:, None] // 138 % 2 * 255
    stripes = Image.fromarray(np.broadcast_to(rows.astype(np.uint8), (2217, 1600))).convert("RGB")
    data = encode(stripes, "JPEG", quality=95)
    reduced = decode_for(data, wanted, 10**8)
    assert (reduced.pixels.size, reduced.box) == ((800, 1109), (0, 0, 800, 1108.5))
    expected = np.asarray(resize(stripes, wanted)).astype(int)
    assert np.abs(np.asarray(resize(reduced, wanted)) - expected).mean() < 1
    assert np.abs(np.asarray(resize(reduced.pixels.crop((0, 0, 800, 1108)), wanted)) - expected).mean() > 10


def test_a_large_jpeg_is_really_decoded_smaller() -> None:
    data = encode(photo(1800, 1792), "JPEG")
    assert decode_for(data, spec(), 10**8).pixels.size == (450, 448)
    assert decode_for(data, spec(width=225, height=225), 10**8).pixels.size == (900, 896)
    assert decode_for(data, spec(width=451, height=8), 10**8).pixels.size == (1800, 1792)
    assert decode_for(data, spec(interpolation="nearest"), 10**8).pixels.size == (1800, 1792)


@pytest.mark.parametrize("kind", ["squash", "shortest", "longest"])
def test_a_jpeg_decoded_whole_gives_the_tensor_of_all_its_pixels(kind: str) -> None:
    image = photo(1800, 1792)
    data, wanted = encode(image, "JPEG"), spec(resize=kind, pixels="whole")
    picture = decode_for(data, wanted, 10**8)
    assert (picture.box, picture.size, picture.pixels.size) == (None, image.size, image.size)
    with Image.open(io.BytesIO(data)) as opened:
        assert worst_level(tensor(picture, wanted), naive(opened, wanted), wanted) < 0.01


def test_a_whole_picture_is_the_shown_one() -> None:
    """Turned by EXIF and laid on the background, unlike a stored one."""
    exif, clear = Image.Exif(), Image.new("RGBA", (30, 20), (0, 0, 0, 0))
    exif[0x0112] = 6
    files = encode(photo(40, 20), "JPEG", exif=exif), encode(clear, "PNG")
    seen = {
        pixels: [np.asarray(decode_for(data, spec(pixels=pixels), 10**8).pixels) for data in files]
        for pixels in ("shown", "whole", "stored")
    }
    assert [each.shape for each in seen["whole"]] == [(40, 20, 3), (20, 30, 3)]
    for shown, whole, stored in zip(*seen.values(), strict=True):
        assert np.array_equal(shown, whole)
        assert not np.array_equal(shown, stored)


def test_stored_pixels_are_all_decoded() -> None:
    data = encode(photo(1600, 1200), "JPEG")
    assert decode_for(data, spec(pixels="stored"), 10**8).pixels.size == (1600, 1200)
