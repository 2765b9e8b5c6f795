"""What a partition holds already: its data files, which of them may hold a key, and which rows of them are alive."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import AlwaysTrue, EqualTo, Reference
from pyiceberg.expressions.literals import literal
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import StringType

from pixlake.errors import CatalogError
from pixlake.iceberg.keys import PARTITION, key_columns, leading_value
from pixlake.iceberg.rows import ParquetRows
from pixlake.schemas import TableSchema


@dataclass(frozen=True)
class ExistingFile:
    """A data file of the current snapshot. `deletes` are the files of position deletes, which other engines write."""

    file: DataFile
    deletes: tuple[DataFile, ...]
    rows: ParquetRows

    @property
    def paths(self) -> tuple[str, ...]:
        """The file's, and those of what takes rows from it. Neither ever changes: the same paths, the same rows."""
        return self.file.file_path, *(delete.file_path for delete in self.deletes)

    def dead(self, io: FileIO) -> np.ndarray:
        """Positions of the rows that position deletes take away."""
        found = [_positions(io, delete, self.file.file_path) for delete in self.deletes]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def alive(self, io: FileIO, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """These columns of the rows that are left."""
        dead, start = self.dead(io), 0
        for batch in self.rows.batches(list(columns)):
            alive = np.ones(batch.num_rows, bool)
            alive[dead[(dead >= start) & (dead < start + batch.num_rows)] - start] = False
            start += batch.num_rows
            yield batch if alive.all() else batch.filter(pa.array(alive))


@dataclass(frozen=True)
class KeyRange:
    """Values of a text column: from `low` to `high`, which is None where all are null, and whether some are null."""

    column: str
    low: str
    high: str | None
    nulls: bool

    def may_meet(self, table: Table, file: DataFile) -> bool:
        """Whether the file can hold a value of the range, as far as its bounds in the manifest say."""
        field = table.schema().find_field(self.column)
        if self.nulls and (file.null_value_counts or {}).get(field.field_id, 1) > 0:
            return True
        if self.high is None:
            return False
        lower = (file.lower_bounds or {}).get(field.field_id)
        upper = (file.upper_bounds or {}).get(field.field_id)
        if lower is None or upper is None:
            return True
        first, last = from_bytes(StringType(), lower), from_bytes(StringType(), upper)
        return bool(first <= self.high and self.low <= last)


def key_range(least: str, greatest: str, schema: TableSchema) -> KeyRange:
    """The range of the first key column, from the least and the greatest encoded key. Null sorts first."""
    low, high = leading_value(least, schema), leading_value(greatest, schema)
    return KeyRange(key_columns(schema)[0], "" if low is None else low, high, low is None)


def list_existing(
    table: Table, schema: TableSchema, partition: str | None, snapshot_id: int | None = None
) -> Iterator[ExistingFile]:
    """The data files of one partition, or of all, at a snapshot, or at the current one."""
    here = AlwaysTrue() if partition is None else EqualTo(term=Reference(PARTITION), value=literal(partition))
    for task in table.scan(row_filter=here, snapshot_id=snapshot_id).plan_files():
        assert isinstance(task, FileScanTask)
        rows = ParquetRows(table.io, task.file.file_path, schema.columns)
        yield ExistingFile(task.file, tuple(task.delete_files), rows)


def stream_alive(
    table: Table, schema: TableSchema, partition: str | None, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """These columns of the rows of one partition, or of all, a batch at a time."""
    for file in list_existing(table, schema, partition):
        yield from file.alive(table.io, columns)


def read_alive(table: Table, schema: TableSchema, partition: str, columns: Sequence[str]) -> pa.Table:
    """These columns of the rows of one partition, in memory."""
    read = pa.schema([schema.columns.field(name) for name in columns])
    return pa.Table.from_batches(stream_alive(table, schema, partition, columns), read).combine_chunks()


def _positions(io: FileIO, delete: DataFile, path: str) -> np.ndarray:
    if delete.content is not DataFileContent.POSITION_DELETES or delete.file_format is not FileFormat.PARQUET:
        raise CatalogError(f"{delete.file_path}: only position deletes in Parquet are understood; run OPTIMIZE first")
    with io.new_input(delete.file_path).open() as file:
        rows = pq.read_table(file, columns=["file_path", "pos"])
    positions: np.ndarray = rows.filter(pc.equal(rows["file_path"], path))["pos"].to_numpy()
    return positions
