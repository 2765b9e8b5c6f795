"""A delimited table by pyarrow, where it can say which rows are wrong."""

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from pixlake.tables.csvrecords import END, Found, ragged, unreadable
from pixlake.tables.dialects import Dialect
from pixlake.tables.tablefile import Fault, Rows
from pixlake.tables.text import UNREADABLE, TextFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK_BYTES = 8 << 20


def read_fast(file: TextFile, dialect: Dialect, names: list[str]) -> Found | None:
    """The table under `names`; None where pyarrow gives up, or takes the file's end for a part of a value."""
    handler = _Ragged()
    # The header is read as a row, for its names may repeat, and a type is given to a column by its name.
    places = [str(position) for position in range(len(names))]
    last_row = "\n" + dialect.delimiter.join([END] * len(names)) + "\n"
    try:
        table = arrow_csv.read_csv(
            _Followed(file.open_bytes(), last_row.encode()),
            # Rows are numbered only by a single thread.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=places),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote,
                escape_char=dialect.escape or False,
                newlines_in_values=True,
                invalid_row_handler=handler,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid:
        return None
    if any(fault.row < 0 for fault in handler.faults):
        return None  # the header, which the csv module read otherwise
    if table.slice(max(table.num_rows - 1, 0)).to_pydict() != {name: [END] for name in table.column_names}:
        return None
    table = table.slice(1, table.num_rows - 2).rename_columns(names)
    rows = np.delete(np.arange(table.num_rows + len(handler.faults)), [fault.row for fault in handler.faults])
    return _without_unreadable(table, rows, handler.faults)


@dataclass
class _Ragged:
    """pyarrow's handler of rows that are not as wide as the header."""

    faults: list[Fault] = field(default_factory=list)

    def __call__(self, row: arrow_csv.InvalidRow) -> str:
        # pyarrow counts from 1, the header too
        self.faults.append(ragged(row.number - 2, row.actual_columns, row.expected_columns))
        return "skip"


class _Followed(io.RawIOBase):
    """A file, and behind it a few bytes more."""

    def __init__(self, file: io.RawIOBase, more: bytes) -> None:
        super().__init__()
        self._file, self._more = file, more

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        if count := self._file.readinto(view):
            return count
        data, self._more = self._more[: len(view)], self._more[len(view) :]
        view[: len(data)] = data
        return len(data)


def _without_unreadable(table: pa.Table, rows: Rows, faults: list[Fault]) -> Found:
    """Rows that hold bytes that are no text become faults."""
    bad: set[int] = set()
    for column in table.columns:
        marked = pc.fill_null(pc.match_substring(column, UNREADABLE), False)
        bad.update(np.flatnonzero(marked.to_numpy()).tolist())
    if not bad:
        return Found(table, rows, faults)
    order = sorted(bad)
    faults = sorted([*faults, *(unreadable(int(rows[row])) for row in order)], key=lambda fault: fault.row)
    kept = np.delete(np.arange(table.num_rows), order)
    return Found(table.take(pa.array(kept)), rows[kept], faults)
