"""`bundle.json`, format 1, as docs/bundles.md specifies it.

The structs are the format: a field that is not here is refused, so a bundle made for a later format, or for something
else altogether, fails with a reason instead of answering wrongly.
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pixlake.errors import BadBundle

MANIFEST = "bundle.json"

Kind = Literal["embedder", "image_classifier", "record_classifier"]
Count = Annotated[int, Meta(ge=1)]
Side = Annotated[int, Meta(ge=1, le=8_192)]
Level = Annotated[int, Meta(ge=0, le=255)]
Scale = Annotated[float, Meta(gt=0)]
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=255)]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of `bundle.json`: immutable, and nothing in it is ignored."""


class Preprocessing(_Part, frozen=True):
    """From an upright RGB image to a tensor; see `pixlake.inference.preprocessing`."""

    width: Side
    height: Side
    resize: Literal["squash", "shortest", "longest"]
    interpolation: Literal["bicubic", "bilinear", "lanczos", "nearest"]
    background: tuple[Level, Level, Level]
    mean: tuple[float, float, float]
    std: tuple[Scale, Scale, Scale]
    crop: Annotated[float, Meta(gt=0, le=1)] = 1.0


class ImageInput(_Part, frozen=True, tag_field="type", tag="image"):
    """Float32 `[n, 3, height, width]`; `[n, max_images, 3, height, width]` where a record may have several, counted
    in `count_tensor`."""

    tensor: str
    preprocessing: Preprocessing
    max_images: Count = 1
    count_tensor: str | None = None
    missing: Literal["zero", "refuse"] = "refuse"

    @property
    def stacked(self) -> bool:
        """Whether the tensor has an axis for several images of a record."""
        return self.max_images > 1 or self.count_tensor is not None


class NumericalColumn(_Part, frozen=True):
    """`(x - mean) / scale`, with `fill` for x where the value is null, empty or no number."""

    name: str
    fill: float
    mean: float
    scale: Annotated[float, Meta(gt=0)] = 1.0


class NumericalInput(_Part, frozen=True, tag_field="type", tag="numerical"):
    """Float32 `[n, k]`."""

    tensor: str
    columns: Annotated[tuple[NumericalColumn, ...], Meta(min_length=1)]


class CategoricalInput(_Part, frozen=True, tag_field="type", tag="categorical"):
    """Int64 `[n]`: the index in `categories`, `unknown` for any other, `missing` for null or empty."""

    tensor: str
    column: str
    categories: tuple[str, ...]
    unknown: int
    missing: int


class TextInput(_Part, frozen=True, tag_field="type", tag="text"):
    """Int64 `[n, length]` token ids; `column` is null in a text tower, whose texts come from a caller."""

    tensor: str
    tokenizer: FileName
    length: Count
    pad: int
    column: str | None = None
    mask_tensor: str | None = None
    fill: str = ""


Input = ImageInput | NumericalInput | CategoricalInput | TextInput


class Output(_Part, frozen=True):
    """Which tensor to read, and what to do to it."""

    tensor: str
    activation: Literal["none", "softmax", "sigmoid", "normalize"]


class Regression(_Part, frozen=True):
    """`value = output * scale + mean`."""

    mean: float
    scale: float


class TextTower(_Part, frozen=True):
    """The graph that puts texts into the images' space."""

    graph: FileName
    input: TextInput
    output: Output


class Manifest(_Part, frozen=True):
    """One servable model."""

    format: Literal[1]
    name: str
    kind: Kind
    inputs: Annotated[tuple[Input, ...], Meta(min_length=1)]
    graph: FileName
    output: Output
    files: dict[FileName, Digest]
    source: dict[str, str]
    dimensions: Count | None = None
    problem: Literal["binary", "multiclass", "regression"] | None = None
    labels: tuple[str, ...] = ()
    regression: Regression | None = None
    text: TextTower | None = None
    metrics: dict[str, Any] = {}

    @property
    def image_input(self) -> ImageInput | None:
        """The input for images; a graph has at most one."""
        return next((each for each in self.inputs if isinstance(each, ImageInput)), None)

    @property
    def loaded_files(self) -> set[str]:
        """The files that answering needs from the start; a text tower waits until it is asked for."""
        tokenizers = {each.tokenizer for each in self.inputs if isinstance(each, TextInput)}
        return {self.graph, f"{self.graph}.data"} & self.files.keys() | tokenizers


def version(data: bytes) -> str:
    """A bundle's version: 12 hex digits of the SHA-256 of `bundle.json`, which holds every file's own."""
    return hashlib.sha256(data).hexdigest()[:12]


def parse(data: bytes, where: str) -> Manifest:
    """`bundle.json`'s bytes; BadBundle, beginning with `where`, says what does not fit the format."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"{where}: {error}; docs/bundles.md describes the format") from error
    for fault in _faults(manifest):
        raise BadBundle(f"{where}: {fault}")
    return manifest


def _faults(manifest: Manifest) -> Iterator[str]:
    """What the fields' types alone do not exclude."""
    yield from _file_faults(manifest)
    yield from _input_faults(manifest)
    yield from _embedder_faults(manifest) if manifest.kind == "embedder" else _classifier_faults(manifest)


def _file_faults(manifest: Manifest) -> Iterator[str]:
    named = manifest.loaded_files | {manifest.graph}
    if manifest.text:
        named |= {manifest.text.graph, manifest.text.input.tokenizer}
    if missing := sorted(named - manifest.files.keys()):
        yield f"files does not list {missing}"
    if MANIFEST in manifest.files:
        yield f"files lists {MANIFEST} itself"


def _input_faults(manifest: Manifest) -> Iterator[str]:
    images = [each for each in manifest.inputs if isinstance(each, ImageInput)]
    if len(images) > 1:
        yield "more than one image input"
    if any(isinstance(each, TextInput) and each.column is None for each in manifest.inputs):
        yield "a text input without its column"
    if manifest.kind != "record_classifier" and (len(images) != len(manifest.inputs) or images[0].stacked):
        yield f"the kind {manifest.kind} takes exactly one input, one image"


def _embedder_faults(manifest: Manifest) -> Iterator[str]:
    if manifest.dimensions is None:
        yield "an embedder without dimensions"
    if manifest.problem or manifest.labels or manifest.regression:
        yield "an embedder with a problem, labels or regression"
    outputs = [manifest.output, manifest.text.output] if manifest.text else [manifest.output]
    if any(output.activation not in ("none", "normalize") for output in outputs):
        yield "an embedder's activation is none or normalize"
    if manifest.text and manifest.text.input.column is not None:
        yield "a text tower's input names a column"


def _classifier_faults(manifest: Manifest) -> Iterator[str]:
    if manifest.problem is None:
        yield "a classifier without problem"
    if manifest.dimensions is not None or manifest.text:
        yield "a classifier with dimensions or text"
    if manifest.output.activation == "normalize":
        yield "a classifier's activation is none, softmax or sigmoid"
    if len(set(manifest.labels)) != len(manifest.labels):
        yield "labels repeat"
    wanted = {"regression": len(manifest.labels) == 0, "binary": len(manifest.labels) == 2}
    if not wanted.get(manifest.problem or "", len(manifest.labels) >= 2):
        yield f"{len(manifest.labels)} labels for the problem {manifest.problem}"
