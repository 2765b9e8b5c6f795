"""Loads timm's networks by name, with timm's own weights or those of a file or folder."""

import argparse
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import PretrainedCfg, load_state_dict, split_model_name_tag

from pixlake.errors import BadRequest
from pixlake_models.timm.cached import find_weights

CONFIG, WEIGHTS = "config.json", ("model.safetensors", "pytorch_model.bin")
_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".tar")
_HUB = "hf-hub:"
_OF_ITS_OWN = {"license", "origin_url", "label_names", "label_descriptions"}


@dataclass(frozen=True)
class TimmModel:
    """A network with its weights, their file where it is known, and where they come from; `settings` is its
    `pretrained_cfg`."""

    network: Any
    origin: str
    weights: Path | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        return dict(self.network.pretrained_cfg)


def load_timm(name: str, pretrained: str | None) -> TimmModel:
    """The network `name`, or `name.tag`, ready to answer.

    `pretrained` is a tag of timm's, a checkpoint, or a folder with config.json and weights; by default the weights are
    those that timm names first. BadRequest if timm has no such network, or the weights are missing or of another one.
    """
    _check_name(name)
    if pretrained and _is_path(pretrained):
        network = _load_local(split_model_name_tag(name)[0], Path(pretrained))
        weights: Path | None = _find_weights(Path(pretrained))
        origin = f"timm {timm.__version__}, {name}, weights of {Path(pretrained).name}"
    else:
        network = _download(f"{split_model_name_tag(name)[0]}.{pretrained}" if pretrained else name)
        weights, tag = find_weights(network.pretrained_cfg), network.pretrained_cfg.get("tag")
        origin = f"timm {timm.__version__}, {split_model_name_tag(name)[0]}{f'.{tag}' if tag else ''}"
    return TimmModel(network.float().eval(), origin, weights)


def _check_name(name: str) -> None:
    architecture = split_model_name_tag(name)[0]
    if not name.startswith(_HUB) and not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        raise BadRequest(f"timm knows no model {architecture!r}{f'; it knows {near}' if near else ''}")


def _is_path(pretrained: str) -> bool:
    return "/" in pretrained or pretrained.endswith(_SUFFIXES) or Path(pretrained).exists()


def _download(name: str) -> Any:
    """The network with timm's weights, from its hub or the cache."""
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:  # of the hub, the network, the cache, or a tag that timm does not know
        raise BadRequest(
            f"timm cannot get the weights of {name} ({type(error).__name__}: {error}); "
            "where there is no network, --pretrained takes a file or a folder that holds them"
        ) from error


def _load_local(architecture: str, path: Path) -> Any:
    """The network with the weights in a file, or as described by a folder that timm's `save_for_hf` wrote."""
    settings, arguments = _read_config(path, architecture) if path.is_dir() else ({}, {})
    weights = _find_weights(path)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # timm's own training script keeps its options
            state = load_state_dict(str(weights))
        settings = {**_read_defaults(architecture), **settings}
        classes = _count_classes(state, settings)
        settings["num_classes"] = classes
        network = timm.create_model(architecture, pretrained_cfg=settings, **{**arguments, "num_classes": classes})
        network.load_state_dict(state)
    except Exception as error:  # torch's errors for a file without weights, or with another network's
        reason = str(error).strip().partition("\n")[0]
        raise BadRequest(f"{weights}: these are no weights of {architecture}: {reason}") from error
    return network


def _read_defaults(architecture: str) -> dict[str, Any]:
    """What timm says of its own weights, as far as it holds for others."""
    defaults = timm.create_model(architecture).pretrained_cfg
    return {key: value for key, value in defaults.items() if key not in _OF_ITS_OWN}


def _find_weights(path: Path) -> Path:
    if not path.is_dir():
        if not path.is_file():
            raise BadRequest(f"{path}: there is no such file or folder")
        return path
    found = next((path / name for name in WEIGHTS if (path / name).is_file()), None)
    if found is None:
        raise BadRequest(f"{path}: neither {' nor '.join(WEIGHTS)} is there")
    return found


def _read_config(folder: Path, architecture: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of pictures and labels in config.json, and the network's arguments."""
    try:
        read = json.loads((folder / CONFIG).read_text())
        found, settings = read["architecture"], dict(read.get("pretrained_cfg", {}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{folder}/{CONFIG}: it does not describe a model of timm's: {error!r}") from error
    if found != architecture:
        raise BadRequest(f"{folder}/{CONFIG}: the model in it is {found}, not {architecture}")
    settings |= {key: read[key] for key in ("label_names", "label_descriptions") if key in read}
    known = {each.name for each in fields(PretrainedCfg)}
    return {key: value for key, value in settings.items() if key in known}, dict(read.get("model_args", {}))


def _count_classes(state: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
    """The number of the last layer's rows; 0 where the weights have none."""
    named = settings.get("classifier") or ()
    layers = (named,) if isinstance(named, str) else named
    rows = (state[f"{layer}.weight"].shape[0] for layer in layers if f"{layer}.weight" in state)
    return int(next(rows, 0))
