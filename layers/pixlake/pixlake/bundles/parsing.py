"""Reads `bundle.json`, which anybody may have written, into a manifest or the reason why not; and writes it."""

from collections.abc import Iterator

import msgspec

from pixlake.bundles.manifest import MANIFEST, CategoricalInput, ImageInput, Input, Manifest, TextInput
from pixlake.bundles.predictors import KIND, PredictorManifest
from pixlake.bundles.values import read_value
from pixlake.errors import BadBundle, BadRequest
from pixlake.lake import check_identifier

LARGEST_MANIFEST = 16 << 20
"""Bytes: room for 100,000 labels. It is read whole before it can be checked."""
_LARGEST_EXAMPLE = 64 << 20
_FLOAT = 4
_COLORS = 3


class _Named(msgspec.Struct):
    """The field that decides which struct the file is read into."""

    kind: str


def parse(data: bytes, where: str) -> Manifest | PredictorManifest:
    """`bundle.json`'s bytes; BadBundle, beginning with `where`, says what does not fit the format."""
    if len(data) > LARGEST_MANIFEST:
        raise BadBundle(f"{where}: it is larger than {LARGEST_MANIFEST >> 20} MiB")
    try:
        manifest = msgspec.json.decode(data, type=_find_struct(data))
    except RecursionError as error:
        raise BadBundle(f"{where}: the JSON is nested too deeply; docs/bundles.md describes the format") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"{where}: {error}; docs/bundles.md describes the format") from error
    for fault in _faults(manifest):
        raise BadBundle(f"{where}: {fault}")
    return manifest


def _find_struct(data: bytes) -> type[Manifest] | type[PredictorManifest]:
    """The struct of its kind; for unreadable bytes `Manifest`, whose errors say why."""
    try:
        kind = msgspec.json.decode(data, type=_Named).kind
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Manifest
    return PredictorManifest if kind == KIND else Manifest


def encode(manifest: Manifest | PredictorManifest) -> bytes:
    """The bytes of `manifest`, deterministic: every field, in the order of the structs, indented by two."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def _faults(manifest: Manifest | PredictorManifest) -> Iterator[str]:
    """Faults that the fields' types alone do not exclude."""
    yield from _name_faults(manifest.name)
    if MANIFEST in manifest.files:
        yield f"files lists {MANIFEST} itself"
    if isinstance(manifest, PredictorManifest):
        yield from _predictor_faults(manifest)
        return
    yield from _file_faults(manifest)
    yield from _input_faults(manifest)
    yield from _embedder_faults(manifest) if manifest.kind == "embedder" else _classifier_faults(manifest)


def _name_faults(name: str) -> Iterator[str]:
    """The name is a folder's, in a lake and here."""
    try:
        check_identifier("the name", name)
    except BadRequest as error:
        yield str(error)


def _file_faults(manifest: Manifest) -> Iterator[str]:
    if missing := sorted((manifest.graphs | manifest.tokenizers) - manifest.files.keys()):
        yield f"files does not list {missing}"


def _input_faults(manifest: Manifest) -> Iterator[str]:
    images = [each for each in manifest.inputs if isinstance(each, ImageInput)]
    if len(images) > 1:
        yield "more than one image input"
    tensors = [name for each in manifest.inputs for name in _tensors(each)]
    if repeated := sorted({name for name in tensors if tensors.count(name) > 1}):
        yield f"more than one input for {repeated}"
    for each in manifest.inputs:
        yield from _text_faults(each) if isinstance(each, TextInput) else ()
        yield from _category_faults(each) if isinstance(each, CategoricalInput) else ()
    if manifest.kind != "record_classifier" and (len(images) != len(manifest.inputs) or images[0].stacked):
        yield f"the kind {manifest.kind} takes exactly one input, one image"
    yield from (fault for each in images for fault in _size_faults(each))


def _tensors(declared: Input) -> list[str]:
    """The names of the graph's inputs that one declared input fills: its own tensor, then the optional ones."""
    others: list[str | None] = []
    match declared:
        case ImageInput():
            others = [declared.count_tensor]
        case TextInput():
            others = [declared.mask_tensor, declared.sequence.segment_tensor if declared.sequence else None]
    return [declared.tensor, *filter(None, others)]


def _text_faults(declared: TextInput) -> Iterator[str]:
    """Faults of a classifier's text input; a text tower's has no column, and so no sequence of columns."""
    if declared.cleaning != "none":
        yield "a text column that is cleaned, which only a text tower's texts are"
    if declared.sequence is None:
        if declared.column is None:
            yield "a text input without its column"
        return
    if declared.column is not None:
        yield "a text input with both a column and a sequence of columns"
    if declared.length <= declared.sequence.added:
        yield f"a sequence of {declared.length} tokens, of which {declared.sequence.added} are none of a text"


def _category_faults(declared: CategoricalInput) -> Iterator[str]:
    known = {read_value(each, declared.compare) for each in declared.categories}
    if declared.compare != "text" and (None in known or len(known) < len(declared.categories)):
        yield f"the categories of {declared.column!r} are no {declared.compare}s that all differ"


def _size_faults(declared: ImageInput) -> Iterator[str]:
    pixels = declared.preprocessing.width * declared.preprocessing.height * declared.max_images
    if (size := pixels * _COLORS * _FLOAT) > _LARGEST_EXAMPLE:
        yield f"one example's images take {size >> 20} MiB of memory, more than {_LARGEST_EXAMPLE >> 20}"


def _embedder_faults(manifest: Manifest) -> Iterator[str]:
    if manifest.dimensions is None:
        yield "an embedder without dimensions"
    if manifest.problem or manifest.labels or manifest.regression or manifest.label_ids:
        yield "an embedder with a problem, labels or regression"
    outputs = [manifest.output, manifest.text.output] if manifest.text else [manifest.output]
    if any(output.activation not in ("none", "normalize") for output in outputs):
        yield "an embedder's activation is none or normalize"
    if manifest.text and manifest.text.input.columns:
        yield "a text tower's input names a column"
    if manifest.text and manifest.text.bias is not None and manifest.text.scale is None:
        yield "a text tower with a bias, but no scale"


def _classifier_faults(manifest: Manifest) -> Iterator[str]:
    if manifest.problem is None:
        yield "a classifier without problem"
    if manifest.dimensions is not None or manifest.text:
        yield "a classifier with dimensions or text"
    if manifest.output.activation == "normalize":
        yield "a classifier's activation is none, softmax or sigmoid"
    yield from _label_faults(manifest)
    yield from _id_faults(manifest)


def _predictor_faults(manifest: PredictorManifest) -> Iterator[str]:
    if manifest.files.keys() != {manifest.archive}:
        yield f"files is to list the archive {manifest.archive!r}, and nothing else"
    names = [column.name for column in manifest.columns]
    names += [manifest.images.column] if manifest.images else []
    if not names:
        yield "a predictor that reads no column"
    if len(set(names)) != len(names):
        yield "columns repeat"
    yield from _label_faults(manifest)


def _label_faults(manifest: Manifest | PredictorManifest) -> Iterator[str]:
    if len(set(manifest.labels)) != len(manifest.labels):
        yield "labels repeat"
    wanted = {"regression": len(manifest.labels) == 0, "binary": len(manifest.labels) == 2}
    if not wanted.get(manifest.problem or "", len(manifest.labels) >= 2):
        yield f"{len(manifest.labels)} labels for the problem {manifest.problem}"


def _id_faults(manifest: Manifest) -> Iterator[str]:
    ids = manifest.label_ids or ()
    if ids and len(ids) != len(manifest.labels):
        yield f"{len(ids)} label_ids for {len(manifest.labels)} labels"
    if len(set(ids)) != len(ids):
        yield "label_ids repeat"
