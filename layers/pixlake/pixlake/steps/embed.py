"""The step Embed: the images of one batch become one part of the table `embeddings`.

Reading runs ahead in threads, decoding in processes of its own, while ONNX Runtime works on the images before them. In
memory are the encoded bytes of images read ahead, the tensors of a few groups, and the vectors; the pixels of those
being decoded are in the decoders'. Each has its share of what the worker has.
"""

import functools
import hashlib
from dataclasses import dataclass, fields
from datetime import datetime
from math import inf
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixlake.concurrency import Admit
from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders
from pixlake.images.processes import shared_processes
from pixlake.inference.batches import SESSION_THREADS, infer_rows, write_answer
from pixlake.inference.embedder import Embedder
from pixlake.inference.encoded import Encoded, ImageSource, unwrap
from pixlake.inference.limits import limits_of
from pixlake.inference.loaded import load_embedder, loaded_bytes
from pixlake.inference.memory import divide
from pixlake.inference.pace import Pace
from pixlake.messages import BatchAnswer, BatchRequest
from pixlake.rejects import Reject, Stage
from pixlake.schemas import EMBEDDINGS
from pixlake.settings import InferenceSettings


@dataclass(frozen=True)
class _Image:
    """What a row of the part says of an image, beside the vector."""

    image_path: str
    image_uri: str
    record_id: str | None
    width: int
    height: int
    sha256: str
    uploaded_at: datetime | None = None
    """None for the upload's own time."""


_Ready = tuple[_Image, NDArray[np.float32]]


def embed(request: BatchRequest, settings: InferenceSettings, seconds: float = inf) -> BatchAnswer:
    """Embed the images of one batch; an image that cannot be embedded becomes a reject.

    Those for which the `seconds` do not last, but for the first group, are left to the answer's `rest`. Raises
    BadBundle for a model that is not as asked for, and MissingObject for an image that the lake has lost.
    """
    shared_processes().start()
    embedder = load_embedder(settings.lake_uri, request.batch.model, SESSION_THREADS, limits_of(settings))
    shares = divide(settings, loaded_bytes())
    source = ImageSource(settings, shares)
    embedded: list[_Ready] = []
    rejected: list[Reject] = []
    prepare = functools.partial(_prepare, embedder=embedder, decoders=source.decoders)
    read = functools.partial(_read, source=source)
    infer = functools.partial(_embed, embedder=embedder)
    pace, size = Pace(min(seconds, settings.work_seconds)), embedder.preprocessing.tensor_bytes
    for group in infer_rows(request, settings, shares, read, prepare, infer, pace, example_bytes=size):
        rejected += [each for each in group if isinstance(each, Reject)]
        embedded += [each for each in group if not isinstance(each, Reject)]
    columns = _columns(embedded, embedder.dimensions)
    return write_answer(request, settings.lake_uri, EMBEDDINGS, columns, rejected, pace.rows)


def _read(row: dict[str, Any], admit: Admit, *, source: ImageSource) -> Encoded:
    (encoded,) = source.read_ahead([row["image_uri"]], admit)
    return encoded


def _prepare(row: dict[str, Any], encoded: Encoded, *, embedder: Embedder, decoders: Decoders) -> _Ready | Reject:
    """Decode and preprocess one image."""
    try:
        data = unwrap(encoded)
        loaded = decoders.load(data, embedder.preprocessing)
    except BadImage as error:
        return _reject(row["image_path"], error.reason, error.detail)
    image = _Image(**row, width=loaded.width, height=loaded.height, sha256=hashlib.sha256(data).hexdigest())
    return image, loaded.tensor


def _embed(group: list[_Ready | Reject], *, embedder: Embedder) -> list[_Ready | Reject]:
    """The images with their vectors in place of their tensors."""
    ready = [each for each in group if not isinstance(each, Reject)]
    vectors = iter(embedder.embed_tensors([values for _, values in ready]))
    return [each if isinstance(each, Reject) else _checked(each[0], next(vectors)) for each in group]


def _checked(image: _Image, vector: NDArray[np.float32]) -> _Ready | Reject:
    if np.isfinite(vector).all():
        return image, vector
    return _reject(image.image_path, "bad_embedding", "the model's vector is zero or no number")


def _reject(image_path: str, reason: str, detail: str) -> Reject:
    return Reject(source=image_path, stage=Stage.EMBED, reason=reason, detail=detail)


def _columns(embedded: list[_Ready], dimensions: int) -> dict[str, Any]:
    images, vectors = [image for image, _ in embedded], [vector for _, vector in embedded]
    values = np.concatenate(vectors) if vectors else np.empty(0, dtype=np.float32)
    offsets = np.arange(len(vectors) + 1, dtype=np.int32) * dimensions
    kind = EMBEDDINGS.columns.field("embedding").type
    facts = {field.name: [getattr(image, field.name) for image in images] for field in fields(_Image)}
    if None in facts["uploaded_at"]:
        del facts["uploaded_at"]
    return {**facts, "embedding": pa.ListArray.from_arrays(offsets, values, type=kind)}
