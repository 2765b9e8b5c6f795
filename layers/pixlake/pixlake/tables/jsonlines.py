"""A table of JSON Lines: an object a line, its values as text."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pixlake.tables.tablefile import Fault, Rows, TableFile, check_size, unique_names
from pixlake.tables.text import UNREADABLE, TextFile

_BATCH_ROWS = 10_000
_BUFFER_BYTES = 1 << 20
_UNREADABLE = UNREADABLE.encode()


def read_json_lines(path: str, file: TextFile) -> TableFile:
    """The table `file`, which lies at `path` in the upload; BadTable if it has too many columns.

    Columns are the names of all objects, as first met.
    """
    faults: list[Fault] = []
    rows: list[int] = []
    batches: list[pa.RecordBatch] = []
    names: dict[str, None] = {}
    for numbers, objects in _batches(file, faults):
        rows += numbers
        names.update(dict.fromkeys(name for each in objects for name in each))
        check_size(path, len(rows), len(names))
        batches.append(_columns(objects))
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    columns = pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
    columns = columns.rename_columns(unique_names(columns.column_names))
    return TableFile(path, columns, np.array(rows, dtype=np.int64), faults, _places)


def _places(rows: Rows) -> Rows:
    return rows + 1


def _batches(file: TextFile, faults: list[Fault]) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Line numbers from 0 and the objects on these lines; what is no object goes into `faults`."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    numbers: list[int] = []
    objects: list[dict[str, Any]] = []
    for number, line in enumerate(_lines(file)):
        if not line.strip():
            continue
        if _UNREADABLE in line:
            faults.append(Fault(number, "unreadable_bytes", "the line holds bytes that are no text"))
            continue
        try:
            objects.append(decoder.decode(line))
        except (msgspec.DecodeError, RecursionError) as error:
            faults.append(Fault(number, "unreadable_row", f"the line is not a JSON object: {error}"))
        else:
            numbers.append(number)
        if len(numbers) == _BATCH_ROWS:
            yield numbers, objects
            numbers, objects = [], []
    if numbers:
        yield numbers, objects


def _lines(file: TextFile) -> Iterator[bytes]:
    with file.open_bytes() as raw, io.BufferedReader(raw, _BUFFER_BYTES) as lines:
        yield from lines


def _columns(objects: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for each in objects for name in each))
    columns = [pa.array([to_text(each.get(name)) for each in objects], pa.string()) for name in names]
    return pa.RecordBatch.from_arrays(columns, names)


def to_text(value: Any) -> str | None:
    """A decoded value as text: a whole number without `.0`, what is nested as JSON, null and the empty text as None."""
    if value is None or type(value) is str:
        return value or None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 63:
        return str(int(value))
    return msgspec.json.encode(value).decode()
