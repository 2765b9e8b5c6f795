"""What a person wants to know of a model before using it, as its bundle says."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.filesize import decimal

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import (
    CategoricalInput,
    ImageInput,
    Input,
    Manifest,
    NumericalInput,
    Preprocessing,
    TextInput,
)
from pixlake.bundles.predictors import PredictorManifest

_SHOWN = 12
_KINDS = {
    "embedder": "An embedder",
    "image_classifier": "A classifier of images",
    "record_classifier": "A classifier of records",
}
_RESIZING = {
    "squash": "squashed to",
    "shortest": "resized to cover, then cut at the centre to",
    "longest": "resized to fit, then padded to",
}
_MISSING = {"zero": "a record without one is answered from the rest", "refuse": "a record without one is a reject"}


def write_card(folder: BundleFolder) -> str:
    """Markdown. `?` stands for what a terminal would obey, for anybody may have written the bundle."""
    return "\n".join("".join(each if each.isprintable() else "?" for each in line) for line in _lines(folder))


def _lines(folder: BundleFolder) -> Iterator[str]:
    described = folder.description
    yield f"# {folder.model}"
    yield from _predictor_lines(described) if isinstance(described, PredictorManifest) else _graph_lines(described)
    yield from _section("Labels, by class id", _list_labels(described))
    yield from _section("Source and licence", (f"{key}: {value}" for key, value in described.source.items()))
    yield from _section("Measured when it was made", _flatten(described.metrics))
    yield from _section(f"Files, {decimal(folder.size)}", _list_files(folder))


def _graph_lines(manifest: Manifest) -> Iterator[str]:
    yield f"{_KINDS[manifest.kind]}; {describe_answer(manifest)}."
    yield from _section("Takes in", (_describe_input(each, manifest.kind) for each in manifest.inputs))
    if manifest.text:
        yield from _section("Takes in for search by text", [_describe_input(manifest.text.input, manifest.kind)])
    yield from _section("Preprocessing of images", _describe_preprocessing(manifest))


def _predictor_lines(manifest: PredictorManifest) -> Iterator[str]:
    subject = "records" if manifest.columns else "images"
    yield f"A MultiModalPredictor of {subject}, run by the AutoGluon container; {describe_answer(manifest)}."
    yield "It holds pickles: loading it runs the code of whoever made it."
    takes = [f"{column.name}, a {column.type}" for column in manifest.columns]
    if images := manifest.images:
        missing = _MISSING["refuse" if manifest.needs_image else "zero"]
        takes.append(f"{_count_images(images.max_images)}; {missing}" if takes else _count_images(images.max_images))
    yield from _section("Takes in", takes)


def describe_answer(manifest: Manifest | PredictorManifest) -> str:
    """What it answers: vectors, labels or a value."""
    if isinstance(manifest, Manifest) and manifest.kind == "embedder":
        return f"vectors of {manifest.dimensions}, of images{' and texts' if manifest.text else ''}"
    return f"{manifest.problem}, {len(manifest.labels)} labels" if manifest.labels else f"{manifest.problem}, a value"


def _describe_input(declared: Input, kind: str) -> str:
    match declared:
        case ImageInput():
            most = _count_images(declared.max_images)
            return f"{most}; {_MISSING[declared.missing]}" if kind == "record_classifier" else most
        case NumericalInput():
            return f"numbers: {_shorten([column.name for column in declared.columns])}"
        case CategoricalInput():
            return f"category {declared.column}, one of {len(declared.categories)}: {_shorten(declared.categories)}"
        case TextInput():
            columns = f" {_shorten(declared.columns)}" if declared.columns else ""
            return f"text{columns}, at most {declared.length} tokens"


def _count_images(most: int) -> str:
    return "an image" if most == 1 else f"up to {most} images a record"


def _describe_preprocessing(manifest: Manifest) -> Iterator[str]:
    if manifest.image_input is None:
        return
    spec = manifest.image_input.preprocessing
    cut = f", keeping {spec.crop:g} of each side" if spec.resize == "shortest" and spec.crop < 1 else ""
    yield _describe_pixels(spec)
    yield f"{_RESIZING[spec.resize]} {spec.width} x {spec.height} pixels, {spec.interpolation}{cut}"
    yield f"(pixel / 255 - mean) / std with mean {_numbers(spec.mean)} and std {_numbers(spec.std)}"


def _describe_pixels(spec: Preprocessing) -> str:
    if spec.pixels == "stored":
        return "RGB of the stored pixels: not turned by EXIF, transparency dropped"
    shown = f"upright by EXIF, RGB, transparent pixels on {_color(spec.background)}"
    return f"{shown}; JPEGs are decoded whole" if spec.pixels == "whole" else shown


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    """A heading and its list; nothing where the list is empty."""
    lines = [f"- {item}" for item in items]
    if lines:
        yield from ["", f"## {title}", *lines]


def _list_labels(manifest: Manifest | PredictorManifest) -> Iterator[str]:
    """A line each, for a label may hold commas. The class id is its column in the graph's output; then its id in the
    vocabulary that it is of."""
    labels, ids = manifest.labels, manifest.ids_by_label if isinstance(manifest, Manifest) else {}
    yield from (
        f"{' '.join([str(index), *filter(None, [ids.get(label)])])}: {label}"
        for index, label in enumerate(labels[:_SHOWN])
    )
    if len(labels) > _SHOWN:
        yield f"and {len(labels) - _SHOWN:,} more, by `pixlake models labels {manifest.name}`"


def _list_files(folder: BundleFolder) -> Iterator[str]:
    for name, digest in sorted(folder.description.files.items()):
        yield f"{name}, {decimal(folder.sizes[name])}, sha256 {digest}"


def _flatten(metrics: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in metrics.items():
        name = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, dict) and not above:
            yield from _flatten(value, f"{name}, ")
        elif isinstance(value, dict):
            yield f"{name}: {', '.join(f'{part} {each}' for part, each in value.items())}"
        else:
            yield f"{name}: {value}"


def _shorten(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _color(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _numbers(values: tuple[float, float, float]) -> str:
    return f"{values[0]:g} for each channel" if len(set(values)) == 1 else ", ".join(f"{value:g}" for value in values)
