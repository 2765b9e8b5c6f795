"""Rows to merge: in a Parquet file or in memory, read in batches of bounded size."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO

BATCH_BYTES = 8 << 20
_FEWEST, _MOST = 256, 1 << 16


class Rows(Protocol):
    """Rows with positions from 0, which can be read from the start as often as wanted."""

    name: str

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows in their order, with these columns; a batch is about `BATCH_BYTES` of whole rows."""
        ...


class TableRows:
    """Rows in memory."""

    def __init__(self, name: str, rows: pa.Table) -> None:
        self.name = name
        self._rows = rows

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        rows: pa.Table = self._rows.select(list(columns))
        yield from rows.to_batches(max_chunksize=_MOST)


class ParquetRows:
    """Rows of one file; `schema` are the columns as they are wanted, whatever wrote them."""

    def __init__(self, io: FileIO, uri: str, schema: pa.Schema) -> None:
        self.name = uri
        self._io = io
        self._schema = schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        wanted = pa.schema([self._schema.field(name) for name in columns])
        with self._io.new_input(self.name).open() as file, pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_rows(parquet.metadata), columns=list(columns)):
                conforming = batch.select(list(columns))
                yield conforming if conforming.schema.equals(wanted) else conforming.cast(wanted)


def batch_rows(footer: pq.FileMetaData) -> int:
    """How many rows make a batch: whole rows of `BATCH_BYTES`, whichever columns are read."""
    size: int = sum(footer.row_group(index).total_byte_size for index in range(footer.num_row_groups))
    fitting: int = BATCH_BYTES * max(int(footer.num_rows), 1) // max(size, 1)
    return max(_FEWEST, min(_MOST, fitting))
