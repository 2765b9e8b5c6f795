"""A quantized variant of a candidate: never the default, with the kind in its name, and written with its losses.

It is compared with the bundle that it was made from, once that is proved equal to its model.
"""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import Preprocessing
from pixlake.errors import BadRequest, NotServable
from pixlake.images.decoding import FORMATS
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.encoders import Example
from pixlake_models.exporting.export import Candidate, prove
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.parity import cosines, serve
from pixlake_models.exporting.pictures import Picture, draw_scene, make_pictures, save_picture
from pixlake_models.exporting.probabilities import predict_tensors
from pixlake_models.exporting.texts import make_texts
from pixlake_models.exporting.writing import trial_bundle
from pixlake_models.photographs import list_photographs
from pixlake_models.quantizing.quantize import halve, to_int8

Kind = Literal["fp16", "int8"]
Vectors = NDArray[np.float32]

LEAST_COSINE = {"fp16": 0.999, "int8": 0.98}
"""On average. Pictures of one thing have cosines of 0.9 in CLIP models: a loss of 0.02 keeps most neighbours."""
LEAST_AGREEMENT = {"fp16": 0.95, "int8": 0.9}
PRECISION = {
    "fp16": "float16 weights, computed with as float32",
    "int8": "integers of 8 bits; compared with float32 in metrics",
}
_CALIBRATING, _MEASURING = 32, 256
_FEWEST = 8
_SCENES = 8
_AT_ONCE = 8


@dataclass(frozen=True)
class Probes:
    """Pictures to calibrate on, and others to measure on."""

    fitted: Sequence[Picture]
    measured: Sequence[Picture]


def make_probes() -> Probes:
    """Views of a few photographs and drawn scenes to calibrate on; of other ones to measure on.

    A drawn picture moves a network less than a photograph: ranges that are measured on it alone cut off sure answers.
    """
    photographs = list_photographs()
    scenes = [save_picture("PNG", draw_scene(320, 320, 1000 + seed), "PNG") for seed in range(_SCENES)]
    return Probes([*_views(photographs[::2]), *scenes], [*_views(photographs[1::2]), *make_pictures()])


def _views(paths: Sequence[Path]) -> Iterator[Picture]:
    """Each photograph, its mirror image, its middle and a corner."""
    for path in paths:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        width, height = image.size
        middle = image.crop((width // 10, height // 10, width - width // 10, height - height // 10))
        for view in (image, ImageOps.mirror(image), middle, image.crop((0, 0, width * 3 // 4, height * 3 // 4))):
            yield save_picture(path.name, view, "PNG")


def read_probes(folder: Path) -> Probes:
    """Every other picture in a folder for each purpose; BadRequest where there are too few."""
    endings = {ending for ending, form in Image.registered_extensions().items() if form in FORMATS}
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
    if len(found) < 2 * _FEWEST:
        raise BadRequest(f"{folder}: {len(found)} pictures are too few to quantize by; give {2 * _FEWEST} or more")
    pictures = [Picture(path.name, path.read_bytes()) for path in found[: 2 * _MEASURING]]
    return Probes(pictures[::2][:_CALIBRATING], pictures[1::2])


def quantize(candidate: Candidate, kind: Kind, probes: Probes, name: str) -> Candidate:
    """The variant `name` of the proved candidate, whose `measure` compares the two. NotServable for a model of more
    than an image, NotEqual for a candidate whose answers differ from its model's.
    """
    if candidate.manifest.kind not in ("embedder", "image_classifier"):
        raise NotServable(f"only models of images alone are quantized, not a {candidate.manifest.kind}")
    candidate, _ = prove(candidate, name, " before it is quantized")
    declared = candidate.manifest.image_input
    assert declared
    examples = _read(probes.fitted, declared.preprocessing) if kind == "int8" else []
    files = dict(candidate.files)
    for graph in candidate.manifest.graphs:
        seen = examples if graph == candidate.manifest.graph else []
        files[graph] = halve(files[graph]) if kind == "fp16" else to_int8(files[graph], declared.tensor, seen)
    source = candidate.manifest.source | {"precision": PRECISION[kind]}
    manifest = msgspec.structs.replace(candidate.manifest, source=source)
    measure = functools.partial(_measure, original=candidate, kind=kind, probes=probes)
    return Candidate(manifest, files, measure, candidate.notes)


def _measure(folder: BundleFolder, *, original: Candidate, kind: Kind, probes: Probes) -> list[Figure]:
    manifest = msgspec.structs.replace(original.manifest, name=folder.manifest.name)
    with trial_bundle(manifest, original.files) as whole:
        compare = _compare_embedders if manifest.kind == "embedder" else _compare_classifiers
        figures = [*compare(whole, folder, kind, probes.measured)]
        return [*figures, Figure("share_of_size", folder.size / whole.size, group=kind)]


def _compare_embedders(
    whole: BundleFolder, variant: BundleFolder, kind: Kind, pictures: Sequence[Picture]
) -> Iterator[Figure]:
    models = Embedder(whole), Embedder(variant)
    tensors = _read(pictures, models[0].preprocessing)
    expected, found = (_in_groups(model.embed_tensors, tensors) for model in models)
    yield from _distribution("image_cosine", cosines(expected, found), kind)
    same = _nearest(expected) == _nearest(found)
    yield Figure("same_nearest_picture", float(same.mean()), group=kind)
    if whole.manifest.text:
        expected, found = (_in_groups(model.embed_texts, make_texts()) for model in models)
        yield from _distribution("text_cosine", cosines(expected, found), kind)
    yield _speed(models[0].embed_tensors, models[1].embed_tensors, tensors, kind)


def _compare_classifiers(
    whole: BundleFolder, variant: BundleFolder, kind: Kind, pictures: Sequence[Picture]
) -> Iterator[Figure]:
    models = Classifier(whole), Classifier(variant)
    assert models[0].image_input
    tensors = _read(pictures, models[0].image_input.preprocessing)
    expected, found = (predict_tensors(model, tensors, len(whole.manifest.labels)) for model in models)
    same = (expected.argmax(axis=1) == found.argmax(axis=1)) & np.isfinite(found).all(axis=1)
    yield Figure("same_label", float(same.mean()), least=LEAST_AGREEMENT[kind], group=kind)
    differences = np.abs(expected - found).max(axis=1)
    yield Figure("probability_difference_p50", float(np.median(differences)), group=kind)
    yield Figure("probability_difference_max", float(differences.max()), group=kind)
    examples = [Example(images=[each]) for each in tensors[:_AT_ONCE]]
    yield _speed(models[0].predict, models[1].predict, examples, kind)


def _distribution(name: str, values: NDArray[np.float64], kind: Kind) -> Iterator[Figure]:
    yield Figure(f"{name}_min", float(values.min()), group=kind)
    yield Figure(f"{name}_p1", float(np.percentile(values, 1)), group=kind)
    yield Figure(f"{name}_p50", float(np.median(values)), group=kind)
    yield Figure(f"{name}_mean", float(values.mean()), least=LEAST_COSINE[kind], group=kind)


def _nearest(vectors: Vectors) -> NDArray[np.int64]:
    """The index of each vector's nearest other vector."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    nearest: NDArray[np.int64] = likeness.argmax(axis=1)
    return nearest


def _speed(whole: Callable[[Any], Any], variant: Callable[[Any], Any], examples: Sequence[Any], kind: Kind) -> Figure:
    """The speed as a multiple of float32's, on this processor; not kept, for it differs between processors."""
    seconds = [min(_time(answer, examples[:_AT_ONCE]) for _ in range(3)) for answer in (whole, variant)]
    return Figure("times_as_fast", seconds[0] / seconds[1], group=kind, kept=False)


def _time(answer: Callable[[Any], Any], examples: Sequence[Any]) -> float:
    begun = time.perf_counter()
    answer(examples)
    return time.perf_counter() - begun


def _read(pictures: Sequence[Picture], preprocessing: Preprocessing) -> list[Vectors]:
    return [each.tensor for each in serve(pictures, preprocessing)]


def _in_groups(answer: Callable[[Any], NDArray[Any]], examples: Sequence[Any]) -> NDArray[Any]:
    starts = range(0, len(examples), _AT_ONCE)
    return np.concatenate([answer(examples[start : start + _AT_ONCE]) for start in starts])
