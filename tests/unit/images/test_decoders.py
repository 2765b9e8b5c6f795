"""Decoders answer as decoding in this process does, pixel for pixel."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders, Limits
from pixlake.images.decoding import FORMATS
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.images.processes import Processes
from tests.builders.pictures import halves
from tests.builders.tiny import encode, spec

LIMITS = Limits(max_pixels=100_000_000, seconds=30, memory=2 << 30)


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    started = Processes()
    yield started
    started.close()


@pytest.fixture
def decoders(processes: Processes) -> Decoders:
    return Decoders(LIMITS, processes)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(64, 48), (520, 360)])
def test_every_format_is_decoded_alike(decoders: Decoders, kind: str, size: tuple[int, int]) -> None:
    data, wanted = encode(noise(*size), kind), spec(width=32, height=24)
    found = decoders.load(data, wanted)
    assert (found.tensor == tensor(decode_for(data, wanted, LIMITS.max_pixels), wanted)).all()
    assert (found.width, found.height) == size


@pytest.mark.parametrize("resize", ["squash", "shortest", "longest"])
@pytest.mark.parametrize("pixels", ["shown", "whole", "stored"])
def test_every_preprocessing_is_alike(decoders: Decoders, resize: str, pixels: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data, wanted = encode(noise(1_300, 900), "JPEG", exif=exif), spec(resize=resize, pixels=pixels)
    found = decoders.load(data, wanted)
    assert (found.tensor == tensor(decode_for(data, wanted, LIMITS.max_pixels), wanted)).all()
    assert (found.width, found.height) == (900, 1_300)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int32])
def test_deep_grey_values_are_decoded_by_decoders_with_numpy(decoders: Decoders, dtype: type) -> None:
    image = Image.fromarray(np.arange(10_000).reshape(100, 100).astype(dtype))
    data, wanted = encode(image, "TIFF"), spec()
    expected = tensor(decode_for(data, wanted, LIMITS.max_pixels), wanted)
    for _ in range(2):
        assert (decoders.load(data, wanted).tensor == expected).all()


def test_what_is_no_image_has_the_same_reason(decoders: Decoders) -> None:
    with pytest.raises(BadImage) as caught:
        decoders.load(b"text", spec())
    assert (caught.value.reason, caught.value.detail[:8]) == ("not_an_image", "no image")
    with pytest.raises(BadImage) as caught:
        decoders.load(b"", spec())
    assert caught.value.reason == "empty"


def test_an_image_larger_than_the_socket_takes_at_once_arrives_whole(decoders: Decoders) -> None:
    data = encode(noise(1_500, 1_500), "BMP")
    assert decoders.shrink(data, 3_000).pixels.shape == (1_500, 1_500, 3)


def test_a_large_image_has_its_turn_and_its_pixels(decoders: Decoders) -> None:
    data = encode(Image.new("L", (4_100, 4_000), 7), "PNG")
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: decoders.shrink(data, 8).pixels, range(3)))
    assert [pixels.shape for pixels in found] == [(8, 8, 3)] * 3


def test_there_are_as_many_decoders_as_ask_at_once(processes: Processes) -> None:
    decoders, data = Decoders(LIMITS, processes), encode(halves())
    for _ in range(5):
        decoders.shrink(data, 8)
    before = len(processes._idle)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: decoders.shrink(data, 8), range(40)))
    assert before <= len(processes._idle) <= max(before, 4)


@pytest.mark.parametrize("pixels", ["shown", "whole", "stored"])
def test_a_drawn_image_is_what_a_graphs_tensor_is_made_of(decoders: Decoders, pixels: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data, wanted = encode(noise(1_300, 900), "JPEG", exif=exif), spec(pixels=pixels)
    found = decoders.draw(data, wanted)
    assert np.array_equal(found.pixels, np.asarray(decode_for(data, wanted, LIMITS.max_pixels).pixels))
    assert (found.width, found.height) == (900, 1_300)
