"""A Parquet table, its values as text."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pixlake import storage
from pixlake.errors import BadTable
from pixlake.tables.tablefile import Rows, TableFile, check_size, text_table, unique_names

_BATCH_ROWS = 50_000


def read_parquet(path: str, uri: str) -> TableFile:
    """The table at `uri`, which lies at `path` in the upload; BadTable if it is no Parquet."""
    try:
        with pq.ParquetFile(storage.Reader(uri)) as file:
            names = unique_names(file.schema_arrow.names)
            check_size(path, file.metadata.num_rows, len(names))
            batches = [_text_batch(batch, names) for batch in file.iter_batches(_BATCH_ROWS)]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadTable(f"{path}: it cannot be read as Parquet: {error}") from error
    columns = text_table(names, batches)
    return TableFile(path, columns, np.arange(columns.num_rows, dtype=np.int64), [], _places)


def _places(rows: Rows) -> Rows:
    return rows + 1


def _text_batch(batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([to_text(column) for column in batch.columns], names)


def to_text(column: pa.Array) -> pa.Array:
    """Values as text, null where there is none: NaN, and the empty text, are none."""
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
