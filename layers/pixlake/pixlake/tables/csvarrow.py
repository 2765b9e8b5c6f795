"""A delimited table by pyarrow, where it can say which rows are wrong."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from pixlake.tables.csvrecords import END, Found, ragged, unreadable
from pixlake.tables.dialects import Dialect
from pixlake.tables.faults import Fault, Faults
from pixlake.tables.room import Room, drop_long
from pixlake.tables.tablefile import Rows, text_table
from pixlake.tables.text import UNREADABLE, TextFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK_BYTES = 8 << 20
_MAX_RAGGED = 10_000  # its reader takes 15 microseconds for each, the csv module one


def read_fast(file: TextFile, dialect: Dialect, names: list[str], room: Room) -> Found | None:
    """The table under `names`; None where pyarrow gives up, or takes the file's end for a part of a value.

    BadTable where there is no room for it.
    """
    handler = _Ragged()
    mine = replace(room)
    batches: list[pa.RecordBatch] = []
    try:
        for batch in _read(file, dialect, handler, len(names)):
            mine.take_batch(file.path, batch)
            if batch.num_rows:
                batches.append(batch)
    except pa.ArrowInvalid:
        return None
    rows = sum(batch.num_rows for batch in batches)
    if any(fault.row < 0 for fault in handler.faults):
        return None  # the header, which the csv module read otherwise
    if not batches or batches[-1].slice(batches[-1].num_rows - 1).to_pylist() != [dict.fromkeys(_places(names), END)]:
        return None
    room.taken = mine.taken
    numbers = np.delete(np.arange(rows + len(handler.faults)), [fault.row + 1 for fault in handler.faults]) - 1
    return _without_unusable(batches, numbers, handler.faults, names)


def _places(names: list[str]) -> list[str]:
    # The header is read as a row, for its names may repeat, and a type is given to a column by its name.
    return [str(position) for position in range(len(names))]


def _read(file: TextFile, dialect: Dialect, handler: "_Ragged", width: int) -> Iterator[pa.RecordBatch]:
    """The rows, a block of bytes at a time: the header first, behind the last a row of END."""
    places = [str(position) for position in range(width)]
    last_row = "\n" + dialect.delimiter.join([END] * width) + "\n"
    yield from arrow_csv.open_csv(
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


@dataclass
class _Ragged:
    """pyarrow's handler of rows that are not as wide as the header."""

    faults: list[Fault] = field(default_factory=list)

    def __call__(self, row: arrow_csv.InvalidRow) -> str:
        if len(self.faults) == _MAX_RAGGED:
            return "error"
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


def _without_unusable(
    batches: list[pa.RecordBatch], numbers: Rows, ragged_rows: list[Fault], names: list[str]
) -> Found:
    """The rows between the header and END; those that are too long, or hold bytes that are no text, become faults."""
    faults = Faults()
    faults.add_rows(ragged_rows)
    kept_batches, kept_rows = [], []
    start, last = 0, len(numbers) - 1
    for batch in batches:
        stop = start + batch.num_rows
        batch = batch.slice(start == 0, min(stop, last) - max(start, 1)).rename_columns(names)
        rows = numbers[max(start, 1) : min(stop, last)]
        bad = _unreadable(batch)
        if bad.any():
            faults.add_rows([unreadable(row) for row in rows[bad].tolist()])
            batch, rows = batch.filter(pa.array(~bad)), rows[~bad]
        batch, rows, long = drop_long(batch, rows)
        faults.add_rows(long)
        kept_batches.append(batch)
        kept_rows.append(rows)
        start = stop
    return Found(text_table(names, kept_batches), np.concatenate(kept_rows), faults)


def _unreadable(batch: pa.RecordBatch) -> np.typing.NDArray[np.bool_]:
    """Which rows hold bytes that are no text."""
    bad = np.zeros(batch.num_rows, dtype=bool)
    for column in batch.columns:
        bad |= pc.fill_null(pc.match_substring(column, UNREADABLE), False).to_numpy(zero_copy_only=False)
    return bad
