"""The current rows of a table, a batch at a time, and what tells whether they are still the same."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
from pyiceberg.table import Table

from pixlake.iceberg.existing import list_existing, stream_alive
from pixlake.schemas import TABLES

Load = Callable[[str], Table]
"""A table by its name, as it is now."""

Files = tuple[tuple[str, ...], ...]
"""Data files, each with those that take rows from it: they never change, so the same files hold the same rows."""


def read_rows(table: Table, name: str, experiment_id: str | None, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """These columns of the rows of one experiment, or of all."""
    return stream_alive(table, TABLES[name], experiment_id, columns)


def list_files(load: Load, names: Sequence[str], experiment_id: str | None) -> Files:
    """The files with an experiment's rows, from the tables' metadata alone; the same until a commit to them."""
    return tuple(
        sorted(file.paths for name in names for file in list_existing(load(name), TABLES[name], experiment_id))
    )
