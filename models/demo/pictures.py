"""Training pictures: all glyphs in memory, and a new view of each at every use."""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from demo.backbone import SIDE
from demo.glyphs import draw_small
from demo.unicode import Emoji

STORED = 72


def load_pictures(emoji: Iterable[Emoji]) -> Tensor:
    """Premultiplied RGBA, uint8, [n, 4, 72, 72]."""
    pictures = [np.asarray(draw_small(one.text, STORED), dtype=np.float32) for one in emoji]
    stack = np.stack(pictures)
    stack[..., :3] *= stack[..., 3:] / 255
    return torch.from_numpy(stack.round().astype(np.uint8)).permute(0, 3, 1, 2).contiguous()


def _uniform(count: int, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(count)


def _transforms(count: int) -> Tensor:
    """Random rotations, stretches and shifts as affine matrices, [n, 2, 3]."""
    angle = _uniform(count, -15, 15) * math.pi / 180
    zoom, stretch = _uniform(count, 0.9, 1.3), _uniform(count, 0.9, 1.1)
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = [cosine * stretch, -sine, _uniform(count, -0.15, 0.15), sine, cosine / stretch, _uniform(count, -0.15, 0.15)]
    return torch.stack(rows, dim=1).reshape(count, 2, 3)


def _backgrounds(count: int) -> Tensor:
    """White for most, some colour for the rest, [n, 3, 1, 1]."""
    coloured = (torch.rand(count, 1) < 0.3).float()
    return (coloured * torch.rand(count, 3) + 1 - coloured)[:, :, None, None]


def _jitter(images: Tensor) -> Tensor:
    """Random brightness, saturation and tint."""
    count = len(images)
    grey = images.mean(dim=1, keepdim=True)
    saturation = _uniform(count, 0.5, 1.4)[:, None, None, None]
    tint = _uniform(count * 3, 0.85, 1.15).reshape(count, 3, 1, 1)
    return ((grey + (images - grey) * saturation) * tint).clamp(0, 1)


def augment_pictures(pictures: Tensor) -> Tensor:
    """A random view of each picture as the network takes it, float32 in -1..1, [n, 3, 64, 64]."""
    grid = functional.affine_grid(_transforms(len(pictures)), [len(pictures), 4, SIDE, SIDE], align_corners=False)
    view = functional.grid_sample(pictures.float() / 255, grid, align_corners=False)
    images = view[:, :3] + _backgrounds(len(pictures)) * (1 - view[:, 3:])
    return _jitter(images) * 2 - 1
