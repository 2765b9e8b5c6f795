"""From a repository to a bundle: which files, what each graph answers, and what its settings say."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import onnx

from pixlake.bundles.manifest import ImageInput, Manifest, Output, TextTower
from pixlake.errors import NotServable
from pixlake_models.exporting.labels import name_apart
from pixlake_models.exporting.origins import UNKNOWN_LICENCE
from pixlake_models.exporting.weights import LARGE
from pixlake_models.exporting.writing import Content, Digesting, Made
from pixlake_models.hub.answers import CLASSES, is_classifier, read_images, read_texts, read_width
from pixlake_models.hub.graphs import Read, Tower, cut_tower, list_outputs, parse_graph
from pixlake_models.hub.preprocessing import read_preprocessing
from pixlake_models.hub.repository import CONFIG, Repository
from pixlake_models.hub.streaming import take_out_tensors
from pixlake_models.hub.words import TOKENIZER, read_words

Variant = Literal["fp32", "fp16", "quantized"]
IMAGE_GRAPH, TEXT_GRAPH = "image.onnx", "text.onnx"
NOT_COMPARED = "with nothing: whether it answers as the model that it was made of is the repository's word"
_PIXELS = "pixel_values"
_SUFFIXES: dict[str, str] = {"fp32": "", "fp16": "_fp16", "quantized": "_quantized"}
_BESIDE = ("_data", ".data")


@dataclass
class _Making:
    """A repository's settings, and the bundle's files so far; `scratch` takes large ones."""

    repository: Repository
    variant: Variant
    scratch: Path
    config: dict[str, Any] = field(init=False)
    files: dict[str, Content] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.config = self.repository.read_json(CONFIG)

    def path(self, name: str) -> str:
        return f"onnx/{name}{_SUFFIXES[self.variant]}.onnx"

    def has(self, name: str) -> bool:
        return self.path(name) in self.repository.files

    def parse(self, name: str, file: str) -> onnx.ModelProto:
        """The graph, to be the bundle's `file`, without the tensors that it keeps beside it or that are large."""
        path = self.path(name)
        place, data = f"{self.repository.name}/{path}", f"{file}.data"
        beside = next((f"{path}{end}" for end in _BESIDE if f"{path}{end}" in self.repository.files), None)
        if beside:
            model = parse_graph(self.repository.read(path), place)
            self.files[data] = self.repository.fetch(beside)
            _rename(model, beside.rpartition("/")[2], data)
            return model
        found = self.repository.fetch(path)
        if found.stat().st_size < LARGE:
            return parse_graph(found.read_bytes(), place)
        with (self.scratch / data).open("wb") as opened:
            target = Digesting(opened)
            graph = _take_out(found, target, data, place)
        self.files[data] = Made(self.scratch / data, target.digest)
        return parse_graph(graph, place)

    def optional(self, name: str) -> dict[str, Any]:
        return self.repository.read_json(name) if name in self.repository.files else {}


def make_bundle(repository: Repository, variant: Variant, scratch: Path) -> tuple[Manifest, dict[str, Content]]:
    """The bundle, without a name, and its files, large ones in `scratch`. NotServable where the layout is another, or
    leaves open how the model is to be used."""
    try:
        return _make(_Making(repository, variant, scratch))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        # JSON of strangers, of any form
        raise NotServable(f"{repository.name}: its settings are of a form that is not known: {error!r}") from error


def _make(making: _Making) -> tuple[Manifest, dict[str, Content]]:
    texts = making.has("text_model")
    graph = making.parse(_find_image_graph(making), IMAGE_GRAPH)
    if not texts and is_classifier(making.config, list_outputs(graph)):
        return _make_classifier(making, graph), making.files
    tower = cut_tower(graph, read_images(making.config, list_outputs(graph), compared=texts))
    width = _agree(tower.width, read_width(making.config, "vision_config"), "images")
    text = _make_text_tower(making, width) if texts else None
    described = _describe(making, tower)
    return Manifest(**described, kind="embedder", dimensions=width, text=text), making.files


def _find_image_graph(making: _Making) -> str:
    for name in ("vision_model", "model"):
        if making.has(name) and (name != "model" or not making.has("text_model")):
            return name
    ready = sorted(name for name in making.repository.files if name.endswith(".onnx"))
    raise NotServable(
        f"{making.repository.name} has no {making.path('vision_model')} and no {making.path('model')} for images; "
        f"its graphs are {ready}"
    )


def _make_classifier(making: _Making, graph: onnx.ModelProto) -> Manifest:
    tower, labels = cut_tower(graph, Read(CLASSES)), _read_labels(making.config)
    _agree(tower.width, len(labels), "classes")
    several = making.config.get("problem_type") == "multi_label_classification"
    return Manifest(
        **_describe(making, tower, "sigmoid" if several else "softmax"),
        kind="image_classifier",
        problem="binary" if len(labels) == 2 else "multiclass",
        labels=labels,
    )


def _read_labels(config: dict[str, Any]) -> tuple[str, ...]:
    try:
        named = sorted((int(index), str(label)) for index, label in config["id2label"].items())
    except (AttributeError, ValueError) as error:
        raise NotServable(f"id2label of its config.json is no list of classes: {error}") from error
    if [index for index, _ in named] != list(range(len(named))):
        raise NotServable("id2label of its config.json does not count the classes from 0")
    return tuple(name_apart([label for _, label in named]))


def _describe(making: _Making, tower: Tower, activation: str = "normalize") -> dict[str, Any]:
    """What bundles of both kinds say."""
    if tower.inputs.keys() != {_PIXELS}:
        raise NotServable(f"its image graph takes {sorted(tower.inputs)}, where a bundle fills {_PIXELS} alone")
    making.files[IMAGE_GRAPH] = tower.graph
    preprocessing = read_preprocessing(making.repository.read_json("preprocessor_config.json"))
    return {
        "format": 1,
        "name": "",
        "inputs": (ImageInput(_PIXELS, preprocessing),),
        "graph": IMAGE_GRAPH,
        "output": Output(tower.output, activation),  # type: ignore[arg-type]
        "files": {},
        "source": _describe_source(making),
    }


def _make_text_tower(making: _Making, width: int) -> TextTower:
    model = making.parse("text_model", TEXT_GRAPH)
    tower = cut_tower(model, read_texts(making.config, list_outputs(model)))
    found = _agree(tower.width, read_width(making.config, "text_config"), "texts")
    if found != width:
        raise NotServable(f"it puts images into {width} dimensions and texts into {found}, where they share no space")
    tokenizer = making.repository.read(TOKENIZER)
    making.files |= {TEXT_GRAPH: tower.graph, TOKENIZER: tokenizer}
    declared = read_words(tower, tokenizer, making.optional("tokenizer_config.json"), making.config)
    return TextTower(TEXT_GRAPH, declared, Output(tower.output, "normalize"))


def _agree(found: int | None, stated: int | None, kind: str) -> int:
    """The width that the graph declares and the settings state, of which one may be missing."""
    if found and stated and found != stated:
        raise NotServable(f"its graph answers {kind} with {found} numbers, its config.json states {stated}")
    if not (found or stated):
        raise NotServable(f"neither its graph nor its config.json says how many numbers it answers {kind} with")
    return found or stated or 0


def _describe_source(making: _Making) -> dict[str, str]:
    repository = making.repository
    return {
        "origin": f"hf:{repository.name}",
        "commit": repository.commit,
        "variant": making.variant,
        "licence": repository.licence or UNKNOWN_LICENCE,
        "compared": NOT_COMPARED,
        "made by": "pixlake models get",
    }


def describe_files(repository: Repository) -> str:
    """What was fetched, by path, with SHA-256."""
    return "; ".join(f"{path} sha256 {digest}" for path, digest in sorted(repository.digests.items()))


def _take_out(graph: Path, target: Digesting, name: str, place: str) -> bytes:
    try:
        return take_out_tensors(graph, target, name)
    except Exception as error:  # protobuf's own, too
        raise NotServable(f"{place} is no ONNX graph: {error}") from error


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    """The file beside the graph in its tensors; any other that one names is refused when the bundle is tried."""
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value == old:
                entry.value = new
