"""Rows from many sources as one sorted stream, without holding more of each than the batch being read.

First only the keys are read (`KeyIndex`), which decides the order of all rows. Then each source is read once, in step
with that order. Sources that do not overlap, as Split cuts them, are so read one after another, and copied nowhere.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.iceberg.keys import deciding_columns, encode_keys, rank_rows
from pixlake.iceberg.rows import BATCH_BYTES, Rows
from pixlake.schemas import TableSchema

READERS = 4
"""How many sources are read ahead of the one that is merged."""
_KEY_READERS = 16
_FIRST_CHUNK = 256  # the first chunk shows how large a row is
_CHUNK_ROWS = 8192


@dataclass(frozen=True)
class KeyIndex:
    """The keys and ranks of all rows of `sources`, one source after another. A row's number is its place here."""

    sources: tuple[Rows, ...]
    counts: tuple[int, ...]
    keys: pa.Array
    ranks: np.ndarray

    @cached_property
    def offsets(self) -> np.ndarray:
        """The number of each source's first row, and of the row after the last."""
        return np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])

    def keys_in(self, order: np.ndarray) -> pa.Array:
        """The keys of these rows."""
        if len(order) == len(self.keys) and is_increasing(self.keys):
            return self.keys
        return self.keys.take(pa.array(order))

    def order(self, alive: np.ndarray | None = None) -> np.ndarray:
        """Numbers of rows sorted by key, one row a key: the one of the greatest rank, of equal ranks the last.

        `alive` marks the rows that take part.
        """
        numbers = np.arange(len(self.keys)) if alive is None else np.flatnonzero(alive)
        keys = self.keys if alive is None else self.keys.take(pa.array(numbers))
        if is_increasing(keys):
            return numbers
        table = pa.table({"key": keys, "rank": self.ranks[numbers]})
        ascending = pc.sort_indices(table, [("key", "ascending"), ("rank", "ascending")])
        keys = keys.take(ascending)
        last = np.ones(len(keys), bool)
        last[:-1] = pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
        winners: np.ndarray = numbers[ascending.to_numpy()[last]]
        return winners


EMPTY_INDEX = KeyIndex((), (), pa.array([], pa.large_string()), np.empty(0, np.int64))


def index_keys(sources: Sequence[Rows], table: TableSchema) -> KeyIndex:
    """Read the deciding columns of all sources, several at a time; they are numbered by their first keys."""
    with ThreadPoolExecutor(_KEY_READERS) as pool:
        read = list(pool.map(lambda source: _read_keys(source, table), sources))
    read.sort(key=lambda found: found.first)
    return KeyIndex(
        tuple(found.source for found in read),
        tuple(sum(map(len, found.keys)) for found in read),
        pa.concat_arrays([EMPTY_INDEX.keys, *(keys for found in read for keys in found.keys)]),
        np.concatenate([EMPTY_INDEX.ranks, *(ranks for found in read for ranks in found.ranks)]),
    )


def join_indexes(first: KeyIndex, second: KeyIndex) -> KeyIndex:
    """Both, the second's rows numbered after the first's."""
    return KeyIndex(
        first.sources + second.sources,
        first.counts + second.counts,
        pa.concat_arrays([first.keys, second.keys]),
        np.concatenate([first.ranks, second.ranks]),
    )


def is_increasing(keys: pa.Array) -> bool:
    """Whether each key is greater than the one before."""
    return len(keys) < 2 or bool(pc.all(pc.less(keys[:-1], keys[1:])).as_py())


def is_sorted(keys: pa.Array) -> bool:
    """Whether no key is less than the one before."""
    return len(keys) < 2 or bool(pc.all(pc.less_equal(keys[:-1], keys[1:])).as_py())


def merge_rows(index: KeyIndex, order: np.ndarray, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows that `order` numbers, in that order, as tables of some megabytes."""
    with ThreadPoolExecutor(READERS) as pool:
        cursors = _open_cursors(index, order, columns, pool)
        start = 0
        size = _FIRST_CHUNK
        while start < len(order):
            chunk = _gather(index, cursors, order[start : start + size])
            start += size
            size = max(1, min(_CHUNK_ROWS, 2 * BATCH_BYTES * chunk.num_rows // max(chunk.nbytes, 1)))
            yield chunk


@dataclass(frozen=True)
class _Found:
    """What was read of one source."""

    source: Rows
    keys: list[pa.Array]
    ranks: list[np.ndarray]

    @property
    def first(self) -> str:
        return str(self.keys[0][0].as_py()) if self.keys else ""


def _read_keys(source: Rows, table: TableSchema) -> _Found:
    found = _Found(source, [], [])
    for batch in source.batches(deciding_columns(table)):
        found.keys.append(encode_keys(batch, table))
        found.ranks.append(rank_rows(batch, table))
    return found


class _Cursor:
    """A reader of one source that is asked for rows further and further on, and reads a batch ahead."""

    def __init__(self, source: Rows, columns: Sequence[str], wanted: int, ordered: bool, pool: ThreadPoolExecutor):
        self._batches = source.batches(columns) if ordered else _whole(source, columns)
        self._pool = pool
        self._wanted = wanted
        self._ahead: Future[pa.RecordBatch | None] | None = None
        self._batch: pa.RecordBatch | None = None
        self._begin = self._end = 0

    def start(self) -> None:
        """Begin to read in the background."""
        if self._ahead is None and self._wanted:
            self._ahead = self._pool.submit(next, self._batches, None)

    def take(self, rows: np.ndarray) -> list[pa.RecordBatch]:
        """These rows of the source, given by ascending position."""
        self._wanted -= len(rows)
        taken = []
        while len(rows):
            if rows[0] >= self._end:
                self._advance()
                continue
            inside = int(np.searchsorted(rows, self._end))
            taken.append(_select(self._batch, rows[:inside] - self._begin))
            rows = rows[inside:]
        if not self._wanted:
            self._batch = self._ahead = None
        return taken

    def _advance(self) -> None:
        self.start()
        assert self._ahead is not None
        self._batch = self._ahead.result()
        if self._batch is None:
            raise EOFError("a source has fewer rows than when its keys were read")
        self._begin, self._end = self._end, self._end + self._batch.num_rows
        self._ahead = self._pool.submit(next, self._batches, None)


def _whole(source: Rows, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """All rows as one batch, for a source that is not sorted by key: rows are then wanted in any order."""
    yield from pa.Table.from_batches(list(source.batches(columns))).combine_chunks().to_batches()


def _open_cursors(
    index: KeyIndex, order: np.ndarray, columns: Sequence[str], pool: ThreadPoolExecutor
) -> list[_Cursor]:
    sources = np.searchsorted(index.offsets, order, side="right") - 1
    wanted = np.bincount(sources, minlength=len(index.sources))
    cursors = []
    for source, rows in enumerate(index.sources):
        begin, end = index.offsets[source], index.offsets[source + 1]
        ordered = is_sorted(index.keys[begin:end])
        cursors.append(_Cursor(rows, columns, int(wanted[source]), ordered, pool))
    return cursors


def _gather(index: KeyIndex, cursors: list[_Cursor], numbers: np.ndarray) -> pa.Table:
    ascending = np.sort(numbers)
    bounds = np.searchsorted(ascending, index.offsets)
    taken = []
    for source in np.flatnonzero(np.diff(bounds)):
        for following in cursors[source : source + READERS]:
            following.start()
        taken += cursors[source].take(ascending[bounds[source] : bounds[source + 1]] - index.offsets[source])
    table = pa.Table.from_batches(taken)
    if np.array_equal(ascending, numbers):
        return table
    return table.combine_chunks().take(pa.array(np.searchsorted(ascending, numbers)))


def _select(batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    if rows[-1] - rows[0] + 1 == len(rows):
        return batch.slice(rows[0], len(rows))
    return batch.take(pa.array(rows))
