"""Red, green and blue, as libraries give them and as `bundle.json` has them."""

from collections.abc import Iterable
from typing import SupportsFloat

# transparent pixels are laid on white, as by img2dataset, which made the training data of most models
WHITE = (255, 255, 255)


def per_channel(values: Iterable[SupportsFloat]) -> tuple[float, float, float]:
    """A mean or deviation, from a list, a tensor or any three values."""
    red, green, blue = map(float, values)
    return red, green, blue
