"""A delimited table by Python's csv module, record by record: on which line each begins, and what is wrong with it."""

import csv
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TextIO

import numpy as np
import pyarrow as pa

from pixlake.errors import BadInput, BadTable
from pixlake.tables.dialects import Dialect
from pixlake.tables.faults import Fault, Faults
from pixlake.tables.room import MAX_ROW_BYTES, Room, drop_long, too_long
from pixlake.tables.tablefile import Rows, text_table
from pixlake.tables.text import UNREADABLE, TextFile

_BATCH_ROWS, _BATCH_CHARACTERS = 10_000, 4 << 20
_RESUMPTIONS = 100  # each reads as much as a row may have, so their number must not depend on the file
# A line put behind the last: a record that takes it in has a quote that nothing closed.
END = "\0"
_LINE = 32  # what a line of a record counts beside its characters, for each is kept
UNCLOSED, TOO_LONG = "unclosed_quote", "too_long"


@dataclass(frozen=True)
class Found:
    """A table's readable rows with their row numbers, and the others."""

    columns: pa.Table
    rows: Rows
    faults: Faults


class Record(NamedTuple):
    """The line on which a record begins and its values, or the reason for which it has none; and its length in
    characters, about."""

    line: int
    fields: list[str]
    reason: str
    length: int


def ragged(row: int, actual: int, expected: int) -> Fault:
    """A row that is not as wide as the header."""
    values = "1 value" if actual == 1 else f"{actual} values"
    return Fault(row, "ragged_row", f"the row has {values}, the header names {expected} columns")


def unreadable(row: int) -> Fault:
    """A row with bytes that are no text."""
    return Fault(row, "unreadable_bytes", "the row holds bytes that are no text in the file's encoding")


def read_carefully(file: TextFile, dialect: Dialect, names: list[str], room: Room) -> Found:
    """The table by the csv module, in batches."""
    faults = Faults()
    rows = array("q")
    batches: list[pa.RecordBatch] = []
    for numbers, records in _batches(file, dialect, len(names), faults):
        batch, kept, long = drop_long(_batch(records, names), np.array(numbers, dtype=np.int64))
        faults.add_rows(long)
        room.take_batch(file.path, batch)
        batches.append(batch)
        rows.frombytes(kept.tobytes())
    return Found(text_table(names, batches), np.array(rows, dtype=np.int64), faults)


def _batches(
    file: TextFile, dialect: Dialect, width: int, faults: Faults
) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Row numbers and the values of these rows; what is no row goes into `faults`."""
    numbers: list[int] = []
    records: list[list[str]] = []
    length = good = 0
    for row, record in enumerate(islice(read_records(file, dialect), 1, None)):
        fault = _judge(row, record, width)
        if fault is not None:
            faults.add(fault)
            faults.check(file.path, good)
            continue
        good += 1
        numbers.append(row)
        records.append(record.fields)
        length += record.length
        if len(records) == _BATCH_ROWS or length > _BATCH_CHARACTERS:
            yield numbers, records
            numbers, records, length = [], [], 0
    yield numbers, records


def _judge(row: int, record: Record, width: int) -> Fault | None:
    if record.reason == UNCLOSED:
        return Fault(row, UNCLOSED, f"a quote that begins a value on line {record.line} is never closed")
    if record.reason:
        return too_long(row)
    if len(record.fields) != width:
        return ragged(row, len(record.fields), width)
    if any(UNREADABLE in value for value in record.fields):
        return unreadable(row)
    return None


def _batch(records: Sequence[Sequence[str]], names: list[str]) -> pa.RecordBatch:
    columns = zip(*records, strict=True) if records else [()] * len(names)
    arrays = [pa.array([value or None for value in column], pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names)


def read_records(file: TextFile, dialect: Dialect) -> Iterator[Record]:
    """Every record, the header first, but no empty line.

    A quote that is not closed before the file's end, nor within the length that a row may have, costs its line;
    reading goes on behind that. BadTable if it happens too often.
    """
    csv.field_size_limit(MAX_ROW_BYTES)
    resumptions = 0
    with file.open_text() as text:
        lines = _Lines(text, file.line)
        while not lines.ended:
            for record in _read_from(lines, dialect):
                yield record
                resumptions += record.reason == UNCLOSED
            if resumptions == _RESUMPTIONS:
                words = f"{_RESUMPTIONS} quotes are never closed; save the table again, its quotes doubled"
                raise BadTable(f"{file.path}: {words}")


def _read_from(lines: "_Lines", dialect: Dialect) -> Iterator[Record]:
    """The records up to the file's end, or to one that has a reason instead of values."""
    reader = csv.reader(lines, **dialect.reader_options())  # type: ignore[arg-type]
    while True:
        line = lines.begin()
        try:
            fields = next(reader)
        except _Overlong:
            yield Record(line, [], UNCLOSED if lines.go_back() else TOO_LONG, 0)
            return
        if not lines.ended:
            if fields:
                yield Record(line, fields, "", lines.length)
        elif fields == [END]:
            return
        else:
            lines.go_back()
            yield Record(line, [], UNCLOSED, 0)
            return


class _Overlong(BadInput):
    """A record has more characters than a row may have."""


class _Line(NamedTuple):
    """A line of a file, or of one that is too long its beginning."""

    text: str
    cut: bool


class _Lines:
    """A file's lines for a csv reader, which can go back to the second line of a record; then END, once.

    Of a line that is longer than a row may be, the rest is skipped.
    """

    def __init__(self, text: TextIO, number: int) -> None:
        self._text = text
        self._ahead: deque[_Line] = deque()
        self._record: list[_Line] = []
        self._next = number
        self.length = 0
        self.ended = False

    def begin(self) -> int:
        """A record begins: the number of its line."""
        self._next += len(self._record)
        self._record, self.length = [], 0
        return self._next

    def go_back(self) -> bool:
        """Give the record's lines but the first again; whether there are any."""
        self._next += 1
        self._ahead.extendleft(reversed(self._record[1:]))
        self._record, more = [], len(self._record) > 1
        self.ended = False
        return more

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.ended:
            raise StopIteration
        line = self._ahead.popleft() if self._ahead else self._read()
        if not line.text:
            self.ended = True
            return f"{END}\n"
        self._record.append(line)
        self.length += len(line.text) + _LINE
        if line.cut or self.length > MAX_ROW_BYTES:
            raise _Overlong
        return line.text

    def _read(self) -> _Line:
        text = self._text.readline(MAX_ROW_BYTES)
        cut = rest = len(text) == MAX_ROW_BYTES and not text.endswith(("\n", "\r"))
        while rest:
            piece = self._text.readline(MAX_ROW_BYTES)
            rest = bool(piece) and not piece.endswith(("\n", "\r"))
        return _Line(text, cut)


class RecordLines:
    """The lines on which rows begin, found by one more reading, and only when somebody asks."""

    def __init__(self, file: TextFile, dialect: Dialect) -> None:
        self._file, self._dialect = file, dialect

    def __call__(self, rows: Rows) -> Rows:
        wanted, places = np.unique(rows, return_inverse=True)
        records = islice(read_records(self._file, self._dialect), 1, None)
        steps = np.diff(wanted, prepend=-1).tolist()
        found = (next(islice(records, step - 1, None)).line for step in steps)
        lines: Rows = np.fromiter(found, dtype=np.int64, count=len(wanted))[places]
        return lines
