"""Some of many images, always the same ones, read a batch at a time."""

import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Batches = Callable[[list[str]], Iterator[pa.RecordBatch]]
"""These columns of a table's rows of one experiment, a batch at a time."""


def sample(read: Batches, columns: Iterable[str], model: str, count: int) -> Iterator[pa.RecordBatch]:
    """The rows by `model` with the `count` least hashes of their paths, so that a commit changes few of them."""
    found = [_hash(batch.filter(pc.equal(batch["model"], model))) for batch in read(["image_path", "model"])]
    hashes = np.concatenate([np.empty(0, np.uint32), *found])
    most = np.partition(hashes, count - 1)[count - 1] if len(hashes) > count else np.uint32(0xFFFFFFFF)
    for batch in read(list(columns)):
        yield batch.filter(pa.array(_hash(batch) <= most))


def read_known(batches: Iterable[pa.RecordBatch], images: pa.Table) -> Iterator[pa.RecordBatch]:
    """The rows that name one of the images, by its path or its record."""
    keys = {name: images[name].combine_chunks().drop_null() for name in ("record_id", "image_path")}
    for batch in batches:
        named = [pc.is_in(batch[name], value_set=keys[name]) for name in keys if name in batch.schema.names]
        marks = named[0]
        for other in named[1:]:
            marks = pc.or_(marks, other)
        yield batch.filter(marks)


def _hash(batch: pa.RecordBatch) -> NDArray[np.uint32]:
    return np.array([zlib.crc32(path.encode()) for path in batch["image_path"].to_pylist()], np.uint32)
