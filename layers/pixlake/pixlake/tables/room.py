"""What of memory an upload's tables may take, and what a row of them may: a few bytes of zip can be a large table."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.errors import BadTable
from pixlake.tables.faults import Fault
from pixlake.tables.tablefile import Rows

MAX_COLUMNS = 10_000
MAX_NAME, MAX_NAMES = 1_000, 256 << 10  # characters of a column's name, and of all of a table's
MAX_CELL_BYTES, MAX_ROW_BYTES = 4 << 20, 8 << 20
# The default of `settings.SplitSettings`
TABLE_MEMORY = 384 << 20
# What the join needs for a row, whatever its columns: its number, its place in the order of ids, its record.
_ROW_BYTES = 48
_OFFSET_BYTES = 4
# An array of pyarrow's, whatever is in it: a wide table is read in many batches of as many arrays.
_ARRAY_BYTES = 512
_ADVICE = "split the upload, or raise SplitMemory and the variable TABLE_MEMORY of SplitFunction"


@dataclass
class Room:
    """`limit` bytes for all tables together; `taken` of them are."""

    limit: int = TABLE_MEMORY
    taken: int = 0

    def take(self, where: str, rows: int, columns: int, text: int) -> None:
        """Room for rows of so many columns with `text` bytes in them; BadTable where there is none."""
        self.taken += rows * (_ROW_BYTES + _OFFSET_BYTES * columns) + text
        if self.taken > self.limit:
            raise BadTable(f"{where}: the tables take more than {self.limit:,} bytes of memory; {_ADVICE}")

    def take_batch(self, where: str, batch: pa.RecordBatch) -> None:
        """The same for a batch of text columns."""
        self.take(where, batch.num_rows, batch.num_columns, text_bytes(batch) + _ARRAY_BYTES * batch.num_columns)


def check_names(where: str, names: Collection[str]) -> None:
    """BadTable for a header that is none: it would be repeated in each record."""
    if len(names) > MAX_COLUMNS:
        raise BadTable(f"{where}: {len(names):,} columns; at most {MAX_COLUMNS:,} can be read")
    if max(map(len, names), default=0) > MAX_NAME or sum(map(len, names)) > MAX_NAMES:
        raise BadTable(
            f"{where}: the names of its columns are too long; one may have {MAX_NAME:,} characters, "
            f"all together {MAX_NAMES:,}"
        )


def text_bytes(table: pa.RecordBatch | pa.Table) -> int:
    """Bytes of the texts alone."""
    return sum(pc.sum(pc.binary_length(column)).as_py() or 0 for column in table.columns)


def drop_long(batch: pa.RecordBatch, rows: Rows) -> tuple[pa.RecordBatch, Rows, list[Fault]]:
    """The batch without rows above the limits, the numbers of its rows, and a fault for each of the others."""
    if batch.nbytes <= MAX_CELL_BYTES:
        return batch, rows, []
    total, longest = np.zeros(batch.num_rows, np.int64), np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
        total += lengths
        np.maximum(longest, lengths, out=longest)
    long = (total > MAX_ROW_BYTES) | (longest > MAX_CELL_BYTES)
    if not long.any():
        return batch, rows, []
    return batch.filter(pa.array(~long)), rows[~long], [too_long(int(row)) for row in rows[long]]


def too_long(row: int) -> Fault:
    """A row above the limits."""
    limits = f"a value may have {MAX_CELL_BYTES:,} bytes, a row {MAX_ROW_BYTES:,}"
    return Fault(row, "too_long", f"the row or one of its values is too long: {limits}")
