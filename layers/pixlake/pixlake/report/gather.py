"""The objects of one execution under `work/`, listed once and read a few columns at a time.

The report describes this execution, not the tables, which hold other uploads too. So it reads the parts that the
workers wrote; they stay until maintenance deletes them.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import rejects, storage
from pixlake.lake import Work
from pixlake.storage import ObjectInfo

# About a million rows a table. Beyond it an even spread of the parts is read, and the page says so.
MAX_PARTS = 1_000
_READERS = 16


@dataclass(frozen=True)
class Listing:
    """The objects of one execution, sorted by name, as paths below its work folder."""

    root: str
    objects: tuple[ObjectInfo, ...]

    def under(self, prefix: str) -> list[ObjectInfo]:
        """The objects whose path below the work folder starts with `prefix`."""
        start = f"{self.root}/{prefix}"
        return [info for info in self.objects if info.uri.startswith(start)]


def list_work(work: Work) -> Listing:
    """Everything that the execution wrote so far."""
    return Listing(work.uri, tuple(sorted(storage.list_objects(work.uri), key=lambda info: info.uri)))


def spread(parts: Sequence[ObjectInfo], limit: int = MAX_PARTS) -> list[ObjectInfo]:
    """At most `limit` of the parts, evenly spread, the same ones each time."""
    if len(parts) <= limit:
        return list(parts)
    return [parts[index * len(parts) // limit] for index in range(limit)]


def read_columns(parts: Sequence[ObjectInfo], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The named columns of the Parquet parts, in the parts' order. Never more than a few parts are in memory."""
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(parts), _READERS):
            window = parts[start : start + _READERS]
            for table in pool.map(lambda part: _read_part(part, columns), window):
                yield from table.to_batches()


def _read_part(part: ObjectInfo, columns: Sequence[str]) -> pa.Table:
    with storage.Reader(part.uri, part.size) as source:
        return pq.ParquetFile(source).read(columns=list(columns), use_threads=False)


def count_shards(work: Work, listing: Listing) -> int:
    """The number of shards that Plan cut; 0 if it failed before that."""
    return len(msgspec.json.decode(storage.read(work.shards), type=list[Any])) if listing.under("shards.json") else 0


def read_rejects(listing: Listing) -> Iterator[rejects.Reject]:
    """Every reject of the execution, file by file."""
    files = listing.under("parts/rejects/")
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(files), _READERS):
            for data in pool.map(lambda file: storage.read(file.uri), files[start : start + _READERS]):
                yield from rejects.decode(data)
