"""A small network of timm's, as its folders hold it, and the tensors that timm makes of files."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from timm.data import create_transform

from pixlake_models.exporting.pictures import draw_scene

NAME, SIDE = "mobilenetv3_small_050", 96
SETTINGS = {
    "input_size": (3, SIDE, SIDE),
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "crop_mode": "center",
    "mean": (0.5, 0.4, 0.3),
    "std": (0.25, 0.5, 0.3),
}
BREEDS = [f"breed {number}" for number in range(7)]


def encode(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def transform_as_timm(files: list[bytes], settings: Mapping[str, Any] = {}) -> torch.Tensor:
    """By timm's transform, of the pictures on white."""
    transform = create_transform(**{**SETTINGS, **settings}, is_training=False)
    opened = [Image.open(io.BytesIO(data)).convert("RGBA") for data in files]
    flat = [Image.alpha_composite(Image.new("RGBA", each.size, "white"), each).convert("RGB") for each in opened]
    return torch.stack([transform(each) for each in flat])


def make_network(classes: int = len(BREEDS)) -> Any:
    """Random weights."""
    torch.manual_seed(3)
    return timm.create_model(NAME, num_classes=classes).eval()


def make_telling_network(*, sighted: bool = True) -> Any:
    """Random weights, but answers that differ with the picture, without which equal ones would say nothing: each layer
    brings what it makes of some pictures to mean 0 and variance 1, and the last one is sharp. One that is not `sighted`
    sees the edges alone, which a JPEG decoded smaller has otherwise."""
    network = make_network().train()
    if not sighted:
        kernels = network.conv_stem.weight.data
        kernels -= kernels.mean((2, 3), keepdim=True)
    pictures = [draw_scene(SIDE, SIDE, seed) for seed in range(12)] + [Image.new("RGB", (SIDE, SIDE))]
    batch = transform_as_timm([encode(each, "PNG") for each in pictures])
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean over all that it sees, which is once
    with torch.no_grad():
        network(batch)
        network.classifier.weight.mul_(100)
    return network.eval()


def write_folder(folder: Path, network: Any, settings: Mapping[str, Any] = {}, **described: Any) -> Path:
    """As timm's `save_for_hf` writes it."""
    folder.mkdir()
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    config = {"architecture": NAME, "pretrained_cfg": {**SETTINGS, **settings}, **described}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
