"""Indexes under `indexes/` of a lake in a bucket, for processes that begin with an empty disk, such as a function's.

Whoever makes an index there puts it into the bucket; the next one copies the codes, a quarter of the vectors' bytes,
and reads of the vectors by ranges the few that have to be compared exactly.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixlake import storage
from pixlake.concurrency import map_bounded
from pixlake.errors import PixlakeError

_CHUNK, _IN_FLIGHT = 8 << 20, 8
_LOG = logging.getLogger(__name__)


class DistantVectors:
    """An object that is read by ranges. Raises MissingObject, AccessDenied and StorageError."""

    def __init__(self, uri: str) -> None:
        self.name, self.size = uri, storage.head(uri).size

    def read_into(self, rows: NDArray[np.float32], starts: list[int]) -> None:
        """Fill `rows`, float32 `[n, d]`, from so many bytes on."""
        for row, data in zip(rows, storage.read_ranges(self.name, starts, rows.shape[1] * 4), strict=True):
            row[:] = np.frombuffer(data, "<f4")


@dataclass(frozen=True)
class Published:
    """The two objects of an index."""

    codes: str
    vectors: str

    def fetch(self, path: Path) -> None:
        """Copy the codes. Raises MissingObject, AccessDenied and StorageError."""
        size = storage.head(self.codes).size
        read = partial(_read_chunk, self.codes, size)
        with path.open("wb") as file:
            for chunk in map_bounded(read, range(0, size, _CHUNK), _IN_FLIGHT):
                file.write(chunk)

    def put(self, codes: Path, vectors: Path) -> None:
        """Put both, the codes last: where they are, the index is whole. A search does not fail with it."""
        try:
            storage.write_stream(self.vectors, _chunks(vectors))
            storage.write_stream(self.codes, _chunks(codes))
        except PixlakeError as error:
            _LOG.warning("the index is not kept for others: %s", error)


def list_published(lake_uri: str) -> Iterator[tuple[str, storage.ObjectInfo]]:
    """The objects of indexes in a bucket, each with the name of its index; none of a lake in a folder."""
    if storage.local_path(lake_uri) is None:
        for info in storage.list_objects(storage.join(lake_uri, "indexes")):
            yield Path(info.uri).stem, info


def _read_chunk(uri: str, size: int, start: int) -> bytes:
    return storage.read_range(uri, start, min(_CHUNK, size - start))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
