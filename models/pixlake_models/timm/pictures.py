"""What timm does to a picture before its network, in a bundle's words."""

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from pixlake.bundles.manifest import Preprocessing
from pixlake.errors import NotServable

WHITE = (255, 255, 255)
_RESIZES = {"center": "shortest", "squash": "squash", "border": "longest"}
_INTERPOLATIONS = ("bicubic", "bilinear", "lanczos", "nearest")

Transform = Callable[[Image.Image], torch.Tensor]


def read_preprocessing(network: Any) -> tuple[Preprocessing, Transform]:
    """What timm resolves for the network's evaluation, and that as its own transform of a Pillow image.

    NotServable for what a bundle has no words for.
    """
    config = resolve_model_data_config(network)
    transform = create_transform(**config, is_training=False)
    channels, height, width = config["input_size"]
    mode, crop = config["crop_mode"] or "center", float(config["crop_pct"] or 1)
    if channels != 3:
        raise NotServable(f"a bundle's pictures have three channels, this model's {channels}")
    if mode not in _RESIZES or crop > 1 or (mode != "center" and crop != 1):
        raise NotServable(f"a bundle has no words for timm's crop_mode {mode!r} with crop_pct {crop:g}")
    if mode == "center" and width != height:
        raise NotServable(f"timm rounds in its own way where it cuts {width} x {height} pixels out, which is no square")
    preprocessing = Preprocessing(
        width=width,
        height=height,
        resize=_RESIZES[mode],  # type: ignore[arg-type]
        interpolation=_check_interpolation(config["interpolation"]),  # type: ignore[arg-type]
        background=_border(config["mean"]) if mode == "border" else WHITE,
        mean=_three(config["mean"]),
        std=_three(config["std"]),
        crop=crop,
    )
    # as timm's own datasets open a file
    return preprocessing, lambda image: transform(image.convert("RGB"))


def _check_interpolation(name: str) -> str:
    if name not in _INTERPOLATIONS:
        raise NotServable(f"a bundle has no words for the interpolation {name!r}, only for {_INTERPOLATIONS}")
    return name


def _border(mean: Any) -> tuple[int, int, int]:
    """The colour that timm pads with."""
    red, green, blue = (round(255 * each) for each in mean)
    return red, green, blue


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue
