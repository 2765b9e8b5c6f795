"""One table file, read: its columns as text, and what of it could not be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixlake.tables.faults import Faults

# A table's row numbers count its rows from 0, whether they could be read or not; a place is what a person looks for.
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TableFile:
    """`columns` are all strings, null where there is no value; `rows` are their row numbers in the file.

    `places` turns row numbers into what an editor shows: for text the line on which the row begins (the header is on
    line 1), for Parquet the row counted from 1. `warnings` say what of the reading is a guess.
    """

    path: str
    columns: pa.Table
    rows: Rows
    faults: Faults
    places: Callable[[Rows], Rows]
    warnings: tuple[str, ...] = ()

    def warned(self, *warnings: str) -> "TableFile":
        """This table with what of `warnings` is not empty."""
        return replace(self, warnings=(*self.warnings, *filter(None, warnings)))

    def has(self, name: str) -> bool:
        """Whether it has this column, looked up; a list of all names would be made for each."""
        return bool(self.columns.schema.get_field_index(name) >= 0)


def unique_names(names: Sequence[str]) -> list[str]:
    """Column names, trimmed; an empty one is named by its position, one that is taken gets a number."""
    trimmed = [name.strip() or f"column_{position}" for position, name in enumerate(names, 1)]
    reserved, taken = set(trimmed), set[str]()
    numbers: dict[str, int] = {}
    result = []
    for name in trimmed:
        candidate = name
        while candidate in taken or (candidate != name and candidate in reserved):
            numbers[name] = numbers.get(name, 1) + 1
            candidate = f"{name}_{numbers[name]}"
        taken.add(candidate)
        result.append(candidate)
    return result


def text_table(names: Sequence[str], batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Batches of text columns under `names`, and a table of no rows where there are none."""
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.Table.from_batches(batches, schema)
