"""Which files a query reads, found by the process that asks: the one that answers then needs neither the catalog nor
its packages, which take longer to import than most conditions to evaluate.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.table import Table

from pixlake.iceberg.catalog import load_existing, load_table
from pixlake.iceberg.existing import ExistingFile, list_existing, stream_alive
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import EMBEDDINGS, TABLES, TableSchema
from pixlake.sql.worker import TableFiles

_KEYS = frozenset({"experiment_id", "image_path", "record_id", "model"})
_LARGE = frozenset({"embedding", "probabilities"})
_GROUP_ROWS = 1 << 16
# by which a query may depend on columns that it does not name
_UNNAMED = re.compile(r"\*|\b(natural|table|union|except|intersect)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """The tables that images are described by, and a condition on these."""

    tables: Collection[str]
    experiment: str | None
    where: str

    @property
    def _reaches_further(self) -> bool:
        """Whether it may have a query of its own."""
        return any(name in self.where.lower() for name in TABLES)

    @property
    def partition(self) -> str | None:
        """The experiment where no row of another can matter."""
        return None if self._reaches_further else self.experiment

    def columns(self, schema: TableSchema) -> list[str]:
        """Those of a table that can matter."""
        names: list[str] = schema.columns.names
        if self._reaches_further:
            unnamed = frozenset(names) if _UNNAMED.search(self.where) else frozenset(names) - _LARGE
        else:
            unnamed = _KEYS
        return [name for name in names if name in unnamed or name in self.where.lower()]


def plan_tables(lake: Lake, wanted: Wanted, folder: Path) -> dict[str, TableFiles]:
    """The files of each table at its current snapshot; a bucket's tables are copied to `folder`, their columns that can
    matter. Raises CatalogError and StorageError."""
    catalog, _ = load_existing(lake.uri, lake.catalog_uri, EMBEDDINGS.name)
    found = {}
    for name in wanted.tables:
        table = load_table(catalog, name)
        if lake.folder is None:
            found[name] = _copy(table, wanted, folder / f"{name}.parquet")
        else:
            found[name] = point_to(table, wanted.partition, folder / f"{name}.arrow")
    return found


def point_to(table: Table, partition: str | None, deletes: Path, snapshot_id: int | None = None) -> TableFiles:
    """A table's files where they lie; the rows that position deletes take away are written to `deletes`."""
    files = list(list_existing(table, TABLES[table.name()[-1]], partition, snapshot_id))
    whole = [_path(file) for file in files if not file.deletes]
    cut = [_path(file) for file in files if file.deletes]
    if cut:
        dead = _dead_rows(files, table.io)
        with pa.ipc.new_file(deletes, dead.schema) as writer:
            writer.write_table(dead)
    return TableFiles(whole, cut, str(deletes) if cut else "")


def _copy(table: Table, wanted: Wanted, path: Path) -> TableFiles:
    """The rows that are alive, in a file of this machine."""
    schema = TABLES[table.name()[-1]]
    columns = wanted.columns(schema)
    kept = pa.schema([schema.columns.field(name) for name in columns])
    with pq.ParquetWriter(path, kept, compression="lz4") as writer:
        for group in _groups(stream_alive(table, schema, wanted.partition, columns)):
            writer.write_table(pa.Table.from_batches(group, kept))
    return TableFiles([str(path)])


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    some: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        some.append(batch)
        rows += batch.num_rows
        if rows >= _GROUP_ROWS:
            yield some
            some, rows = [], 0
    if some:
        yield some


def _dead_rows(files: Sequence[ExistingFile], io: FileIO) -> pa.Table:
    """`filename`, and `file_row_number` from 0."""
    found = [(_path(file), file.dead(io)) for file in files if file.deletes]
    names = [pa.array([path] * len(dead), pa.string()) for path, dead in found]
    numbers = [pa.array(dead, pa.int64()) for _, dead in found]
    columns = [pa.chunked_array(names, pa.string()), pa.chunked_array(numbers, pa.int64())]
    return pa.Table.from_arrays(columns, names=["filename", "file_row_number"])


def _path(file: ExistingFile) -> str:
    return file.file.file_path.removeprefix("file://")
