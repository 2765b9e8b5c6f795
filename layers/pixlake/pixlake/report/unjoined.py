"""The images that no record names, and the records without an image: the first few of each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

_SHOWN = 50


@dataclass(frozen=True)
class Unjoined:
    """Paths of images, and ids of records."""

    images: list[str]
    records: list[str]


def read_unjoined(images: Iterable[pa.RecordBatch], records: Iterable[pa.RecordBatch]) -> Unjoined:
    """From batches of `image_path` and `record_id`, and of `record_id` and `has_image`; no more is read than shown."""
    orphans = (batch.filter(pc.is_null(batch.column("record_id"))).column("image_path") for batch in images)
    without = (batch.filter(pc.invert(batch.column("has_image"))).column("record_id") for batch in records)
    return Unjoined(list(islice(_values(orphans), _SHOWN)), list(islice(_values(without), _SHOWN)))


def _values(columns: Iterable[pa.Array]) -> Iterator[str]:
    for column in columns:
        yield from column.to_pylist()
