"""TensorFlow's "same" padding, which timm computes at each call from the size of the maps."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from unittest.mock import patch

from timm.layers.padding import pad_same_arg
from torch import Tensor
from torch.nn import functional

# modules, though timm.layers has functions of these names
_USERS = ("timm.layers.conv2d_same", "timm.layers.pool2d_same")
_ONE = (1, 1)


@contextmanager
def fixed_padding() -> Iterator[None]:
    """While a network is traced: its padding is a constant of the graph, for the pictures' size is one."""
    first, second = (patch.object(import_module(name), "pad_same", _pad_same) for name in _USERS)
    with first, second:
        yield


def _pad_same(
    maps: Tensor, kernel_size: Sequence[int], stride: Sequence[int], dilation: Sequence[int] = _ONE, value: float = 0
) -> Tensor:
    size = [int(each) for each in maps.shape[-2:]]
    return functional.pad(maps, pad_same_arg(size, kernel_size, stride, dilation), value=value)
