"""The pictures of a training are decoded where a hostile one costs nothing but itself."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixlake.images.decoders import Decoders, Limits
from pixlake_models.training.pictures import Original, Pictures, prepare_pictures
from tests.builders.pictures import endless_jpeg, halves, png
from tests.builders.tiny import encode, spec


def prepared(folder: Path, limits: Limits, **images: bytes) -> Pictures:
    """One record with these images, between two good ones."""
    files = {"first.png": encode(halves()), **images, "last.jpg": encode(halves(), "JPEG")}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    originals = [Original(name, (folder / name).as_uri()) for name in files]
    return prepare_pictures([originals], spec(), folder / "ready", Decoders(limits))


@pytest.mark.parametrize(
    ("limits", "image", "reason"),
    [
        (Limits(seconds=0.4), endless_jpeg(2_000, 20_000), "too_slow"),
        (Limits(memory=400 << 20), png(9_900, 9_900, 1, 0, bytes(9_900 * 1_239)), "too_large"),
        (Limits(max_pixels=10_000), png(101, 100, 1, 0, bytes(1_400)), "too_many_pixels"),
        (Limits(), b"", "empty"),
    ],
    ids=["time", "memory", "pixels", "empty"],
)
def test_a_hostile_picture_is_left_out_and_the_good_ones_are_there(
    tmp_path: Path, limits: Limits, image: bytes, reason: str
) -> None:
    found = prepared(tmp_path, limits, hostile=image)
    assert [(each.source, each.reason) for each in found.rejects] == [("hostile", reason)]
    assert len(found.files[0]) == 2


def test_a_file_above_the_limit_of_bytes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixlake_models.training.pictures._MAX_BYTES", 100_000)
    found = prepared(tmp_path, Limits(), hostile=encode(halves()) + bytes(100_000))
    assert [(each.source, each.reason) for each in found.rejects] == [("hostile", "too_large")]


def test_files_whose_stored_pixels_are_shown_are_linked_and_others_drawn(tmp_path: Path) -> None:
    lying = Image.Exif()
    lying[0x0112] = 6
    clear = halves("RGBA")
    clear.putalpha(0)
    found = prepared(tmp_path, Limits(), lying=encode(halves(), exif=lying), clear=encode(clear))
    assert [each.is_symlink() for each in found.files[0]] == [True, False, False, True]
    with Image.open(found.files[0][1]) as turned, Image.open(found.files[0][2]) as white:
        assert turned.size == (48, 64)
        assert (np.asarray(white) == 255).all()
