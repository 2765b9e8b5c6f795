"""One image made to harm costs the others of its batch nothing: they are embedded, and it is a row of the rejects."""

import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pixlake.images import preprocessing
from pixlake.steps.classify import classify
from pixlake.steps.embed import embed
from tests.builders.pictures import endless_jpeg, halves, png, png_chunk
from tests.builders.tiny import WEIGHTS, BundleLake, encode, image_graph, image_input, spec

GOOD = encode(halves())
Run = Callable[..., dict[str, str]]


def put(lake: BundleLake, images: Mapping[str, bytes]) -> list[str]:
    """The images, each between two good ones."""
    for name, data in {"0-good.png": GOOD, **images, "9-good.png": GOOD}.items():
        lake.put(name, data)
    return ["0-good.png", *images, "9-good.png"]


def embedded(lake: BundleLake, **images: bytes) -> dict[str, str]:
    """The reasons of those that were rejected, by name; the good ones are embedded."""
    names = put(lake, images)
    embed(lake.request("embed", lake.embedder(), lake.images(*names)), lake.settings)
    assert lake.part("embeddings", "embed-0")["image_path"].to_pylist() == ["0-good.png", "9-good.png"]
    return {each.source: each.reason for each in lake.rejects("embed")}


def classified(lake: BundleLake, **images: bytes) -> dict[str, str]:
    """The same of orphans that are classified."""
    names = put(lake, images)
    model = lake.classifier("colors", image_graph(WEIGHTS[:, :3]), [image_input()], kind="image_classifier")
    rows = [
        {"record_id": None, "image_paths": [each["image_path"]], "image_uris": [each["image_uri"]], "attributes": []}
        for each in lake.images(*names)
    ]
    classify(lake.request("classify", model, rows), lake.settings)
    assert lake.part("predictions", "classify-0")["image_path"].to_pylist() == ["0-good.png", "9-good.png"]
    return {each.source: each.reason for each in lake.rejects("classify")}


def line(length: int) -> bytes:
    """A PNG one pixel high, black, one bit a pixel."""
    return png(length, 1, 1, 0, bytes(1 + (length + 7) // 8))


@pytest.mark.parametrize("run", [embedded, classified])
def test_a_png_of_99_999_999_x_1_pixels_is_a_reject(bundle_lake: BundleLake, run: Run) -> None:
    assert run(bundle_lake, long=line(99_999_999)) == {"long": "side_too_long"}


@pytest.mark.parametrize("size", [(65_500, 1), (1, 65_500)])
def test_the_longest_side_is_allowed(bundle_lake: BundleLake, size: tuple[int, int]) -> None:
    bundle_lake.put("a.png", encode(Image.new("RGB", size)))
    embed(bundle_lake.request("embed", bundle_lake.embedder(), bundle_lake.images("a.png")), bundle_lake.settings)
    (row,) = bundle_lake.part("embeddings", "embed-0").to_pylist()
    assert (row["width"], row["height"]) == size


def test_a_float_tiff_of_denormals_shows_its_own_levels() -> None:
    least = np.finfo(np.float32).smallest_subnormal
    for low, high in ((-100 * least, 100 * least), (least, 1000 * least), (-least, 2.0**-91)):
        values = np.full((8, 8), low, dtype=np.float32)
        values[:, 4:] = high
        found = preprocessing.decode_for(encode(Image.fromarray(values), "TIFF"), spec(), 100).pixels
        assert (found.getpixel((0, 0)), found.getpixel((7, 7))) == ((0, 0, 0), (255, 255, 255))


def padded(size: int) -> bytes:
    """A good PNG with a chunk of zeros that no decoder needs."""
    return GOOD[:33] + png_chunk(b"juNk", bytes(size)) + GOOD[33:]


@pytest.mark.parametrize("run", [embedded, classified])
def test_an_image_of_more_bytes_than_allowed_is_a_reject(bundle_lake: BundleLake, run: Run) -> None:
    bundle_lake.settings = replace(bundle_lake.settings, max_image_bytes=1_000_000)
    assert run(bundle_lake, padded=padded(1_000_001), whole=b"") == {"padded": "too_large", "whole": "empty"}


def test_an_image_of_as_many_bytes_as_allowed_is_embedded(bundle_lake: BundleLake) -> None:
    bundle_lake.settings = replace(bundle_lake.settings, max_image_bytes=len(GOOD))
    assert embedded(bundle_lake) == {}


def test_a_stand_in_for_a_broken_image_has_the_same_limit(bundle_lake: BundleLake) -> None:
    bundle_lake.settings = replace(bundle_lake.settings, max_image_bytes=1_000_000)
    uris = [bundle_lake.put("a.png", b"no"), bundle_lake.put("b.png", padded(1_000_001))]
    model = bundle_lake.classifier("colors", image_graph(WEIGHTS[:, :3]), [image_input()], kind="image_classifier")
    row = {"record_id": "7", "image_paths": ["a.png", "b.png"], "image_uris": uris, "attributes": []}
    classify(bundle_lake.request("classify", model, [row]), bundle_lake.settings)
    assert [each.reason for each in bundle_lake.rejects("classify")] == ["not_an_image", "too_large", "missing_image"]


def test_large_images_are_read_ahead_no_further_than_allowed(bundle_lake: BundleLake) -> None:
    settings = replace(bundle_lake.settings, read_ahead_bytes=20_000_000, inference_batch=32)
    names = [f"{number:02}.png" for number in range(24)]
    for name in names:
        bundle_lake.put(name, padded(8_000_000))
    request = bundle_lake.request("embed", bundle_lake.embedder(), bundle_lake.images(*names))
    tracemalloc.start()
    try:
        assert embed(request, settings).rows == len(names)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


ENDLESS = {
    "a progressive JPEG of many empty scans": endless_jpeg(2_000, 20_000),
    "a JPEG of 0xFF alone": b"\xff\xd8" + b"\xff" * 5_000_000,
    "a PPM that is one long comment": b"P6\n#" + b"a" * 5_000_000,
}


@pytest.mark.parametrize("run", [embedded, classified])
def test_images_that_take_too_long_are_rejects_each_after_its_own_time(bundle_lake: BundleLake, run: Run) -> None:
    bundle_lake.settings = replace(bundle_lake.settings, max_image_seconds=0.4)
    assert run(bundle_lake, **ENDLESS) == dict.fromkeys(ENDLESS, "too_slow")


def test_an_image_that_takes_too_much_memory_is_a_reject(bundle_lake: BundleLake) -> None:
    bundle_lake.settings = replace(bundle_lake.settings, max_decoder_bytes=400 << 20)
    assert embedded(bundle_lake, big=png(9_900, 9_900, 1, 0, bytes(9_900 * 1_239))) == {"big": "too_large"}
