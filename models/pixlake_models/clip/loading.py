"""Loads a model of open_clip's by its name and its weights, with its preprocessing and tokenizer."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import open_clip
import torch
from open_clip.pretrained import (
    download_pretrained,
    download_pretrained_from_hf,
    get_pretrained_cfg,
    list_pretrained_tags_by_model,
)
from open_clip.tokenizer import HFTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import Tensor

from pixlake.bundles.manifest import Preprocessing
from pixlake.errors import BadRequest
from pixlake_models.clip.preprocessing import read_preprocessing
from pixlake_models.clip.tokenizer import ClipTokenizer, read_tokenizer
from pixlake_models.exporting.export import Request
from pixlake_models.exporting.origins import UNKNOWN_LICENCE, describe_file
from pixlake_models.exporting.texts import make_texts

UNTRAINED = "none"
_HUB = "hf-hub:"
_CONFIG = ".json"
_MOST_OF_A_MESSAGE = 300


@dataclass(frozen=True)
class Clip:
    """The model; its library's `preprocess` and `tokenize`; the same as a bundle has them; the origin. `tokenize` gives
    what `encode_text` takes: tokens `[n, length]`, and their mask where the tokenizer is `masked`. The export is proved
    by `texts`.
    """

    model: torch.nn.Module
    preprocess: Callable[[Any], Tensor]
    preprocessing: Preprocessing
    tokenize: Callable[[list[str]], tuple[Tensor, ...]]
    tokenizer: ClipTokenizer
    source: dict[str, str]
    texts: Sequence[str] = field(default_factory=make_texts)


def load_clip(request: Request) -> Clip:
    """The model with its weights.

    Raises BadRequest for a name, a tag or a file that open_clip does not have or cannot use, and NotServable for a
    model that a bundle cannot express.
    """
    name = _find_name(request.name)
    weights = _find_weights(name, request.pretrained)
    torch.manual_seed(0)
    with _explained(f"open_clip cannot load {name} with {_describe_weights(weights)}"):
        model = open_clip.create_model(name, pretrained=None if weights == UNTRAINED else weights)
    with _explained(f"open_clip cannot load the tokenizer of {name}"):
        tokenize = _callable(open_clip.get_tokenizer(name))
    config = PreprocessCfg(**model.visual.preprocess_cfg)
    return Clip(
        model=model,
        preprocess=image_transform_v2(config, is_train=False),
        preprocessing=read_preprocessing(config),
        tokenize=lambda texts: (tokenize(texts),),
        tokenizer=read_tokenizer(tokenize),
        source=_describe_source(name, weights, request.licence),
    )


def _find_name(name: str) -> str:
    """open_clip's name of the model; of a configuration in a file, the file's."""
    if name.startswith(_HUB):
        return name
    if name.endswith(_CONFIG):
        if not Path(name).is_file():
            raise BadRequest(f"there is no file {name} with a model's configuration")
        open_clip.add_model_config(name)
        name = Path(name).stem
    known = open_clip.list_models()
    if name.replace("/", "-") in known:  # as open_clip takes ViT-B/32 for ViT-B-32
        return name.replace("/", "-")
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    raise BadRequest(f"open_clip has no model {name!r}; similar are {', '.join(near) or 'none of its names'}")


def _find_weights(name: str, pretrained: str | None) -> str | None:
    """A tag, a file's path, or `none`; None for those in the hub beside the model."""
    if name.startswith(_HUB):
        if pretrained:
            raise BadRequest(f"{name} has its own weights; leave out --pretrained")
        return None
    tags = list_pretrained_tags_by_model(name)
    choice = f"--pretrained takes a file or one of {', '.join(tags)}" if tags else "--pretrained takes a file"
    if pretrained is None:
        raise BadRequest(f"{name} without weights answers at random: {choice} (or {UNTRAINED}, for a trial)")
    if pretrained == UNTRAINED or Path(pretrained).is_file():
        return pretrained
    settings = get_pretrained_cfg(name, pretrained)
    if not settings:
        raise BadRequest(f"there is no file {pretrained!r}, and no such weights of {name}: {choice}")
    _check_activation(name, pretrained, bool(settings.get("quick_gelu")))
    return pretrained


def _check_activation(name: str, tag: str, quick: bool) -> None:
    """open_clip only warns of weights that were trained with the other activation, and answers wrongly."""
    if quick == bool((open_clip.get_model_config(name) or {}).get("quick_gelu")):
        return
    other = f"{name}-quickgelu" if quick else name.removesuffix("-quickgelu")
    raise BadRequest(f"the weights {tag} are of another activation than {name} has; export open_clip:{other}")


@contextmanager
def _explained(failure: str) -> Iterator[None]:
    """open_clip, torch, pickle and the hub raise errors of every kind at names and files that they cannot use."""
    try:
        yield
    except UnpicklingError as error:
        reason = "it holds more than tensors, which would be run as code; save the model's state_dict"
        raise BadRequest(f"{failure}: {reason}") from error
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:_MOST_OF_A_MESSAGE]
        raise BadRequest(f"{failure}: {reason}") from error


def _callable(tokenizer: Any) -> Any:
    """open_clip 2.32 calls a method that transformers 5 no longer has; calling the tokenizer itself is the same."""
    if isinstance(tokenizer, HFTokenizer) and not hasattr(tokenizer.tokenizer, "batch_encode_plus"):
        tokenizer.tokenizer.batch_encode_plus = tokenizer.tokenizer.__call__
    return tokenizer


def _describe_weights(weights: str | None) -> str:
    return f"the weights {weights}" if weights else "its own weights"


def _describe_source(name: str, weights: str | None, licence: str | None) -> dict[str, str]:
    source = {"origin": f"open_clip {open_clip.__version__}, {name}"}
    if weights == UNTRAINED:
        return source | {"weights": "random, of no use but for trials"}
    source["licence"] = licence or UNKNOWN_LICENCE
    if weights is None:
        return source | {"weights": describe_file(Path(download_pretrained_from_hf(name.removeprefix(_HUB))))}
    if Path(weights).is_file():
        return source | {"weights": describe_file(Path(weights))}
    settings = get_pretrained_cfg(name, weights)
    place = settings.get("hf_hub") or settings.get("url") or ""
    read = describe_file(Path(download_pretrained(settings)))
    return source | {"weights": f"{weights}{f', {place}' if place else ''}: {read}"}
