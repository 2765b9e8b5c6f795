"""What of an experiment is in S3 Vectors: a digest of each vector's row by its model and key, in one file of the lake.

It is written after the vectors are put, so what it lacks is at worst put again, in its own place.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import storage
from pixlake.errors import MissingObject

_FILES = b"pixlake.files"
Place = tuple[str, str]
"""A model, and the key of an image."""
Rows = Mapping[Place, bytes]


@dataclass(frozen=True)
class Mirrored:
    """`rows` are digests of the rows that are there; `files` is one of the table's files, empty where more is to do."""

    rows: Rows
    files: str = ""


@dataclass(frozen=True)
class Changes:
    """What makes an index that holds some rows hold others."""

    put: frozenset[Place]
    delete: frozenset[Place]


def compare(there: Rows, wanted: Rows) -> Changes:
    """What to put, and what to delete."""
    put = frozenset(place for place, digest in wanted.items() if there.get(place) != digest)
    return Changes(put, frozenset(there.keys() - wanted.keys()))


def digest_of(*facts: str | None) -> bytes:
    """16 bytes of what a vector and its metadata follow from."""
    return sha256("\0".join("" if fact is None else f"={fact}" for fact in facts).encode()).digest()[:16]


def mirrored_uri(lake_uri: str, experiment_id: str) -> str:
    """The file of one experiment."""
    return storage.join(lake_uri, "mirror", f"{experiment_id}.parquet")


def list_mirrored(lake_uri: str) -> Iterator[str]:
    """The experiments that have a file."""
    for info in storage.list_objects(storage.join(lake_uri, "mirror")):
        yield info.uri.rpartition("/")[2].removesuffix(".parquet")


def read_mirrored(uri: str) -> Mirrored:
    """What is there, nothing where there is no file. Raises StorageError."""
    try:
        table = pq.read_table(io.BytesIO(storage.read(uri)))
    except MissingObject:
        return Mirrored({})
    places = zip(table["model"].to_pylist(), table["key"].to_pylist(), strict=True)
    files = (table.schema.metadata or {}).get(_FILES, b"").decode()
    return Mirrored(dict(zip(places, table["digest"].to_pylist(), strict=True)), files)


def write_mirrored(uri: str, mirrored: Mirrored) -> None:
    """Replace the file; the same rows make the same bytes."""
    places = sorted(mirrored.rows)
    columns = {
        "model": pa.array([model for model, _ in places], pa.string()),
        "key": pa.array([key for _, key in places], pa.string()),
        "digest": pa.array([mirrored.rows[place] for place in places], pa.binary()),
    }
    target = io.BytesIO()
    table = pa.table(columns).replace_schema_metadata({_FILES: mirrored.files.encode()})
    pq.write_table(table, target, compression="zstd")
    storage.write(uri, target.getvalue())
