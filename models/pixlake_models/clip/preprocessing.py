"""open_clip's preprocessing of a picture, as a bundle's."""

from collections.abc import Callable
from typing import Any

from open_clip.transform import PreprocessCfg, image_transform_v2

from pixlake.bundles.manifest import Interpolation, Preprocessing
from pixlake.errors import NotServable
from pixlake_models.exporting.channels import WHITE, per_channel

_INTERPOLATIONS: dict[str, Interpolation] = {"bicubic": "bicubic", "bilinear": "bilinear", "random": "bicubic"}


def read_preprocessing(config: PreprocessCfg) -> Preprocessing:
    """The same for a bundle; NotServable where a bundle cannot express it. `random` interpolation is for training
    only."""
    height, width = _read_size(config.size)
    if config.interpolation not in _INTERPOLATIONS:
        raise NotServable(f"its preprocessing interpolates by {config.interpolation!r}, not by one of a bundle's ways")
    if config.resize_mode == "shortest" and width != height:
        raise NotServable(f"its preprocessing cuts to {width} x {height}, and open_clip rounds sizes otherwise there")
    return Preprocessing(
        width=width,
        height=height,
        resize=config.resize_mode,
        interpolation=_INTERPOLATIONS[config.interpolation],
        background=(config.fill_color,) * 3 if config.resize_mode == "longest" else WHITE,
        mean=per_channel(config.mean),
        std=per_channel(config.std),
    )


def write_preprocessing(preprocessing: Preprocessing) -> Callable[[Any], Any]:
    """open_clip's own transform that implements a bundle's `preprocessing`, without further cropping."""
    transform: Callable[[Any], Any] = image_transform_v2(
        PreprocessCfg(
            size=(preprocessing.height, preprocessing.width),
            mean=preprocessing.mean,
            std=preprocessing.std,
            interpolation=preprocessing.interpolation,
            resize_mode=preprocessing.resize,
            fill_color=preprocessing.background[0],
        ),
        is_train=False,
    )
    return transform


def _read_size(size: Any) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
