"""A table of JSON Lines: an object a line, its values as text."""

import io
import json
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

import msgspec
import numpy as np
import pyarrow as pa

from pixlake.tables.faults import Fault, Faults
from pixlake.tables.room import MAX_ROW_BYTES, Room, check_names, drop_long, text_bytes, too_long
from pixlake.tables.tablefile import Rows, TableFile, unique_names
from pixlake.tables.text import UNREADABLE, TextFile

# Decoded, JSON takes up to 25 times its bytes.
_BATCH_ROWS, _BATCH_BYTES = 10_000, 4 << 20
DECODER = json.JSONDecoder(parse_float=lambda text: value if math.isfinite(value := float(text)) else text)
"""Reads NaN and Infinity, which JSON does not have; a number that is too large for a float stays as it is written."""
# Each piece of a column takes some hundred bytes beside its values.
_PIECES = 100_000
_BUFFER_BYTES = 1 << 20
_UNREADABLE = UNREADABLE.encode()


# A row's number from 0, its length, and its values as text or what is wrong with it.
Line = tuple[int, int, dict[str, str | None] | Fault]


def read_json_lines(path: str, file: TextFile, room: Room) -> TableFile:
    """The table `file`, which lies at `path` in the upload; BadTable if it is too large for `room`.

    Columns are the names of all objects, as first met.
    """
    return collect(path, _read_lines(file), room)


def collect(path: str, lines: Iterable[Line], room: Room) -> TableFile:
    """The table of these rows; BadTable if it is too large for `room`."""
    faults = Faults()
    rows = array("q")
    parts: list[pa.Table] = []
    names: dict[str, None] = {}
    before = room.taken
    text = 0
    for numbers, objects in _batches(path, lines, faults):
        names.update(dict.fromkeys(name for each in objects for name in each))
        check_names(path, names)
        room.taken = before
        room.take(path, len(rows) + len(objects), len(names), text)
        batch, kept, long = drop_long(_columns(objects), np.array(numbers, dtype=np.int64))
        faults.add_rows(long)
        rows.frombytes(kept.tobytes())
        text += text_bytes(batch)
        parts.append(pa.Table.from_batches([batch]))
        if sum(part.num_columns for part in parts) > _PIECES:
            parts = [pa.concat_tables(parts, promote_options="default").combine_chunks()]
    room.taken = before
    room.take(path, len(rows), len(names), text)
    columns = pa.concat_tables(parts, promote_options="default") if parts else pa.table({})
    columns = columns.rename_columns(unique_names(columns.column_names))
    return TableFile(path, columns, np.array(rows, dtype=np.int64), faults, _places)


def _places(rows: Rows) -> Rows:
    return rows + 1


def _batches(
    path: str, lines: Iterable[Line], faults: Faults
) -> Iterator[tuple[list[int], list[dict[str, str | None]]]]:
    """Row numbers and the rows; what is no row goes into `faults`."""
    numbers: list[int] = []
    objects: list[dict[str, str | None]] = []
    size = good = 0
    for number, length, read in lines:
        if isinstance(read, Fault):
            faults.add(read)
            faults.check(path, good)
            continue
        good += 1
        numbers.append(number)
        objects.append(read)
        size += length
        if len(numbers) == _BATCH_ROWS or size > _BATCH_BYTES:
            yield numbers, objects
            numbers, objects, size = [], [], 0
    if numbers:
        yield numbers, objects


def _read_lines(file: TextFile) -> Iterator[Line]:
    """The lines that are not empty."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    with file.open_bytes() as raw, io.BufferedReader(raw, _BUFFER_BYTES) as buffered:
        for number, line in enumerate(bounded_lines(buffered)):
            if line.strip():
                yield number, len(line), _read_line(decoder, number, line)


def _read_line(
    decoder: msgspec.json.Decoder[dict[str, Any]], number: int, line: bytes
) -> dict[str, str | None] | Fault:
    """The object on a line, its values as text."""
    if len(line) > MAX_ROW_BYTES:
        return too_long(number)
    if _UNREADABLE in line:
        return Fault(number, "unreadable_bytes", "the line holds bytes that are no text")
    try:
        return {name: to_text(value) for name, value in decoder.decode(line).items()}
    except (msgspec.DecodeError, RecursionError) as error:
        return _read_unusual(line) or Fault(number, "unreadable_row", f"the line is not a JSON object: {error}")


def _read_unusual(line: bytes) -> dict[str, str | None] | None:
    """An object with numbers that JSON does not have and pandas writes, such as NaN; None for any other."""
    try:
        value = DECODER.decode(line.decode())
        texts = {name: to_text(each) for name, each in value.items()} if isinstance(value, dict) else None
        json.dumps([value], ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        return None
    return texts


def bounded_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines; of one that is too long only its beginning, which is too long, too."""
    while line := file.readline(MAX_ROW_BYTES + 1):
        rest = line
        while len(rest) > MAX_ROW_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_ROW_BYTES + 1)
        yield line


def _columns(objects: Sequence[dict[str, str | None]]) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for each in objects for name in each))
    columns = [pa.array([each.get(name) for each in objects], pa.string()) for name in names]
    return pa.RecordBatch.from_arrays(columns, names)


def to_text(value: Any) -> str | None:
    """A decoded value as text: a whole number without `.0`, what is nested as JSON; null, NaN and the empty
    text as None. What has no end is `Infinity`, which Athena casts to a number.

    Raises RecursionError for what is nested deeper than Python goes.
    """
    if value is None or type(value) is str:
        return value or None
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        if value.is_integer() and abs(value) < 1 << 63:
            return str(int(value))
    return to_json(value)


def to_json(value: Any) -> str:
    """A nested value as JSON; numbers that JSON does not have are as in Python's."""
    text = msgspec.json.encode(value).decode()
    if "null" not in text:
        return text
    with suppress(ValueError):
        json.dumps(value, allow_nan=False)
        return text
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
