"""The index of a data file: codes of its vectors by one model, made when they are first searched.

Data files never change, so neither do their indexes. Each is two files in a folder for the model, named after the data
file: `.arrow` (Arrow IPC: rows, codes, and what a result shows of an image) and `.f32` (the vectors as they are, for
the few that have to be compared exactly). The first is mapped into memory, so processes share it. A lake in a folder
holds them below `indexes/`; those of a lake in a bucket, or that cannot be written to, are in the user's cache, and in
the bucket where they are shared.
"""

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixlake.errors import AccessDenied, CatalogError, MissingObject, StorageError
from pixlake.iceberg.existing import ExistingFile
from pixlake.search.places import NEW, IndexPlaces, index_name
from pixlake.search.published import DistantVectors, Published
from pixlake.search.quantized import Codes, Floats, encode
from pixlake.search.ranking import Places

FACTS = ("experiment_id", "image_path", "record_id", "image_uri")
_BLOCK = 1 << 16  # vectors of one batch; codes of 512 dimensions are 32 MB then
_FORMAT = {b"pixlake.index": b"1"}


class Kept:
    """A file that is open for as long as one of its parts is used."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.descriptor)
        self.size = os.fstat(self.descriptor).st_size

    def read_into(self, rows: Floats, starts: list[int]) -> None:
        """Fill `rows`, float32 `[n, d]`, from so many bytes on. Raises StorageError where the file ends before."""
        for row, start in zip(rows, starts, strict=True):
            if os.preadv(self.descriptor, [row], start) != row.nbytes:
                raise StorageError(f"{self.name} is cut: delete it, and search again")


@dataclass(frozen=True)
class Exact:
    """The vectors of one batch, float32, in a file. They are read, not mapped: a map keeps neighbouring pages, too."""

    file: Kept | DistantVectors
    start: int
    dimensions: int

    def read(self, places: Places) -> Floats:
        """The vectors of some rows, `[n, d]`. Raises StorageError where the file ends before."""
        found = np.empty((len(places), self.dimensions), "<f4")
        self.file.read_into(found, [self.start + 4 * self.dimensions * place for place in places.tolist()])
        return found


@dataclass(frozen=True)
class Sidecar:
    """One batch of an index. `rows` are positions in the data file, int64 `[n]`."""

    rows: NDArray[np.int64]
    codes: Codes
    facts: pa.RecordBatch
    exact: Exact

    def read(self, places: Places) -> Floats:
        """The vectors of some rows, float32 `[n, d]`."""
        return self.exact.read(places)


def open_index(places: IndexPlaces, file: ExistingFile, model: str) -> list[Sidecar]:
    """The vectors by one model of a data file, with those of deleted rows; indexed now, if they never were.

    Raises CatalogError where they differ in dimensions, and StorageError where no folder takes a new index.
    """
    name = index_name(file.file.file_path)
    for folder in places.folders():
        with suppress(OSError, pa.ArrowInvalid):
            return _open(folder / model / f"{name}.arrow", partial(Kept, folder / model / f"{name}.f32"))
    published, problems = places.published(model, name), []
    for folder in places.folders():
        try:
            if published and (found := _fetch(published, folder / model)) is not None:
                return found
            made = _make(folder / model, name, file, model)
        except OSError as error:
            problems.append(str(error))
            continue
        if published:
            published.put(folder / model / f"{name}.arrow", folder / model / f"{name}.f32")
        return made
    raise StorageError(f"no index can be written, which a search needs: {'; '.join(problems)}")


# ---- reading ------------------------------------------------------------------------------------------------------


def _fetch(published: Published, folder: Path) -> list[Sidecar] | None:
    """The index that is in the bucket, its codes copied to no name, if there is one that is whole. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(MissingObject, AccessDenied, pa.ArrowInvalid), NamedTemporaryFile(dir=folder, suffix=NEW) as copied:
        published.fetch(Path(copied.name))
        return _open(Path(copied.name), partial(DistantVectors, published.vectors))
    return None


def _open(index: Path, open_vectors: Callable[[], Kept | DistantVectors]) -> list[Sidecar]:
    """Raises OSError where there is none, and ArrowInvalid for one that is damaged or of another format."""
    with pa.memory_map(str(index)) as source, pa.ipc.open_file(source) as reader:
        if reader.schema.metadata != _FORMAT:
            raise pa.ArrowInvalid("another format")
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
    dimensions = reader.schema.field("code").type.list_size
    rows = sum(batch.num_rows for batch in batches)
    file = open_vectors()
    if file.size != rows * dimensions * 4:
        raise pa.ArrowInvalid("vectors are missing")
    if not rows:
        return []
    starts = np.cumsum([0, *(batch.num_rows for batch in batches)]).tolist()
    return [
        _sidecar(batch, Exact(file, 4 * dimensions * start, dimensions))
        for batch, start in zip(batches, starts, strict=False)
    ]


def _sidecar(batch: pa.RecordBatch, exact: Exact) -> Sidecar:
    numbers = (batch[name].to_numpy() for name in ("scale", "length", "residual"))
    codes = Codes(batch["code"].values.to_numpy().reshape(-1, exact.dimensions), *numbers)
    return Sidecar(batch["row"].to_numpy(), codes, batch.select(FACTS), exact)


# ---- writing ------------------------------------------------------------------------------------------------------


def _make(folder: Path, name: str, file: ExistingFile, model: str) -> list[Sidecar]:
    """An index appears under its name when it is whole; of several who make it at once, any may be the last."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        index, vectors = (
            stack.enter_context(NamedTemporaryFile(dir=folder, prefix=f"{name}-", suffix=NEW, delete=False))
            for _ in range(2)
        )
        stack.callback(_drop, index.name, vectors.name)
        _write(index, vectors, _read(file, model))
        index.flush()
        vectors.flush()
        made = _open(Path(index.name), partial(Kept, Path(vectors.name)))
        Path(vectors.name).replace(folder / f"{name}.f32")
        Path(index.name).replace(folder / f"{name}.arrow")
        return made


def _drop(*files: str) -> None:
    for file in files:
        Path(file).unlink(missing_ok=True)


def _read(file: ExistingFile, model: str) -> Iterator[tuple[Floats, pa.RecordBatch]]:
    """Vectors by a model, and their positions and facts, some thousand at a time."""
    start = 0
    for batch in file.rows.batches(["model", "embedding", *FACTS]):
        places = np.flatnonzero(pc.equal(batch["model"], model).to_numpy(zero_copy_only=False))
        rows = batch.take(pa.array(places)) if len(places) < batch.num_rows else batch
        if len(places):
            yield matrix(rows), rows.select(FACTS).add_column(0, "row", pa.array(places + start, pa.int64()))
        start += batch.num_rows


def matrix(rows: pa.RecordBatch) -> Floats:
    """The vectors of a batch of at least one row, float32 `[n, d]`. Raises CatalogError where they differ in length."""
    lengths = pc.list_value_length(rows["embedding"])
    if pc.min_max(lengths)["min"] != pc.min_max(lengths)["max"]:
        raise CatalogError("embeddings of one model have different dimensions, so they cannot be compared")
    vectors: Floats = rows["embedding"].flatten().to_numpy(zero_copy_only=False)
    return vectors.reshape(rows.num_rows, -1)


def _write(index: IO[bytes], vectors: IO[bytes], batches: Iterator[tuple[Floats, pa.RecordBatch]]) -> None:
    with ExitStack() as stack:
        writer: pa.RecordBatchFileWriter | None = None
        for exact, facts in _join(batches):
            batch = _encoded(exact, facts)
            writer = writer or stack.enter_context(pa.ipc.new_file(index, batch.schema))
            writer.write_batch(batch)
            vectors.write(exact.astype("<f4", copy=False).data)
        if writer is None:
            stack.enter_context(pa.ipc.new_file(index, pa.schema({"code": pa.list_(pa.int8(), 1)}, _FORMAT)))


def _join(batches: Iterator[tuple[Floats, pa.RecordBatch]]) -> Iterator[tuple[Floats, pa.RecordBatch]]:
    """The same in batches of about `_BLOCK` vectors."""
    some: list[tuple[Floats, pa.RecordBatch]] = []
    for batch in batches:
        some.append(batch)
        if sum(len(vectors) for vectors, _ in some) >= _BLOCK:
            yield _joined(some)
            some = []
    if some:
        yield _joined(some)


def _joined(some: list[tuple[Floats, pa.RecordBatch]]) -> tuple[Floats, pa.RecordBatch]:
    return np.concatenate([vectors for vectors, _ in some]), pa.concat_batches([facts for _, facts in some])


def _encoded(vectors: Floats, facts: pa.RecordBatch) -> pa.RecordBatch:
    codes = encode(vectors)
    columns = {
        **{name: facts[name] for name in ("row", *FACTS)},
        "code": pa.FixedSizeListArray.from_arrays(pa.array(codes.values.reshape(-1)), vectors.shape[1]),
        "scale": pa.array(codes.scales),
        "length": pa.array(codes.lengths),
        "residual": pa.array(codes.residuals),
    }
    return pa.record_batch(columns).replace_schema_metadata(_FORMAT)
