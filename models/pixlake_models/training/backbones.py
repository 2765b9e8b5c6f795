"""The initial image network of a training, as the local timm folder that AutoGluon builds it from, offline."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import load_state_dict

from pixlake.bundles.manifest import Preprocessing
from pixlake.errors import BadRequest
from pixlake_models.exporting.channels import WHITE, per_channel

CONFIG, WEIGHTS = "config.json", ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Backbone:
    """`name` is the user's; `trained` is false for random weights."""

    name: str
    folder: Path
    preprocessing: Preprocessing
    trained: bool


def prepare_backbone(name: str, folder: Path, *, trained: bool, side: int | None, seed: int) -> Backbone:
    """Put the network `name` into `folder`, for pictures of `side` pixels (by default its own size).

    `name` is a folder with a timm model (config.json and weights), or the name of one, whose trained weights timm gets
    from its hub, or from the cache. BadRequest for any other name, or for missing weights.
    """
    torch.manual_seed(seed)
    model, config = _read_folder(Path(name), trained) if "/" in name else _create(name, trained)
    side = side or int(config["input_size"][-1])
    _try_out(model, name, side)
    config = config | {"input_size": (3, side, side)}
    folder.mkdir(parents=True)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    described = {"architecture": config["architecture"], "num_features": model.num_features, "pretrained_cfg": config}
    (folder / CONFIG).write_text(json.dumps(described, indent=2, default=str))
    return Backbone(name, folder, _preprocessing(config, side), trained)


def _create(name: str, trained: bool) -> tuple[Any, dict[str, Any]]:
    if not timm.is_model(name.partition(".")[0]):
        raise BadRequest(f"--backbone {name}: timm knows no such model; a folder is written with a /, ./{name}")
    try:
        model = timm.create_model(name, pretrained=trained, num_classes=0)
    except Exception as error:  # of the hub, the network or the cache
        raise BadRequest(
            f"--backbone {name}: its trained weights cannot be had ({type(error).__name__}); "
            "give a folder that holds them, or --untrained to begin with random ones"
        ) from error
    return model, dict(model.pretrained_cfg)


def _read_folder(folder: Path, trained: bool) -> tuple[Any, dict[str, Any]]:
    """The network in a folder as timm's `save_for_hf` writes it; without a classifier's last layer."""
    try:
        read = json.loads((folder / CONFIG).read_text())
        config = read.get("pretrained_cfg", {}) | {"architecture": read["architecture"]}
        model = timm.create_model(read["architecture"], num_classes=0)
        if trained:
            weights = next(folder / each for each in WEIGHTS if (folder / each).exists())
            missing, _ = model.load_state_dict(load_state_dict(str(weights)), strict=False)
            if missing:
                raise BadRequest(
                    f"--backbone {folder}: {weights.name} lacks {len(missing)} weights, {missing[0]} first"
                )
    except StopIteration:
        raise BadRequest(f"--backbone {folder}: neither {' nor '.join(WEIGHTS)} is there") from None
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadRequest(f"--backbone {folder}: no folder with a timm model: {error}") from error
    return model, dict(model.pretrained_cfg) | config


def _try_out(model: Any, name: str, side: int) -> None:
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, side, side))
    except Exception as error:  # each network has its own errors for a size that it does not support
        raise BadRequest(f"--backbone {name} takes no pictures of {side} pixels: {error}") from error


def _preprocessing(config: dict[str, Any], side: int) -> Preprocessing:
    """The preprocessing of AutoGluon's `resize_to_square`."""
    return Preprocessing(
        width=side,
        height=side,
        resize="squash",
        interpolation="bicubic",
        background=WHITE,
        mean=per_channel(config["mean"]),
        std=per_channel(config["std"]),
    )
