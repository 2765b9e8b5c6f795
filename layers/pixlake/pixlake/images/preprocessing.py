"""From RGB pixels to the tensor that a graph was trained on; pure functions, as docs/bundles.md specifies them.

Resizing is Pillow's, as in torchvision and timm. Where a crop follows and little of a long picture stays, only that
part is resized: the same pixels but for rounding, and 1 x 1,000,000 does not become 224 x 224,000,000 on the way.

numpy is imported where it is used, for a decoder's process resizes without it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from PIL import Image

from pixlake.images.decoding import Picture, Size, Turn, decode, decode_stored, one_at_a_time

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pixlake.bundles.manifest import Preprocessing

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
# A JPEG decoded smaller than this times the target loses detail that resizing would have kept; a side of fewer pixels
# saves little time, and to small models each pixel means more.
_DRAFT_MARGIN, _DRAFT_LEAST = 2, 448
# Up to so many times the target's area a picture is resized whole before it is cut, exactly as in training.
_MOST_COVER = 16


def decode_for(data: bytes, preprocessing: Preprocessing, max_pixels: int, turn: Turn = one_at_a_time) -> Picture:
    """The picture in `data` at no less detail than the graph can use; BadImage as in `images.decode`."""
    if preprocessing.pixels == "stored":
        return decode_stored(data, max_pixels=max_pixels, turn=turn)
    least = functools.partial(least_size, preprocessing=preprocessing)
    return decode(data, max_pixels=max_pixels, background=preprocessing.background, least=least, turn=turn)


def tensor(image: Image.Image | Picture, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """float32 `[3, height, width]` of an RGB image of any size."""
    import numpy as np

    return normalize(np.asarray(resize(image, preprocessing)), preprocessing)


def normalize(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """float32 `[3, height, width]` of RGB pixels `[height, width, 3]`."""
    import numpy as np

    levels = _levels(preprocessing.mean, preprocessing.std)
    return np.stack([levels[channel].take(pixels[:, :, channel]) for channel in range(3)])


def resize(image: Image.Image | Picture, preprocessing: Preprocessing) -> Image.Image:
    """`image` at the graph's width and height."""
    picture = image if isinstance(image, Picture) else Picture(image, image.width, image.height)
    match preprocessing.resize:
        case "squash":
            return picture.pixels.resize(_target(preprocessing), _FILTERS[preprocessing.interpolation], picture.box)
        case "shortest":
            return _covered(picture, preprocessing)
        case "longest":
            return _fitted(picture, preprocessing)


def least_size(size: Size, preprocessing: Preprocessing) -> Size:
    """The smallest size at which a JPEG of `size` may be decoded without a difference that matters."""
    if preprocessing.pixels == "whole" or preprocessing.interpolation == "nearest":
        return size  # `nearest` picks single pixels, which a smaller decoding would have averaged
    match preprocessing.resize:
        case "squash":
            width, height = _target(preprocessing)
        case "shortest":
            width, height = _cover(size, preprocessing)
        case "longest":
            width, height = _fit(size, preprocessing)
    return max(width * _DRAFT_MARGIN, _DRAFT_LEAST), max(height * _DRAFT_MARGIN, _DRAFT_LEAST)


def _target(preprocessing: Preprocessing) -> Size:
    return preprocessing.width, preprocessing.height


def _cover(size: Size, preprocessing: Preprocessing) -> Size:
    """The size at which an image just covers the area to cut from; rounded as torchvision's `Resize` does."""
    (width, height), crop = size, preprocessing.crop
    wide, high = int(preprocessing.width / crop), int(preprocessing.height / crop)
    if width * high <= height * wide:
        return wide, max(high, height * wide // width)
    return max(wide, width * high // height), high


def _covered(picture: Picture, preprocessing: Preprocessing) -> Image.Image:
    """Resized to cover, then cut to the centre; rounded as torchvision's `CenterCrop` does."""
    cover, (width, height) = _cover(picture.size, preprocessing), _target(preprocessing)
    left, top = round((cover[0] - width) / 2), round((cover[1] - height) / 2)
    kind = _FILTERS[preprocessing.interpolation]
    if cover[0] * cover[1] <= _MOST_COVER * width * height:
        return picture.pixels.resize(cover, kind, picture.box).crop((left, top, left + width, top + height))
    x, y, right, bottom = picture.box or (0, 0, *picture.pixels.size)
    across, down = (right - x) / cover[0], (bottom - y) / cover[1]
    right, bottom = min(x + (left + width) * across, right), min(y + (top + height) * down, bottom)
    return picture.pixels.resize((width, height), kind, (x + left * across, y + top * down, right, bottom))


def _fit(size: Size, preprocessing: Preprocessing) -> Size:
    """The size at which an image just fits the target."""
    (width, height), (wide, high) = size, _target(preprocessing)
    if width * high >= height * wide:
        return wide, max(1, round(height * wide / width))
    return max(1, round(width * high / height)), high


def _fitted(picture: Picture, preprocessing: Preprocessing) -> Image.Image:
    """Resized to fit, then laid on the middle of the background."""
    fit, target = _fit(picture.size, preprocessing), _target(preprocessing)
    canvas = Image.new("RGB", target, preprocessing.background)
    resized = picture.pixels.resize(fit, _FILTERS[preprocessing.interpolation], picture.box)
    canvas.paste(resized, ((target[0] - fit[0]) // 2, (target[1] - fit[1]) // 2))
    return canvas


@functools.lru_cache(maxsize=8)
def _levels(mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[Any]:
    """float32 `[3, 256]`: `(pixel / 255 - mean) / std` for each channel and pixel value."""
    import numpy as np

    pixels = np.arange(256) / 255
    return np.stack([(pixels - m) / s for m, s in zip(mean, std, strict=True)]).astype(np.float32)
