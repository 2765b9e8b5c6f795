"""The images of an experiment with all that is known of them, as rows for the files of other tools."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pixlake import storage
from pixlake.concurrency import map_bounded
from pixlake.errors import BadRequest
from pixlake_cli.output import write_csv, write_parquet

_READERS = 16
_SHARD_BYTES = 1 << 30
_VECTOR = "embedding"


def export_parquet(rows: pa.RecordBatchReader, target: IO[bytes]) -> None:
    """One Parquet file."""
    write_parquet(rows, target)


def export_csv(rows: pa.RecordBatchReader, target: IO[bytes]) -> None:
    """UTF-8 with a header; the vector and the attributes as JSON."""
    write_csv(rows, target)


def export_npy(rows: pa.RecordBatchReader, target: IO[bytes], facts: IO[bytes]) -> None:
    """The vectors as float32 `[n, d]` in NumPy's format, and the other columns, row by row of them, as Parquet."""
    names = [name for name in rows.schema.names if name != _VECTOR]
    schema = pa.schema([rows.schema.field(name) for name in names])
    count = dimensions = 0
    _write_header(target, 0, 0)
    start = target.tell()
    with pq.ParquetWriter(facts, schema, compression="zstd") as writer:
        for batch in rows:
            vectors = batch.column(_VECTOR).flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
            count += batch.num_rows
            dimensions = dimensions or len(vectors) // max(1, batch.num_rows)
            target.write(vectors.tobytes())
            writer.write_batch(batch.select(names))
    target.seek(0)
    _write_header(target, count, dimensions)
    assert target.tell() == start, "NumPy leaves room for a longer shape"


def _write_header(target: IO[bytes], count: int, dimensions: int) -> None:
    """NumPy's header, whose length the count does not change; nor does the number of dimensions, written as wide."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False}
    np.lib.format.write_array_header_1_0(target, {**header, "shape": (count, dimensions)})


def export_webdataset(rows: pa.RecordBatchReader, folder: Path, shard_bytes: int = _SHARD_BYTES) -> None:
    """Tars of about `shard_bytes` in the layout of the library webdataset: for each image its file as it was uploaded,
    its vector (`.npy`) and its other columns (`.json`), under one number.

    Raises MissingObject for an image that the lake has lost.
    """
    with _Shards(folder, shard_bytes) as shards:
        for number, (row, data) in enumerate(map_bounded(_read, _rows(rows), _READERS)):
            vector = np.array(row.pop(_VECTOR), dtype=np.float32)
            suffix = PurePosixPath(row["image_path"]).suffix.lower() or ".img"
            facts = msgspec.json.encode(row)
            shards.add(f"{number:09d}", {suffix: data, ".json": facts, ".npy": _encode(vector)})


def export_lance(rows: pa.RecordBatchReader, folder: Path) -> None:
    """A dataset of Lance, of which vectors have one length, as its search takes them, and attributes are pairs.

    Raises BadRequest without the library.
    """
    lance = _library("lance")
    first = next(iter(rows), None)
    length = len(first.column(_VECTOR)[0]) if first is not None and first.num_rows else 0
    schema = pa.schema([_lance_field(field, length) for field in rows.schema])
    batches = (batch.cast(schema) for batch in chain([] if first is None else [first], rows))
    lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches), str(folder), mode="overwrite")


def _lance_field(field: pa.Field, length: int) -> pa.Field:
    """Lance takes no maps, and searches vectors of a fixed length alone."""
    if field.name == _VECTOR and length:
        return field.with_type(pa.list_(pa.float32(), length))
    if pa.types.is_map(field.type):
        return field.with_type(pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])))
    return field


def export_faiss(rows: pa.RecordBatchReader, target: Path, facts: IO[bytes]) -> None:
    """An index of FAISS whose inner products are cosines, for vectors have unit length; and the other columns as
    Parquet, row by row of the index. All vectors are in memory, as they are in the index when it is read.

    Raises BadRequest without the library.
    """
    faiss = _library("faiss")
    names = [name for name in rows.schema.names if name != _VECTOR]
    index = None
    with pq.ParquetWriter(facts, pa.schema([rows.schema.field(name) for name in names]), compression="zstd") as writer:
        for batch in rows:
            vectors = batch.column(_VECTOR).flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
            if batch.num_rows:
                matrix = vectors.reshape(batch.num_rows, -1)
                index = index or faiss.IndexFlatIP(matrix.shape[1])
                index.add(np.ascontiguousarray(matrix))
            writer.write_batch(batch.select(names))
    faiss.write_index(index or faiss.IndexFlatIP(0), str(target))


_DISTRIBUTIONS = {"lance": "pylance", "faiss": "faiss-cpu"}


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise BadRequest(
            f"the format {name} takes the library {_DISTRIBUTIONS[name]}: `pip install {_DISTRIBUTIONS[name]}` in the"
            f" environment of pixlake, or install pixlake with the extra `{name}`"
        ) from error


def _rows(rows: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in rows:
        yield from batch.to_pylist(maps_as_pydicts="lossy")


def _read(row: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    return row, storage.read(row["image_uri"])


def _encode(vector: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, vector)
    return buffer.getvalue()


class _Shards:
    """Numbered tars in a folder, the next one begun where one has `shard_bytes`."""

    def __init__(self, folder: Path, shard_bytes: int) -> None:
        self._folder, self._shard_bytes = folder, shard_bytes
        self._count = 0
        self._open: tarfile.TarFile | None = None

    def __enter__(self) -> "_Shards":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._open:
            self._open.close()

    def add(self, name: str, files: dict[str, bytes]) -> None:
        """One image's files, by their endings."""
        if self._open is None or self._open.offset >= self._shard_bytes:
            self.__exit__()
            self._open = tarfile.open(self._folder / f"{self._count:06d}.tar", "w")  # noqa: SIM115 - closed above, or at the end
            self._count += 1
        for ending, data in files.items():
            member = tarfile.TarInfo(f"{name}{ending}")
            member.size = len(data)
            self._open.addfile(member, io.BytesIO(data))
