"""One table file, read: its columns as text, and what of it could not be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# A table's row numbers count its rows from 0, whether they could be read or not; a place is what a person looks for.
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Fault:
    """A row that cannot be used; `reason` is a code, `detail` a sentence."""

    row: int
    reason: str
    detail: str


@dataclass(frozen=True)
class TableFile:
    """`columns` are all strings, null where there is no value; `rows` are their row numbers in the file.

    `places` turns row numbers into what an editor shows: for text the line on which the row begins (the header is on
    line 1), for Parquet the row counted from 1.
    """

    path: str
    columns: pa.Table
    rows: Rows
    faults: Sequence[Fault]
    places: Callable[[Rows], Rows]


def unique_names(names: Sequence[str]) -> list[str]:
    """Column names, trimmed; an empty one is named by its position, one that is taken gets a number."""
    result: list[str] = []
    taken = set(names)
    for position, raw in enumerate(names, 1):
        name = raw.strip() or f"column_{position}"
        candidate, number = name, 1
        while candidate in result or (number > 1 and candidate in taken):
            number += 1
            candidate = f"{name}_{number}"
        result.append(candidate)
    return result


def text_table(names: Sequence[str], batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Batches of text columns under `names`, and a table of no rows where there are none."""
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.Table.from_batches(batches, schema)
