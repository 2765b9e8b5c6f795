"""Settings of transformers' image processors, as the repositories of common models state them."""

from typing import Any

import pytest

from pixlake.errors import NotServable
from pixlake.images.preprocessing import resize
from pixlake_models.exporting.pictures import draw_scene
from pixlake_models.hub.preprocessing import read_preprocessing

HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
CUBIC = {"resample": 3}
CUT = {"crop_size": {"height": 224, "width": 224}, "do_center_crop": True} | CUBIC
CASES: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "CLIP": (
        {
            "size": {"shortest_edge": 224},
            "crop_size": {"height": 224, "width": 224},
            "do_center_crop": True,
            "resample": 3,
        },
        ("shortest", "bicubic", 224, 1.0),
    ),
    "CLIP, older": (
        {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "do_center_crop": True},
        ("shortest", "bicubic", 224, 1.0),
    ),
    "DINOv2": (
        {
            "size": {"shortest_edge": 256},
            "crop_size": {"height": 224, "width": 224},
            "do_center_crop": True,
            "resample": 3,
        },
        ("shortest", "bicubic", 224, 0.875),
    ),
    "SigLIP 2": (
        {"size": {"height": 224, "width": 224}, "resample": 2, "do_convert_rgb": None},
        ("squash", "bilinear", 224, 1.0),
    ),
    "ViT": ({"image_processor_type": "ViTImageProcessor", "size": 224}, ("squash", "bilinear", 224, 1.0)),
    "ConvNeXt": (
        {"size": {"shortest_edge": 224}, "crop_pct": 0.875} | CUBIC,
        ("shortest", "bicubic", 224, 0.875),
    ),
    "ConvNeXt, large": (
        {"size": {"shortest_edge": 384}, "crop_pct": 1.0} | CUBIC,
        ("squash", "bicubic", 384, 1.0),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_processors_settings_are_a_bundles(name: str) -> None:
    settings, (way, interpolation, side, crop) = CASES[name]
    found = read_preprocessing(HALF | settings)
    assert (found.resize, found.interpolation, found.width, found.height) == (way, interpolation, side, side)
    assert found.crop == crop
    assert (found.mean, found.std) == ((0.5,) * 3, (0.25,) * 3)
    assert resize(draw_scene(500, 300, 1), found).size == (side, side)


@pytest.mark.parametrize("whole", range(225, 300))
def test_the_part_that_a_cut_keeps_comes_to_the_stated_size(whole: int) -> None:
    cut = {"size": {"shortest_edge": whole}, "crop_size": 224, "do_center_crop": True, "resample": 3}
    assert int(224 / read_preprocessing(HALF | cut).crop) == whole


def test_other_scales_of_pixels_are_in_mean_and_deviation() -> None:
    squashed = {"size": 224, "resample": 2}
    unscaled = read_preprocessing(HALF | squashed | {"do_rescale": False, "image_mean": [127.5] * 3})
    assert (unscaled.mean, unscaled.std) == ((0.5,) * 3, (0.25 / 255,) * 3)
    plain = read_preprocessing(HALF | squashed | {"do_normalize": False})
    assert (plain.mean, plain.std) == ((0,) * 3, (1,) * 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"do_resize": False}, "leaves their size"),
        ({"do_pad": True}, "pads"),
        ({"resample": None}, "does not say how it resizes"),
        ({"resample": 5}, "resample is 5"),
        ({"size": {"longest_edge": 224}}, "resizes to"),
        ({"size": {"shortest_edge": 224}}, "resizes to"),
        ({"size": {"shortest_edge": 224}, "do_center_crop": True, "crop_size": 256}, "resizes to"),
        ({"image_mean": None}, "has no image_mean"),
        ({"image_mean": [0.5]}, "three"),
        ({"size": "224"}, "resizes to 224"),
    ],
)
def test_settings_that_no_bundle_expresses_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotServable, match=reason):
        read_preprocessing(HALF | {"size": 224, "resample": 2} | changes)
