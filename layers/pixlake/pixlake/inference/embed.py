"""The step Embed: the images of one batch become one part of the table `embeddings`.

Reading, decoding and preprocessing run ahead in threads while ONNX Runtime works on the images before them. In memory
are the encoded bytes of images read ahead, the pixels of those being decoded, the tensors of three inference batches,
and the vectors.
"""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixlake import storage
from pixlake.errors import BadImage
from pixlake.inference.batches import grouped, read_rows, write_answer
from pixlake.inference.bundles import load_embedder
from pixlake.inference.embedder import Embedder
from pixlake.inference.graphs import available_threads
from pixlake.inference.preprocessing import decode_for, tensor
from pixlake.inference.readahead import prepared
from pixlake.messages import BatchAnswer, BatchRequest
from pixlake.rejects import Reject, Stage
from pixlake.schemas import EMBEDDINGS
from pixlake.settings import InferenceSettings

# Enough reads in flight to hide the latency of S3 from the fastest models.
_READERS = 32


@dataclass(frozen=True)
class _Image:
    """What a row of the part says of an image, beside the vector."""

    image_path: str
    image_uri: str
    record_id: str | None
    width: int
    height: int
    sha256: str


_Ready = tuple[_Image, NDArray[np.float32]]


def embed(request: BatchRequest, settings: InferenceSettings) -> BatchAnswer:
    """Embed the images of one batch; an image that cannot be embedded becomes a reject.

    Raises BadBundle for a model that is not as asked for, and MissingObject for an image that the lake has lost.
    """
    embedder = load_embedder(settings.lake_uri, request.batch.model, settings.inference_threads)
    embedded: list[_Ready] = []
    rejected: list[Reject] = []
    for group in grouped(_prepared(request, embedder, settings), settings.inference_batch):
        rejected += [each for each in group if isinstance(each, Reject)]
        for image, vector in _embedded([each for each in group if not isinstance(each, Reject)], embedder):
            if np.isfinite(vector).all():
                embedded.append((image, vector))
            else:
                rejected.append(_reject(image.image_path, "bad_embedding", "the model's vector is zero or no number"))
    return write_answer(request, settings.lake_uri, EMBEDDINGS, _columns(embedded, embedder.dimensions), rejected)


def _prepared(request: BatchRequest, embedder: Embedder, settings: InferenceSettings) -> Iterator[_Ready | Reject]:
    """The images of the batch with their tensors, made ready ahead of the model."""
    return prepared(
        read_rows(request, settings.lake_uri),
        lambda row: storage.read(row["image_uri"]),
        functools.partial(_prepare, embedder=embedder, max_pixels=settings.max_pixels),
        readers=_READERS,
        workers=settings.inference_threads or available_threads(),
        ahead=2 * settings.inference_batch,
    )


def _prepare(row: dict[str, Any], data: bytes, *, embedder: Embedder, max_pixels: int) -> _Ready | Reject:
    """Decode and preprocess one image, in a worker's thread."""
    try:
        picture = decode_for(data, embedder.preprocessing, max_pixels)
    except BadImage as error:
        return _reject(row["image_path"], error.reason, error.detail)
    image = _Image(**row, width=picture.width, height=picture.height, sha256=hashlib.sha256(data).hexdigest())
    return image, tensor(picture.pixels, embedder.preprocessing)


def _embedded(ready: list[_Ready], embedder: Embedder) -> Iterator[_Ready]:
    """The images with their vectors in place of their tensors."""
    vectors = embedder.embed_tensors([values for _, values in ready])
    return ((image, vector) for (image, _), vector in zip(ready, vectors, strict=True))


def _reject(image_path: str, reason: str, detail: str) -> Reject:
    return Reject(source=image_path, stage=Stage.EMBED, reason=reason, detail=detail)


def _columns(embedded: list[_Ready], dimensions: int) -> dict[str, Any]:
    images, vectors = [image for image, _ in embedded], [vector for _, vector in embedded]
    values = np.concatenate(vectors) if vectors else np.empty(0, dtype=np.float32)
    offsets = np.arange(len(vectors) + 1, dtype=np.int32) * dimensions
    kind = EMBEDDINGS.columns.field("embedding").type
    facts = {field.name: [getattr(image, field.name) for image in images] for field in fields(_Image)}
    return {**facts, "embedding": pa.ListArray.from_arrays(offsets, values, type=kind)}
