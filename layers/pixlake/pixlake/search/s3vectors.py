"""A model's vectors in an index of Amazon S3 Vectors, by names that follow from the lake's bucket, the model and the
image; so whatever is put there again takes the place of itself.

The vector bucket has the lake's bucket's name. Answers are approximate (docs/s3-vectors.md).
"""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray

from pixlake.errors import AccessDenied, MissingObject, StorageError

MOST_RESULTS = 100
MOST_DIMENSIONS = 4_096
MOST_AT_ONCE = 500
"""Vectors put or deleted by one request."""
# numbers of one request, whose JSON may have 20 MiB
_MOST_NUMBERS = 1_000_000
_LONGEST_NAME = 40
# read from an answer and never filtered by, so beyond the 2 KB that are
_SHOWN = ("image_path", "record_id", "image_uri")
_DENIED, _MISSING = "AccessDeniedException", "NotFoundException"
Metadata = dict[str, str]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Entry:
    """An image's vector, float32 `[d]`, and what a result shows of it; `key` is `key_of` the image."""

    key: str
    vector: Floats
    metadata: Metadata


@dataclass(frozen=True)
class Found:
    """The metadata of an image, with its cosine to the query."""

    metadata: Metadata
    score: float


def key_of(experiment_id: str, image_path: str) -> str:
    """64 hex digits, for a path may be longer than a key."""
    return sha256(f"{experiment_id}\0{image_path}".encode(errors="surrogateescape")).hexdigest()


def index_of(model: str) -> str:
    """An index's name for `name@version`: what can be read of the name, and 16 digits of its hash."""
    readable = re.sub(r"[^a-z0-9]+", "-", model.partition("@")[0].lower()).strip("-")[:_LONGEST_NAME].strip("-")
    return f"{readable or 'model'}-{sha256(model.encode()).hexdigest()[:16]}"


def is_taken(vector: Floats) -> bool:
    """Whether an index by the cosine takes a vector: not one without a direction, or with a value that is no number."""
    return 1 <= len(vector) <= MOST_DIMENSIONS and bool(np.isfinite(vector).all() and vector.any())


def batch_size(dimensions: int) -> int:
    """How many vectors one request takes."""
    return max(1, min(MOST_AT_ONCE, _MOST_NUMBERS // dimensions))


@dataclass(frozen=True)
class VectorIndex:
    """The index of one model. Raises AccessDenied, MissingObject where there is none, and StorageError."""

    client: Any
    bucket: str
    model: str

    def make(self, dimensions: int, kms_key: str = "") -> None:
        """The bucket and the index, unless they are there."""
        encryption = {"encryptionConfiguration": {"sseType": "aws:kms", "kmsKeyArn": kms_key}} if kms_key else {}
        with self._translated(), suppress(self.client.exceptions.ConflictException):
            self.client.create_vector_bucket(vectorBucketName=self.bucket, **encryption)
        with self._translated(), suppress(self.client.exceptions.ConflictException):
            self.client.create_index(
                **self._named,
                dataType="float32",
                dimension=dimensions,
                distanceMetric="cosine",
                metadataConfiguration={"nonFilterableMetadataKeys": list(_SHOWN)},
            )

    def put(self, entries: Sequence[Entry]) -> None:
        """Put up to `batch_size` vectors, each in the place of the one with its key."""
        vectors = [
            {"key": each.key, "data": {"float32": each.vector.tolist()}, "metadata": each.metadata} for each in entries
        ]
        with self._translated():
            self.client.put_vectors(**self._named, vectors=vectors)

    def delete(self, keys: Collection[str]) -> None:
        """Delete vectors; those that are not there are no error, nor is it where the index is not."""
        listed = sorted(keys)
        for start in range(0, len(listed), MOST_AT_ONCE):
            with suppress(MissingObject), self._translated():
                self.client.delete_vectors(**self._named, keys=listed[start : start + MOST_AT_ONCE])

    def query(self, query: Floats, count: int, experiment_id: str | None = None) -> list[Found]:
        """Up to `count` images, `MOST_RESULTS` at most, with about the greatest cosine to `query`."""
        only = {} if experiment_id is None else {"filter": {"experiment_id": experiment_id}}
        vector = {"float32": query.astype(np.float32).tolist()}
        with self._translated():
            answer = self.client.query_vectors(
                **self._named, topK=count, queryVector=vector, returnMetadata=True, returnDistance=True, **only
            )
        return [Found(found["metadata"], 1 - found["distance"]) for found in answer["vectors"]]

    @property
    def _named(self) -> dict[str, str]:
        return {"vectorBucketName": self.bucket, "indexName": index_of(self.model)}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        where = f"the index {index_of(self.model)} of the vector bucket {self.bucket}"
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConflictException":
                raise
            if code == _DENIED:
                raise AccessDenied(f"{where}: {error}") from error
            if code == _MISSING:
                raise MissingObject(f"there is no {where[4:]} yet: deploy the stack with S3Vectors=true") from error
            raise StorageError(f"{where}: {error}") from error
        except BotoCoreError as error:
            raise StorageError(f"{where}: {error}") from error


def describe(row: dict[str, Any]) -> Metadata:
    """What is put with a vector, of a row of the table embeddings."""
    shown = {name: row[name] for name in _SHOWN if row[name] is not None}
    return {"experiment_id": row["experiment_id"], **shown}
