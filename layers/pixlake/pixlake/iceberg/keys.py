"""Keys and precedence of rows as plain columns, so that whole batches are compared at once.

A key of several columns, some of which may be null, becomes one text column that sorts and compares as the columns do:
column by column, null before every value. Text sorts by code point, which is the order of its UTF-8 bytes.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.schemas import TableSchema

PARTITION = "experiment_id"
_TEXT = pa.large_string()
_END = "\x00\x00"  # below every escaped character, so a shorter text sorts before a longer one that it starts
_PREFERENCES = 60  # from this bit on, what goes before the time; one `column=value` at most comes first
_TIME_OFFSET = 1 << 62  # makes every time positive and 19 digits long


def key_columns(table: TableSchema) -> list[str]:
    """The columns that tell rows of one partition apart."""
    return [name for name in table.key if name != PARTITION]


def deciding_columns(table: TableSchema) -> list[str]:
    """The columns that say which rows replace which: the key and the precedence."""
    ranked = [item.partition("=")[0] for item in table.precedence]
    return list(dict.fromkeys([*key_columns(table), *ranked]))


def encode_keys(rows: pa.RecordBatch, table: TableSchema) -> pa.Array:
    """One text a row. Equal texts are equal keys, and their order is the order of the keys."""
    texts = [_component(rows.column(name), table.columns.field(name)) for name in key_columns(table)]
    if len(texts) == 1:
        return texts[0]
    return pc.binary_join_element_wise(*texts, pa.scalar(_END, _TEXT))


def leading_value(key: str, table: TableSchema) -> str | None:
    """The first key column's value, which must be a text column, out of an encoded key."""
    text = key.partition(_END)[0]
    if table.columns.field(key_columns(table)[0]).nullable:
        if not text:
            return None
        text = text[1:]
    return text.replace("\x00\x01", "\x00")


def rank_rows(rows: pa.RecordBatch, table: TableSchema) -> np.ndarray:
    """One int64 a row; of two rows with one key the greater stays."""
    ranks = np.zeros(rows.num_rows, np.int64)
    for place, item in enumerate(table.precedence):
        name, equals, value = item.partition("=")
        if equals:
            matches = pc.fill_null(pc.equal(rows.column(name), value), False).to_numpy(zero_copy_only=False)
            ranks += matches.astype(np.int64) << (_PREFERENCES + 1 - place)
        else:
            ranks += rows.column(name).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return ranks


def uploaded_of(ranks: np.ndarray) -> np.ndarray:
    """When the rows of these ranks were uploaded, in microseconds since 1970."""
    uploaded: np.ndarray = ranks & ((1 << _PREFERENCES) - 1)
    return uploaded


def _component(column: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        column = pc.add(column.cast(pa.int64()), _TIME_OFFSET)
    text = column.cast(_TEXT)
    if pc.any(pc.match_substring(text, "\x00")).as_py():
        text = pc.replace_substring(text, "\x00", "\x00\x01")
    if field.nullable:
        some = pc.binary_join_element_wise(pa.scalar("\x01", _TEXT), text, pa.scalar("", _TEXT))
        text = pc.fill_null(some, "")
    return text
