"""A delimited table: read by pyarrow at its speed, and by Python's csv module where that cannot say what is wrong.

Both take the same rows for rows (the tests compare them): any of the three line ends, quotes inside values as they
come, empty lines skipped. pyarrow gives up on a row longer than its block, and takes the rest of a file for one value
where a quote is never closed; then the careful way loses that row alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from pixlake.errors import BadTable
from pixlake.split.csvrecords import RecordLines, read_records
from pixlake.split.dialects import Dialect, choose_dialect
from pixlake.split.tablefile import Fault, Rows, TableFile, text_table, unique_names
from pixlake.split.text import UNREADABLE, TextFile

_SAMPLE_CHARACTERS = 64 << 10
_BLOCK_BYTES = 8 << 20
_BATCH_ROWS = 10_000


def read_csv(path: str, file: TextFile) -> TableFile:
    """The table `file`, which lies at `path` in the upload; BadTable if it is no text or has no header."""
    sample, whole = file.head(_SAMPLE_CHARACTERS)
    if not sample.strip():
        raise BadTable(f"{path}: it is empty; the first line must name the columns")
    dialect = choose_dialect(sample, whole, path.rpartition(".")[2].lower())
    header = next((fields for _, fields in read_records(file, dialect)), None)
    if not header:
        raise BadTable(f"{path}: a quote in its first line is never closed, so it names no columns")
    if any("\0" in name for name in header):
        raise BadTable(f"{path}: it is not text; save the table as CSV, JSON Lines or Parquet")
    names = unique_names([name.replace(UNREADABLE, "\N{REPLACEMENT CHARACTER}") for name in header])
    found = _read_fast(file, dialect, names) or _read_carefully(file, dialect, names)
    return TableFile(path, found.columns, found.rows, found.faults, RecordLines(file, dialect))


@dataclass(frozen=True)
class _Found:
    columns: pa.Table
    rows: Rows
    faults: list[Fault]


@dataclass
class _Ragged:
    """pyarrow's handler of rows that are not as wide as the header."""

    faults: list[Fault] = field(default_factory=list)
    last_text: str = ""

    def __call__(self, row: arrow_csv.InvalidRow) -> str:
        # pyarrow counts from 1, the header too
        self.faults.append(_ragged(row.number - 2, row.actual_columns, row.expected_columns))
        self.last_text = row.text
        return "skip"


def _ragged(row: int, actual: int, expected: int) -> Fault:
    values = "1 value" if actual == 1 else f"{actual} values"
    return Fault(row, "ragged_row", f"the row has {values}, the header names {expected} columns")


def _unreadable(row: int) -> Fault:
    return Fault(row, "unreadable_bytes", "the row holds bytes that are no text in the file's encoding")


def _read_fast(file: TextFile, dialect: Dialect, names: list[str]) -> _Found | None:
    """The table by pyarrow; None where its answer is none or in doubt."""
    ragged = _Ragged()
    try:
        table = arrow_csv.read_csv(
            file.open_bytes(),
            # Rows are numbered only by a single thread.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote,
                escape_char=dialect.escape or False,
                newlines_in_values=True,
                invalid_row_handler=ragged,
            ),
            convert_options=arrow_csv.ConvertOptions(
                default_column_type=pa.binary(), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_columns != len(names) or _ends_in_doubt(table, ragged):
        return None
    rows = np.delete(np.arange(table.num_rows + len(ragged.faults)), [fault.row for fault in ragged.faults])
    return _decode(table.rename_columns(names), rows, ragged.faults)


def _ends_in_doubt(table: pa.Table, ragged: _Ragged) -> bool:
    """Whether the last row ends in a value of several lines, which may be a quote that is never closed."""
    total = table.num_rows + len(ragged.faults)
    if ragged.faults and ragged.faults[-1].row == total - 1:
        return "\n" in ragged.last_text or "\r" in ragged.last_text
    last = table.column(table.num_columns - 1)[-1].as_py() if table.num_rows else None
    return last is not None and (b"\n" in last or b"\r" in last)


def _decode(table: pa.Table, rows: Rows, faults: list[Fault]) -> _Found:
    """Columns of bytes as text; rows in which some are no text become faults."""
    bad = sorted({row for column in table.columns for row in _undecodable(column)})
    if bad:
        faults = sorted(faults + [_unreadable(int(rows[row])) for row in bad], key=lambda fault: fault.row)
        rows, table = np.delete(rows, bad), table.take(np.delete(np.arange(table.num_rows), bad))
    schema = pa.schema([(name, pa.string()) for name in table.column_names])
    return _Found(table.cast(schema), rows, faults)


def _undecodable(column: pa.ChunkedArray) -> Iterator[int]:
    start = 0
    for chunk in column.chunks:
        try:
            pc.cast(chunk, pa.string())
        except pa.ArrowInvalid:
            yield from (start + row for row, value in enumerate(chunk.to_pylist()) if not _is_text(value))
        start += len(chunk)


def _is_text(value: bytes | None) -> bool:
    try:
        return value is None or bool(value.decode("utf-8")) or True
    except UnicodeDecodeError:
        return False


def _read_carefully(file: TextFile, dialect: Dialect, names: list[str]) -> _Found:
    """The table by the csv module, in batches."""
    faults: list[Fault] = []
    rows: list[int] = []
    batches: list[pa.RecordBatch] = []
    pending: list[list[str]] = []
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
    return _Found(text_table(names, batches), np.array(rows, dtype=np.int64), faults)


def _judge(row: int, line: int, fields: list[str] | None, width: int) -> Fault | None:
    if fields is None:
        return Fault(row, "unclosed_quote", f"a quote that begins a value on line {line} is never closed")
    if len(fields) != width:
        return _ragged(row, len(fields), width)
    if any(UNREADABLE in value for value in fields):
        return _unreadable(row)
    return None


def _batch(records: list[list[str]], names: list[str]) -> pa.RecordBatch:
    columns = zip(*records, strict=True) if records else [()] * len(names)
    arrays = [pa.array([value or None for value in column], pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names)
