"""Which rows of the table are records: those with an id, the first of each."""

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixlake.matching.pieces import trim

Rows = NDArray[np.int64]


def _no_rows() -> Rows:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Records:
    """`ids` in their order (that of their UTF-8 bytes) and the table's row of each. Left out are the rows of `empty`,
    and of `repeated`, whose ids the rows `firsts` have. The rows `merged` belong to the records of the rows `into`."""

    ids: pa.Array
    rows: Rows
    empty: Rows
    repeated: Rows
    firsts: Rows
    merged: Rows = field(default_factory=_no_rows)
    into: Rows = field(default_factory=_no_rows)

    def ranks(self, rows: int) -> Rows:
        """For each row of the table its record, -1 for none."""
        ranks = np.full(rows, -1, dtype=np.int64)
        ranks[self.rows] = np.arange(len(self.rows))
        ranks[self.merged] = ranks[self.into]
        return ranks

    def merge(self, chosen: NDArray[np.bool_]) -> "Records":
        """With those of the repeated rows that are `chosen` as further rows of their records."""
        rows, firsts = self.repeated, self.firsts
        return replace(self, repeated=rows[~chosen], firsts=firsts[~chosen], merged=rows[chosen], into=firsts[chosen])


def select_records(column: pa.Array) -> Records:
    """The records that an id column tells; ids are trimmed, and of rows with one id the first is the record."""
    ids = trim(column)
    filled = pc.fill_null(pc.not_equal(ids, ""), False).to_numpy(zero_copy_only=False)
    present, ids = np.flatnonzero(filled), _kept(ids, filled)
    order = pc.sort_indices(ids)  # stable, so the first row of an id comes first
    ids, rows = ids.take(order), present[order.to_numpy()]
    repeats = np.zeros(len(ids), dtype=bool)
    repeats[1:] = pc.equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    first = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(ids))))
    repeated, in_file = rows[repeats], np.argsort(rows[repeats])
    return Records(
        _kept(ids, ~repeats),
        rows[~repeats],
        np.flatnonzero(~filled),
        repeated[in_file],
        rows[first[repeats]][in_file],
    )


def _kept(ids: pa.Array, chosen: NDArray[np.bool_]) -> pa.Array:
    return ids if chosen.all() else ids.filter(pa.array(chosen))
