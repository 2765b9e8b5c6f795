"""Rows of a query in the formats that people and programs read, written as they come."""

import io
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from itertools import islice
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pixlake.report.words import readable

TABLE_ROWS = 500
_LONGEST_LIST = 6
_WIDEST = 4_000
_NULL = "NULL"
_TO_QUOTE = re.compile(r'[",\r\n]')

# Decimals are DuckDB's sums of integers; NaN and infinities become null, which JSON has no other word for.
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def write_json(reader: pa.RecordBatchReader, target: IO[bytes]) -> None:
    """An array with one object a row and line. Times are ISO 8601, maps objects."""
    names = reader.schema.names
    separator = b"["
    for row in _rows(reader):
        target.write(separator + b"\n " + _ENCODER.encode(dict(zip(names, row, strict=True))))
        separator = b","
    target.write(b"[]\n" if separator == b"[" else b"\n]\n")


def write_csv(reader: pa.RecordBatchReader, target: IO[bytes]) -> None:
    """UTF-8 with a header; lists and maps as JSON, null as nothing, the empty text as `""`."""
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    text.write(_line(map(_quoted, reader.schema.names)))
    for row in _rows(reader):
        text.write(_line("" if value is None else _quoted(_field(value)) for value in row))
    text.detach()


def write_parquet(reader: pa.RecordBatchReader, target: IO[bytes]) -> None:
    """One Parquet file, a row group a batch of rows."""
    with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


def write_table(reader: pa.RecordBatchReader, target: IO[bytes]) -> None:
    """For people: the first `TABLE_ROWS` rows, long lists cut short. What looks like markup is text."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for field in reader.schema:
        is_number = any(test(field.type) for test in (types.is_integer, types.is_floating, types.is_decimal))
        table.add_column(Text(field.name), justify="right" if is_number else "left", overflow="fold")
    rows = _rows(reader)
    for row in islice(rows, TABLE_ROWS):
        table.add_row(*(Text(_cell(value), style="dim" if value is None else "") for value in row))
    text = io.TextIOWrapper(target, encoding="utf-8", write_through=True)
    make_console(text).print(table)
    _write_more(rows, text)
    text.detach()


def write_vertical(reader: pa.RecordBatchReader, target: IO[bytes]) -> None:
    """For people, where rows are wide: a line for each value of the first `TABLE_ROWS` rows, cut as in the table."""
    width = max(map(len, reader.schema.names), default=0)
    rows = _rows(reader)
    text = io.TextIOWrapper(target, encoding="utf-8", write_through=True)
    for number, row in enumerate(islice(rows, TABLE_ROWS), 1):
        text.write(f"*** row {number:,} ***\n")
        for name, value in zip(reader.schema.names, row, strict=True):
            shown = f"\n{' ' * (width + 2)}".join(map(readable, _cell(value).splitlines()))
            text.write(f"{name:>{width}}: {shown}\n")
    _write_more(rows, text)
    text.detach()


def _write_more(rows: Iterator[tuple[Any, ...]], text: IO[str]) -> None:
    if next(rows, None) is not None:
        text.write(f"… only the first {TABLE_ROWS} rows; --format csv, json or parquet has all\n")


def make_console(target: IO[str]) -> Console:
    """A terminal has a width to fold at; a file or a pipe has none."""
    return Console(file=target, width=None if target.isatty() else _WIDEST)


def _rows(reader: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in reader:
        columns = [column.to_pylist(maps_as_pydicts="lossy") for column in batch.columns]
        yield from zip(*columns, strict=True)


def _line(fields: Iterable[str]) -> str:
    return ",".join(fields) + "\n"


def _quoted(text: str) -> str:
    """As RFC 4180 has it; the empty text too, which would be null without."""
    return '"' + text.replace('"', '""') + '"' if not text or _TO_QUOTE.search(text) else text


def _field(value: Any) -> str:
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | dict):
        return _ENCODER.encode(value).decode()
    return str(value)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, list):
        shown = ", ".join(_cell(item) for item in value[:_LONGEST_LIST])
        return f"[{shown}, … {len(value)}]" if len(value) > _LONGEST_LIST else f"[{shown}]"
    if isinstance(value, dict):
        shown = ", ".join(f"{key}: {_cell(item)}" for key, item in islice(value.items(), _LONGEST_LIST))
        return f"{{{shown}, … {len(value)}}}" if len(value) > _LONGEST_LIST else f"{{{shown}}}"
    return _field(value)
