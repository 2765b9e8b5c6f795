"""Red, green and blue, as libraries give them and as `bundle.json` has them."""

from collections.abc import Iterable
from typing import SupportsFloat

# nobody sees what transparent pixels hide; img2dataset, which made what most models were trained on, lays them on white
WHITE = (255, 255, 255)


def per_channel(values: Iterable[SupportsFloat]) -> tuple[float, float, float]:
    """A mean or deviation, of a list, a tensor or whatever holds three."""
    red, green, blue = map(float, values)
    return red, green, blue
