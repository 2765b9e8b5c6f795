"""A column of texts as a whole or in pieces, without the copies that Arrow would make of all of it."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

_PIECE_ROWS, _PIECE_BYTES = 100_000, 32 << 20
# Up to so many rows and bytes Arrow counts by hashing, sooner and in up to 20 times the memory.
_HASHED_ROWS, _HASHED_BYTES = 1_000_000, 32 << 20


def whole(column: pa.ChunkedArray) -> pa.Array:
    """In one piece, which a table's columns mostly are; texts stay below the 2 GiB that it may have."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def pieces(column: pa.Array | pa.ChunkedArray) -> Iterator[pa.Array]:
    """The column, some rows at a time."""
    rows = _rows(column)
    for start in range(0, len(column), rows):
        some = column.slice(start, rows)
        yield whole(some) if isinstance(some, pa.ChunkedArray) else some


def count_distinct(column: pa.ChunkedArray) -> int:
    """How many different values there are, null not counted."""
    if len(column) <= _HASHED_ROWS and column.nbytes <= _HASHED_BYTES:
        return int(pc.count_distinct(column).as_py())
    texts = whole(column)
    # nulls are the last
    order = pc.sort_indices(texts).slice(0, len(texts) - texts.null_count)
    differing = min(len(order), 1)
    for start in range(0, len(order) - 1, step := _rows(texts)):
        some = texts.take(order.slice(start, step + 1))
        differing += pc.sum(pc.not_equal(some[1:], some[:-1])).as_py() or 0
    return int(differing)


def trim(texts: pa.Array) -> pa.Array:
    """Without white space at their ends; the same array where there is none."""
    if not any(
        pc.any(pc.match_substring_regex(some, r"^[\x00-\x20]|[\x00-\x20]$|[^\x00-\x7f]")).as_py()
        for some in pieces(texts)
    ):
        return texts
    return pc.utf8_trim_whitespace(texts)


def _rows(column: pa.Array | pa.ChunkedArray) -> int:
    """Of a piece."""
    return max(1, min(_PIECE_ROWS, _PIECE_BYTES * len(column) // max(int(column.nbytes), 1)))
