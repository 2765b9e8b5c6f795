"""Which rows of the table are records: those with an id, the first of each."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Records:
    """`ids` in their order (that of their UTF-8 bytes) and the table's row of each. Left out are the rows of `empty`,
    and of `repeated`, whose ids the rows `firsts` have."""

    ids: pa.Array
    rows: Rows
    empty: Rows
    repeated: Rows
    firsts: Rows

    def ranks(self, rows: int) -> Rows:
        """For each row of the table its record, -1 for none."""
        ranks = np.full(rows, -1, dtype=np.int64)
        ranks[self.rows] = np.arange(len(self.rows))
        return ranks


def select_records(column: pa.Array) -> Records:
    """The records that an id column tells; ids are trimmed, and of rows with one id the first is the record."""
    ids = pc.utf8_trim_whitespace(column)
    filled = pc.fill_null(pc.not_equal(ids, ""), False).to_numpy(zero_copy_only=False)
    present, ids = np.flatnonzero(filled), ids.filter(pa.array(filled))
    order = pc.sort_indices(ids)  # stable, so the first row of an id comes first
    ids, rows = ids.take(order), present[order.to_numpy()]
    repeats = np.zeros(len(ids), dtype=bool)
    repeats[1:] = pc.equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    first = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(ids))))
    repeated, in_file = rows[repeats], np.argsort(rows[repeats])
    return Records(
        ids.filter(pa.array(~repeats)),
        rows[~repeats],
        np.flatnonzero(~filled),
        repeated[in_file],
        rows[first[repeats]][in_file],
    )
