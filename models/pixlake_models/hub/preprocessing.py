"""A `preprocessor_config.json`, as transformers' image processors write it, as a bundle's preprocessing."""

import re
from collections.abc import Mapping
from typing import Any

from pixlake.bundles.manifest import Interpolation, Preprocessing, Resize
from pixlake.errors import NotServable
from pixlake_models.exporting.channels import WHITE, per_channel

Settings = Mapping[str, Any]
_FILTERS: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""By Pillow's number."""
_BICUBIC, _BILINEAR = 3, 2
# what a processor does where its settings do not say it
_USUAL = {
    "ViT": _BILINEAR,
    "DeiT": _BICUBIC,
    "ConvNext": _BILINEAR,
    "CLIP": _BICUBIC,
    "Bit": _BICUBIC,
    "Siglip": _BICUBIC,
}
_CROPPED_BELOW = 384
_LEVELS = 255


def read_preprocessing(settings: Settings) -> Preprocessing:
    """The same for a bundle; NotServable for what a bundle cannot express."""
    if not settings.get("do_resize", True) or settings.get("do_pad"):
        raise NotServable("its preprocessing pads pictures or leaves their size, which a bundle cannot express")
    resize, width, height, crop = _read_sizes(settings)
    scale = (
        _LEVELS * float(settings.get("rescale_factor", 1 / _LEVELS)) if settings.get("do_rescale", True) else _LEVELS
    )
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if settings.get("do_normalize", True):
        mean, std = _read_colors(settings, "image_mean"), _read_colors(settings, "image_std")
    return Preprocessing(
        width=width,
        height=height,
        resize=resize,
        interpolation=_read_filter(settings),
        background=WHITE,
        mean=per_channel(each / scale for each in mean),
        std=per_channel(each / scale for each in std),
        crop=crop,
    )


def _read_sizes(settings: Settings) -> tuple[Resize, int, int, float]:
    """The way of resizing, width, height, and how much of each side a cut keeps."""
    size = _required(settings, "size")
    shortest = size.get("shortest_edge") if isinstance(size, dict) else size if isinstance(size, int) else None
    if "crop_pct" in settings and shortest:
        return _read_convnext(shortest, float(settings["crop_pct"]))
    cut = settings.get("do_center_crop", False)
    if shortest and cut:
        width, height = _read_pair(settings.get("crop_size", shortest))
        if width == height <= shortest:
            return "shortest", width, height, _share(width, shortest)
    if not cut and (isinstance(size, int) or not shortest):
        return "squash", *_read_pair(size), 1.0
    width, height = _read_pair(size)
    if cut and not shortest and (width, height) == _read_pair(settings.get("crop_size", size)):
        return "squash", width, height, 1.0
    raise NotServable(
        f"its preprocessing resizes to {size} and cuts to {settings.get('crop_size')}, which no bundle can"
    )


def _read_convnext(side: int, share: float) -> tuple[Resize, int, int, float]:
    """Large pictures are squashed there, smaller ones resized by the share and cut."""
    if side >= _CROPPED_BELOW:
        return "squash", side, side, 1.0
    return "shortest", side, side, _share(side, int(side / share))


def _share(side: int, whole: int) -> float:
    """The share by which a bundle comes to `whole` from `side`, rounding down."""
    share = side / whole
    return share if int(side / share) == whole else side / (whole + 0.5)


def _read_pair(size: Any) -> tuple[int, int]:
    """Width and height."""
    if isinstance(size, int):
        return size, size
    if isinstance(size, dict) and {"height", "width"} <= size.keys():
        return int(size["width"]), int(size["height"])
    raise NotServable(f"its preprocessing resizes to {size}, which a bundle cannot express")


def _read_filter(settings: Settings) -> Interpolation:
    kind = str(settings.get("image_processor_type") or settings.get("feature_extractor_type") or "")
    family = re.sub("(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", kind)
    number = settings.get("resample", _USUAL.get(family))
    if number not in _FILTERS:
        raise NotServable(f"its preprocessor_config.json does not say how {kind or 'it'} resizes: resample is {number}")
    return _FILTERS[number]


def _read_colors(settings: Settings, name: str) -> tuple[float, float, float]:
    try:
        return per_channel(_required(settings, name))
    except (TypeError, ValueError) as error:
        raise NotServable(f"{name} of its preprocessor_config.json is not one of three numbers") from error


def _required(settings: Settings, name: str) -> Any:
    if settings.get(name) is None:
        raise NotServable(f"its preprocessor_config.json has no {name}")
    return settings[name]
