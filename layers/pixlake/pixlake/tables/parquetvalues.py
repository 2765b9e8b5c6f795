"""A Parquet column's values as text."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.tables.faults import Fault
from pixlake.tables.jsonlines import to_json
from pixlake.tables.tablefile import Rows

BAD_VALUE = (pa.ArrowException, ArithmeticError, ValueError, TypeError, RecursionError)
"""What pyarrow and msgspec raise for a value that its type does not allow, or that Python cannot hold."""


@dataclass
class Column:
    """The texts of a column, and for each row whose value has none the reason and a sentence."""

    texts: pa.Array
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Texts:
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
    except BAD_VALUE as error:
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
    text = pc.replace_substring_regex(text, "^(-?)inf$", r"\1Infinity")  # as Athena casts it
    return pc.if_else(pc.equal(text, "-0"), "0", text)


def _time(column: pa.Array) -> pa.Array:
    if column.type.tz is not None:
        column = pc.cast(column, pa.timestamp(column.type.unit, "UTC"))
    text = pc.replace_substring(pc.cast(column, pa.string()), " ", "T", max_replacements=1)
    return pc.replace_substring_regex(text, r"\.0+(Z?)$", r"\1")


def _as_json(column: pa.Array) -> pa.Array:
    """Times in UTC, as those that are not nested: their zone's rules would be another file to read."""
    with suppress(pa.ArrowNotImplementedError):
        column = pc.cast(column, _in_utc(column.type))
    return pa.array([_value_as_json(value) for value in column.to_pylist()], pa.string())


def _in_utc(kind: pa.DataType) -> pa.DataType:
    """A type with every zone of a time replaced."""
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_list(kind):
        return pa.list_(_field_in_utc(kind.value_field))
    if pa.types.is_struct(kind):
        return pa.struct([_field_in_utc(each) for each in kind])
    if pa.types.is_map(kind):
        return pa.map_(_in_utc(kind.key_type), _in_utc(kind.item_type))
    return kind


def _field_in_utc(each: pa.Field) -> pa.Field:
    return each.with_type(_in_utc(each.type))


def _value_as_json(value: Any) -> str | None:
    """JSON; what would be one JSON string (bytes as Base64, a UUID) as that string's text."""
    plain = msgspec.to_builtins(value, enc_hook=str)
    return plain if plain is None or isinstance(plain, str) else to_json(plain)


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.string_view())


_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]], ...] = (
    (_is_text, _text),
    (pa.types.is_floating, _number),
    (pa.types.is_timestamp, _time),
)
