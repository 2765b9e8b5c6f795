"""`bundle.json`, format 1, as docs/bundles.md specifies it.

The structs are the format: unknown fields are refused, so a bundle of a later or another format fails with a reason
instead of answering wrongly. `pixlake.bundles.parsing` reads it.
"""

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MANIFEST = "bundle.json"

Kind = Literal["embedder", "image_classifier", "record_classifier"]
Count = Annotated[int, Meta(ge=1, le=65_536)]
Side = Annotated[int, Meta(ge=1, le=8_192)]
Level = Annotated[int, Meta(ge=0, le=255)]
TokenId = Annotated[int, Meta(ge=0, lt=1 << 31)]
Resize = Literal["squash", "shortest", "longest"]
Interpolation = Literal["bicubic", "bilinear", "lanczos", "nearest"]
Pixels = Literal["shown", "whole", "stored"]
# of pixels in 0..1: values beyond these are mistakes, and would overflow float32
Mean = Annotated[float, Meta(ge=-1_000, le=1_000)]
Deviation = Annotated[float, Meta(ge=1e-6, le=1_000)]
# of a cosine; CLIP's is at most 100
Scale = Annotated[float, Meta(gt=0, le=10_000)]
Bias = Annotated[float, Meta(ge=-1_000, le=1_000)]
Cleaning = Literal["none", "whitespace", "lower", "canonical"]
# \Z, since $ also matches before a last line break
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*\Z", max_length=255)]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of `bundle.json`: immutable, unknown fields refused."""


class Preprocessing(_Part, frozen=True):
    """From an image to a tensor; see `pixlake.images.preprocessing`.

    `pixels` are `shown` as in a viewer, large JPEGs decoded smaller; the same of the `whole` picture at any size; or
    `stored`, as most training code reads them: whole, not rotated, transparency dropped.
    """

    width: Side
    height: Side
    resize: Resize
    interpolation: Interpolation
    background: tuple[Level, Level, Level]
    mean: tuple[Mean, Mean, Mean]
    std: tuple[Deviation, Deviation, Deviation]
    crop: Annotated[float, Meta(gt=0, le=1)] = 1.0
    pixels: Pixels = "shown"

    @property
    def tensor_bytes(self) -> int:
        """Of an image's float32 `[3, height, width]`."""
        return 12 * self.width * self.height


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
    """Int64 `[n]`: the index in `categories`, `unknown` for any other, `missing` for null or empty.

    `compare` matches a value to a category by its letters, as a number (`1`, `1.0`), or as `true` or `false` in any
    case, for tables spell numbers and booleans in many ways.
    """

    tensor: str
    column: str
    categories: tuple[str, ...]
    unknown: int
    missing: int
    compare: Literal["text", "number", "boolean"] = "text"


class TokenSequence(_Part, frozen=True):
    """A record's texts as one sequence: `start`, the tokens of each column in turn, each closed by `end`.

    Where `separate` is false one `end` closes all. The segment of a column's tokens and their `end` is its place in the
    list, modulo `segments`.
    """

    columns: Annotated[tuple[str, ...], Meta(min_length=1)]
    end: TokenId
    start: TokenId | None = None
    separate: bool = True
    segments: Count = 1
    segment_tensor: str | None = None

    @property
    def added(self) -> int:
        """The number of tokens besides the texts' own."""
        return (self.start is not None) + (len(self.columns) if self.separate else 1)


class TextInput(_Part, frozen=True, tag_field="type", tag="text"):
    """Int64 `[n, length]` token ids; `column` is null in a text tower, whose texts come from a caller.

    With `padding` `longest` a batch is as wide as its longest text. With `sequence`, which names its columns, the
    tokens are those of several texts, without the special tokens that the tokenizer itself would add.
    """

    tensor: str
    tokenizer: FileName
    length: Count
    pad: int
    column: str | None = None
    mask_tensor: str | None = None
    fill: str = ""
    cleaning: Cleaning = "none"
    padding: Literal["length", "longest"] = "length"
    sequence: TokenSequence | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that it reads; none in a text tower."""
        if self.sequence:
            return self.sequence.columns
        return () if self.column is None else (self.column,)


Input = ImageInput | NumericalInput | CategoricalInput | TextInput


class Output(_Part, frozen=True):
    """The tensor to read, and the activation to apply."""

    tensor: str
    activation: Literal["none", "softmax", "sigmoid", "normalize"]


class Regression(_Part, frozen=True):
    """`value = output * scale + mean`."""

    mean: float
    scale: float


class TextTower(_Part, frozen=True):
    """The graph that puts texts into the images' space. `scale * cosine + bias` is a logit: of a softmax over texts, or
    of a sigmoid for each text where there is a bias. Null where the model was not trained so."""

    graph: FileName
    input: TextInput
    output: Output
    scale: Scale | None = None
    bias: Bias | None = None


class Cost(msgspec.Struct, frozen=True):
    """What one image costs: `multiply_adds` counted in the graph, and the images that one core takes a second through
    it, measured where the bundle was made."""

    multiply_adds: Annotated[int, Meta(ge=0)]
    images_per_second: Annotated[float, Meta(gt=0)]


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
    # not written where none are known, for bundles made before it was there stay what they are
    label_ids: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def ids_by_label(self) -> dict[str, str]:
        """Each label's id in the vocabulary that it is of, such as WordNet's; empty where none are known."""
        return dict(zip(self.labels, self.label_ids, strict=True)) if self.label_ids else {}

    @property
    def image_input(self) -> ImageInput | None:
        """The input for images; a graph has at most one."""
        return next((each for each in self.inputs if isinstance(each, ImageInput)), None)

    @property
    def cost(self) -> Cost | None:
        """`metrics.cost`; None where it is not measured, or is something else."""
        try:
            return msgspec.convert(self.metrics.get("cost"), Cost | None)
        except msgspec.ValidationError:
            return None

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that it reads, once each."""
        return tuple(dict.fromkeys(name for each in self.inputs for name in _columns(each)))

    @property
    def graphs(self) -> set[str]:
        """The files with graphs."""
        return {self.graph, self.text.graph} if self.text else {self.graph}

    @property
    def tokenizers(self) -> set[str]:
        """The files with tokenizers."""
        inputs = (*self.inputs, self.text.input) if self.text else self.inputs
        return {each.tokenizer for each in inputs if isinstance(each, TextInput)}


def _columns(declared: Input) -> tuple[str, ...]:
    match declared:
        case NumericalInput():
            return tuple(column.name for column in declared.columns)
        case CategoricalInput():
            return (declared.column,)
        case TextInput():
            return declared.columns
        case ImageInput():
            return ()


def version(data: bytes) -> str:
    """A bundle's version: 12 hex digits of the SHA-256 of `bundle.json`, which holds every file's own."""
    return hashlib.sha256(data).hexdigest()[:12]
