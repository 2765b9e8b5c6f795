"""timm's preprocessing of a picture, as a bundle's."""

from collections.abc import Callable
from typing import Any, get_args

import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from pixlake.bundles.manifest import Interpolation, Preprocessing, Resize
from pixlake.errors import NotServable
from pixlake_models.exporting.channels import WHITE, per_channel

_RESIZES: dict[str, Resize] = {"center": "shortest", "squash": "squash", "border": "longest"}
_INTERPOLATIONS: dict[str, Interpolation] = {each: each for each in get_args(Interpolation)}

Transform = Callable[[Image.Image], torch.Tensor]


def read_preprocessing(network: Any) -> tuple[Preprocessing, Transform]:
    """The network's preprocessing at evaluation, and the same as timm's own transform of a Pillow image.

    NotServable for one that a bundle cannot express.
    """
    config = resolve_model_data_config(network)
    transform = create_transform(**config, is_training=False)
    channels, height, width = config["input_size"]
    mode, crop = config["crop_mode"] or "center", float(config["crop_pct"] or 1)
    if channels != 3:
        raise NotServable(f"a bundle's pictures have three channels, this model's {channels}")
    if mode not in _RESIZES or crop > 1 or (mode != "center" and crop != 1):
        raise NotServable(f"a bundle cannot express timm's crop_mode {mode!r} with crop_pct {crop:g}")
    if mode == "center" and width != height:
        raise NotServable(f"timm rounds in its own way where it cuts {width} x {height} pixels out, which is no square")
    preprocessing = Preprocessing(
        width=width,
        height=height,
        resize=_RESIZES[mode],
        interpolation=_read_interpolation(config["interpolation"]),
        background=_border(config["mean"]) if mode == "border" else WHITE,
        mean=per_channel(config["mean"]),
        std=per_channel(config["std"]),
        crop=crop,
    )
    # as timm's own datasets open a file
    return preprocessing, lambda image: transform(image.convert("RGB"))


def _read_interpolation(name: str) -> Interpolation:
    if name not in _INTERPOLATIONS:
        raise NotServable(f"a bundle cannot express the interpolation {name!r}, only {tuple(_INTERPOLATIONS)}")
    return _INTERPOLATIONS[name]


def _border(mean: Any) -> tuple[int, int, int]:
    """The colour that timm pads with."""
    red, green, blue = (round(255 * each) for each in mean)
    return red, green, blue
