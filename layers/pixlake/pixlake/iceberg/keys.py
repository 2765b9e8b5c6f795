"""Keys and precedence of rows as plain columns, so that whole batches are compared at once.

A key of several columns, some of which may be null, becomes one text column that sorts and compares as the columns do:
column by column, null before every value. Text sorts by code point, which is the order of its UTF-8 bytes.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.schemas import TableSchema

PARTITION = "experiment_id"
_TEXT = pa.large_string()
_PAIRS = pa.list_(pa.struct([("key", _TEXT), ("value", _TEXT)]))
_END = "\x00\x00"  # below every escaped character, so a shorter text sorts before a longer one that it starts
_PREFERENCES = 60  # from this bit on, what goes before the time; one `column=value` at most comes first
_TIME_OFFSET = 1 << 62  # makes every time positive and 19 digits long


def key_columns(table: TableSchema) -> list[str]:
    """The columns that tell rows of one partition apart."""
    return [name for name in table.key if name != PARTITION]


def deciding_columns(table: TableSchema) -> list[str]:
    """The columns that say which rows replace which: the key and the precedence."""
    ranked = [re.split("[>=]", item)[0] for item in table.precedence]
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
            least = name.endswith(">")
            column = rows.column(name.removesuffix(">"))
            found = pc.greater_equal(column, int(value)) if least else pc.equal(column, value)
            matches = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
            ranks += matches.astype(np.int64) << (_PREFERENCES + 1 - place)
        else:
            ranks += rows.column(name).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return ranks


def digest_rows(rows: pa.RecordBatch, table: TableSchema) -> np.ndarray:
    """One int64 a row: rows with equal `content` have equal ones, in this process."""
    texts = [_marked(_as_text(rows.column(name))) for name in table.content]
    if not texts:
        return np.zeros(rows.num_rows, np.int64)
    joined = pc.binary_join_element_wise(*texts, pa.scalar(_END, _TEXT))
    return np.fromiter(map(hash, joined.to_pylist()), np.int64, rows.num_rows)


def uploaded_of(ranks: np.ndarray) -> np.ndarray:
    """When the rows of these ranks were uploaded, in microseconds since 1970."""
    uploaded: np.ndarray = ranks & ((1 << _PREFERENCES) - 1)
    return uploaded


def is_preferred(ranks: np.ndarray) -> np.ndarray:
    """Whether the rows of these ranks go before others whatever their time."""
    return ranks >> _PREFERENCES > 0


def _component(column: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        column = pc.add(column.cast(pa.int64()), _TIME_OFFSET)
    text = _escaped(column.cast(_TEXT))
    return _marked(text) if field.nullable else text


def _escaped(text: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring(text, "\x00")).as_py():
        return pc.replace_substring(text, "\x00", "\x00\x01")
    return text


def _marked(text: pa.Array) -> pa.Array:
    """Null as the empty text, and every text told apart from it."""
    return pc.fill_null(pc.binary_join_element_wise(pa.scalar("\x01", _TEXT), text, pa.scalar("", _TEXT)), "")


def _as_text(column: pa.Array) -> pa.Array:
    """A text for each value; a map's is the same in whatever order its entries are."""
    if not pa.types.is_map(column.type):
        return _escaped(column.cast(_TEXT))
    pairs = column.cast(_PAIRS)
    rows, entries = pc.list_parent_indices(pairs).to_numpy(), pc.list_flatten(pairs)
    names, values = (_escaped(pc.struct_field(entries, name)) for name in ("key", "value"))
    texts = pc.binary_join_element_wise(names, _marked(values), pa.scalar(_END, _TEXT))
    names = names.dictionary_encode()
    ranks = pc.rank(names.dictionary).to_numpy()[names.indices.to_numpy()]
    offsets = pa.array(np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(column))))))
    ordered = texts.take(pa.array(np.argsort(rows * len(names.dictionary) + ranks, kind="stable")))
    return pc.binary_join(pa.LargeListArray.from_arrays(offsets, ordered), pa.scalar(_END, _TEXT))
