"""A Parquet table, its values as text."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pixlake import storage
from pixlake.errors import BadTable
from pixlake.tables.faults import Fault, Faults
from pixlake.tables.room import Room, check_names, drop_long
from pixlake.tables.tablefile import Rows, TableFile, text_table, unique_names

_BATCH_ROWS, _BATCH_BYTES = 50_000, 16 << 20
_BUFFER_BYTES = 1 << 20
# what pyarrow and msgspec raise for a value that its type does not allow, or that Python cannot hold
_BAD_VALUE = (pa.ArrowException, ArithmeticError, ValueError, TypeError, RecursionError)


def read_parquet(path: str, uri: str, room: Room) -> TableFile:
    """The table at `uri`, which lies at `path` in the upload; BadTable if it is no Parquet, or too large for `room`."""
    try:
        with pq.ParquetFile(storage.Reader(uri), buffer_size=_BUFFER_BYTES) as file:
            names = unique_names(file.schema_arrow.names)
            check_names(path, names)
            return _read(path, file, names, room)
    except (OSError, *_BAD_VALUE) as error:
        raise BadTable(f"{path}: it cannot be read as Parquet: {error}") from error


def _read(path: str, file: pq.ParquetFile, names: list[str], room: Room) -> TableFile:
    faults = Faults()
    batches: list[pa.RecordBatch] = []
    rows: list[Rows] = [np.empty(0, np.int64)]
    start = good = 0
    for raw in file.iter_batches(_batch_rows(file.metadata)):
        texts = _Texts([to_texts(column) for column in raw.columns], names)
        numbers = np.arange(start, start := start + raw.num_rows)
        faults.add_rows(texts.faults(numbers))
        batch, kept, long = drop_long(*texts.good(numbers))
        faults.add_rows(long)
        faults.check(path, good := good + batch.num_rows)
        room.take_batch(path, batch)
        batches.append(batch)
        rows.append(kept)
    return TableFile(path, text_table(names, batches), np.concatenate(rows), faults, _places)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """As many rows as take some megabytes, by what the file says of itself."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    row_bytes = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=1)
    return max(min(_BATCH_ROWS, _BATCH_BYTES // max(row_bytes, 1)), 1)


def _places(rows: Rows) -> Rows:
    return rows + 1


@dataclass
class Column:
    """The texts of a column, and for each row whose value has none the reason and a sentence."""

    texts: pa.Array
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Texts:
    """A batch of columns as text."""

    columns: list[Column]
    names: list[str]

    def faults(self, rows: Rows) -> list[Fault]:
        """One for each row with a bad value, the first of them."""
        found: dict[int, Fault] = {}
        for name, column in zip(self.names, self.columns, strict=True):
            for row, (reason, words) in column.bad.items():
                found.setdefault(row, Fault(int(rows[row]), reason, f"the value in {name!r} {words}"))
        return list(found.values())

    def good(self, rows: Rows) -> tuple[pa.RecordBatch, Rows]:
        """The other rows, with their numbers."""
        batch = pa.RecordBatch.from_arrays([column.texts for column in self.columns], self.names)
        bad = {row for column in self.columns for row in column.bad}
        if not bad:
            return batch, rows
        kept = np.delete(np.arange(len(rows)), sorted(bad))
        return batch.take(pa.array(kept)), rows[kept]


def to_texts(column: pa.Array) -> Column:
    """Values as text, and those that have none."""
    try:
        return Column(to_text(column))
    except _BAD_VALUE as error:
        if len(column) == 1:
            return Column(pa.nulls(1, pa.string()), {0: _describe(column.type, error)})
    half = len(column) // 2
    first, second = to_texts(column.slice(0, half)), to_texts(column.slice(half))
    bad = first.bad | {half + row: why for row, why in second.bad.items()}
    return Column(pa.concat_arrays([first.texts, second.texts]), bad)


def _describe(kind: pa.DataType, error: Exception) -> tuple[str, str]:
    if _is_text(kind) or isinstance(error, UnicodeDecodeError):
        return "unreadable_bytes", "holds bytes that are no text"
    return "unreadable_row", f"cannot be read as {kind}: {error}"


def to_text(column: pa.Array) -> pa.Array:
    """Values as text, null where there is none: NaN, and the empty text, are none.

    Raises one of several errors for a value that its type does not allow.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    for holds, convert in _CONVERSIONS:
        if holds(column.type):
            text = convert(column)
            return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return _as_json(column)


def _text(column: pa.Array) -> pa.Array:
    column.validate(full=True)  # nothing else looks whether the bytes are UTF-8
    return pc.cast(column, pa.string())


def _number(column: pa.Array) -> pa.Array:
    text = pc.cast(pc.if_else(pc.is_nan(column), None, column), pa.string())
    return pc.if_else(pc.equal(text, "-0"), "0", text)


def _time(column: pa.Array) -> pa.Array:
    if column.type.tz is not None:
        column = pc.cast(column, pa.timestamp(column.type.unit, "UTC"))
    text = pc.replace_substring(pc.cast(column, pa.string()), " ", "T", max_replacements=1)
    return pc.replace_substring_regex(text, r"\.0+(Z?)$", r"\1")


def _as_json(column: pa.Array) -> pa.Array:
    return pa.array([_value_as_json(value) for value in column.to_pylist()], pa.string())


def _value_as_json(value: Any) -> str | None:
    """JSON; what would be one JSON string (bytes as Base64, a UUID) as that string's text."""
    plain = msgspec.to_builtins(value, enc_hook=str)
    return plain if plain is None or isinstance(plain, str) else msgspec.json.encode(plain).decode()


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.string_view())


_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]], ...] = (
    (_is_text, _text),
    (pa.types.is_floating, _number),
    (pa.types.is_timestamp, _time),
)
