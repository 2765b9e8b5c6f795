"""A delimited table by Python's csv module, record by record: on which line each begins, and what is wrong with it."""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TextIO

import numpy as np
import pyarrow as pa

from pixlake.errors import BadTable
from pixlake.tables.dialects import Dialect
from pixlake.tables.tablefile import Fault, Rows, text_table
from pixlake.tables.text import UNREADABLE, TextFile

_BATCH_ROWS = 10_000
_RESUMPTIONS = 100  # each reads the file from its beginning, so their number must not depend on the file
# A line put behind the last: a record that takes it in has a quote that nothing closed.
END = "\0"


@dataclass(frozen=True)
class Found:
    """A table's readable rows with their row numbers, and the others."""

    columns: pa.Table
    rows: Rows
    faults: list[Fault]


def ragged(row: int, actual: int, expected: int) -> Fault:
    """A row that is not as wide as the header."""
    values = "1 value" if actual == 1 else f"{actual} values"
    return Fault(row, "ragged_row", f"the row has {values}, the header names {expected} columns")


def unreadable(row: int) -> Fault:
    """A row with bytes that are no text."""
    return Fault(row, "unreadable_bytes", "the row holds bytes that are no text in the file's encoding")


def read_carefully(file: TextFile, dialect: Dialect, names: list[str]) -> Found:
    """The table by the csv module, in batches."""
    faults: list[Fault] = []
    rows: list[int] = []
    batches: list[pa.RecordBatch] = []
    pending: list[Sequence[str]] = []
    for row, (line, fields) in enumerate(islice(read_records(file, dialect), 1, None)):
        fault = _judge(row, line, fields, len(names))
        if fault is not None:
            faults.append(fault)
            continue
        rows.append(row)
        pending.append(fields or [])
        if len(pending) == _BATCH_ROWS:
            batches.append(_batch(pending, names))
            pending = []
    batches.append(_batch(pending, names))
    return Found(text_table(names, batches), np.array(rows, dtype=np.int64), faults)


def _judge(row: int, line: int, fields: list[str] | None, width: int) -> Fault | None:
    if fields is None:
        return Fault(row, "unclosed_quote", f"a quote that begins a value on line {line} is never closed")
    if len(fields) != width:
        return ragged(row, len(fields), width)
    if any(UNREADABLE in value for value in fields):
        return unreadable(row)
    return None


def _batch(records: Sequence[Sequence[str]], names: list[str]) -> pa.RecordBatch:
    columns = zip(*records, strict=True) if records else [()] * len(names)
    arrays = [pa.array([value or None for value in column], pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names)


def read_records(file: TextFile, dialect: Dialect) -> Iterator[tuple[int, list[str] | None]]:
    """Every record, the header first, with the line it begins on.

    None stands for a line with a quote that is never closed; reading goes on behind that line. BadTable if it happens
    too often.
    """
    csv.field_size_limit(sys.maxsize)  # a value may be as long as the file, whose size Plan has limited
    skipped = 0
    for _ in range(_RESUMPTIONS):
        open_line = None
        with file.open_text() as text:
            for line, fields in _read_from(text, skipped, dialect):
                yield line, fields
                open_line = line if fields is None else None
        if open_line is None:
            return
        skipped = open_line
    raise BadTable(f"{file.uri}: {_RESUMPTIONS} quotes are never closed; save the table again, its quotes doubled")


def _read_from(text: TextIO, skipped: int, dialect: Dialect) -> Iterator[tuple[int, list[str] | None]]:
    ended: list[bool] = []

    def mark_end() -> Iterator[str]:
        ended.append(True)
        yield f"{END}\n"

    lines = chain(islice(text, skipped, None), mark_end())
    reader = csv.reader(lines, **dialect.reader_options())  # type: ignore[arg-type]
    line = skipped + 1
    for fields in reader:
        if not ended and fields:
            yield line, fields
        elif ended and fields != [END]:
            yield line, None
        line = skipped + reader.line_num + 1


class RecordLines:
    """The lines on which rows begin, found by one more reading, and only when somebody asks."""

    def __init__(self, file: TextFile, dialect: Dialect) -> None:
        self._file, self._dialect = file, dialect
        self._starts: Rows | None = None

    def __call__(self, rows: Rows) -> Rows:
        if self._starts is None:
            lines = (line for line, _ in islice(read_records(self._file, self._dialect), 1, None))
            self._starts = np.fromiter(lines, dtype=np.int64)
        return self._starts[rows]
