"""A network of timm's as a bundle: an embedder by its pooled features, or a classifier by its classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from timm.data import ImageNetInfo, infer_imagenet_subset
from torch import Tensor

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import ImageInput, Manifest, Output, Preprocessing
from pixlake.errors import BadRequest, NotServable
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake_models.exporting.export import Candidate, Request
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.graphs import export_graph
from pixlake_models.exporting.labels import name_apart, read_labels
from pixlake_models.exporting.origins import UNKNOWN_LICENCE, describe_file
from pixlake_models.exporting.parity import Original
from pixlake_models.exporting.trying import blanks, try_out
from pixlake_models.timm.loading import TimmModel, load_timm
from pixlake_models.timm.padding import fixed_padding
from pixlake_models.timm.parity import compare_classes, compare_features
from pixlake_models.timm.preprocessing import Transform, read_preprocessing

GRAPH, IMAGE, FEATURES, LOGITS = "model.onnx", "image", "features", "logits"


@dataclass(frozen=True)
class _Classes:
    """The classes' distinct names, their source, and their ids where they are known (ImageNet's are WordNet's)."""

    names: Sequence[str]
    origin: str
    ids: Sequence[str] = ()


class _Features(torch.nn.Module):
    """The input of the last layer: each map, pooled."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        maps = self.network.forward_features(images)
        features: Tensor = self.network.forward_head(maps, pre_logits=True)
        return features


def export_timm(request: Request) -> Candidate:
    """`request.answer` says whether features or classes are wanted.

    Raises BadRequest for a model, weights or labels that are missing or do not fit, NotServable for a model that a
    bundle cannot express.
    """
    if request.answer is None:
        raise BadRequest("a model of timm's is exported for its --features or to --classify")
    if request.answer == "features" and request.labels:
        raise BadRequest("--labels names classes; features have none")
    model = load_timm(request.name, request.pretrained)
    preprocessing, transform = read_preprocessing(model.network)
    make = _export_features if request.answer == "features" else _export_classes
    return make(request, model, preprocessing, transform)


def _export_features(
    request: Request, model: TimmModel, preprocessing: Preprocessing, transform: Transform
) -> Candidate:
    module = _Features(model.network).eval()
    width = _measure_answer(module, preprocessing)
    manifest = Manifest(
        format=1,
        name="features",
        kind="embedder",
        inputs=(ImageInput(IMAGE, preprocessing),),
        graph=GRAPH,
        output=Output(FEATURES, "normalize"),
        files={},
        source=_describe_source(model, request.licence),
        dimensions=width,
    )

    original = Original(transform, module, preprocessing.background)

    def measure(folder: BundleFolder) -> Sequence[Figure]:
        return tuple(compare_features(Embedder(folder), original))

    return Candidate(manifest, {GRAPH: _export(module, preprocessing, FEATURES)}, measure)


def _export_classes(
    request: Request, model: TimmModel, preprocessing: Preprocessing, transform: Transform
) -> Candidate:
    count = _measure_answer(model.network, preprocessing) if model.network.num_classes else 0
    classes = _find_labels(request, model, count)
    manifest = Manifest(
        format=1,
        name="classes",
        kind="image_classifier",
        inputs=(ImageInput(IMAGE, preprocessing),),
        graph=GRAPH,
        output=Output(LOGITS, "softmax"),
        files={},
        source=_describe_source(model, request.licence) | {"labels": classes.origin},
        problem="binary" if count == 2 else "multiclass",
        labels=tuple(classes.names),
        label_ids=tuple(classes.ids) or msgspec.UNSET,
    )

    original = Original(transform, model.network, preprocessing.background)

    def measure(folder: BundleFolder) -> Sequence[Figure]:
        return tuple(compare_classes(Classifier(folder), original))

    return Candidate(manifest, {GRAPH: _export(model.network, preprocessing, LOGITS)}, measure)


def _measure_answer(module: torch.nn.Module, preprocessing: Preprocessing) -> int:
    """The length of its answer to a picture."""
    answer = try_out(module, preprocessing)
    if not isinstance(answer, Tensor) or answer.ndim != 2:
        shape = list(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise NotServable(f"a bundle answers with one row of numbers a picture, this model with {shape}")
    return int(answer.shape[1])


def _export(module: torch.nn.Module, preprocessing: Preprocessing, output: str) -> bytes:
    with fixed_padding():
        return export_graph(module, {IMAGE: blanks(preprocessing)}, output)


def _find_labels(request: Request, model: TimmModel, count: int) -> _Classes:
    """Of `count` classes: from a file, the weights, or ImageNet."""
    if count < 2:
        raise BadRequest(f"{model.origin} has {count or 'no'} classes, a classifier two or more; it has --features")
    if request.labels:
        names = [label.name for label in read_labels(request.labels)]
        if len(names) != count:
            raise BadRequest(f"{request.labels}: it has {len(names)} labels, the model has {count} classes")
        return _Classes(names, request.labels.name)
    if own := _own_labels(model, count):
        return own
    subset = infer_imagenet_subset({"num_classes": count})
    if subset is None:
        raise BadRequest(f"{model.origin} has {count} classes without names; --labels takes a file of them, in order")
    info = ImageNetInfo(subset)
    names, ids = name_apart(info.label_descriptions(), info.label_names()), info.label_names()
    return _Classes(names, f"{subset}, for the model has {count} classes", ids)


def _own_labels(model: TimmModel, count: int) -> _Classes | None:
    """The labels that came with the weights, by their descriptions where there are any; their names are ids then."""
    names = model.settings.get("label_names") or ()
    names = [names[key] for key in sorted(names, key=int)] if isinstance(names, dict) else list(names)
    descriptions = model.settings.get("label_descriptions") or {}
    if len(names) != count:
        return None
    labels = name_apart([str(descriptions.get(name, name)) for name in names])
    distinct = descriptions and len(set(names)) == count
    return _Classes(labels, "the weights' own", [str(name) for name in names] if distinct else [])


def _describe_source(model: TimmModel, licence: str | None) -> dict[str, str]:
    """Origin, the licence that the user says or timm knows, the paper, and the file of weights."""
    known = {
        "licence": licence or model.settings.get("license") or UNKNOWN_LICENCE,
        "described at": model.settings.get("origin_url"),
        "weights": describe_file(model.weights) if model.weights else None,
    }
    return {"origin": model.origin, **{key: str(value) for key, value in known.items() if value}}
