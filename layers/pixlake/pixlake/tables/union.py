"""The upload's table files, read by their kind and laid one under the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from pixlake import storage
from pixlake.errors import BadTable
from pixlake.formats import extension
from pixlake.lake import Work
from pixlake.rejects import Reject, Stage
from pixlake.tables.csvfile import read_csv
from pixlake.tables.jsonlines import read_json_lines
from pixlake.tables.parquetfile import read_parquet
from pixlake.tables.tablefile import Rows, TableFile, check_size
from pixlake.tables.text import open_text_file


@dataclass(frozen=True)
class Tables:
    """The rows of several files as one table with the columns of all; each file's `columns` are a slice of it."""

    files: Sequence[TableFile]
    columns: pa.Table

    def with_column(self, name: str) -> "Tables":
        """Only the files that have this column."""
        if all(name in file.columns.column_names for file in self.files):
            return self
        return lay_together([file for file in self.files if name in file.columns.column_names])

    def rows_with(self, name: str) -> int:
        """The rows of the files that have this column."""
        return sum(file.columns.num_rows for file in self.files if name in file.columns.column_names)

    def places(self, rows: Rows) -> list[str]:
        """Where rows of `columns` come from, as `pets.csv:17`."""
        starts = np.cumsum([0, *(file.columns.num_rows for file in self.files)])
        places = np.empty(len(rows), dtype=object)
        for file, start, stop in zip(self.files, starts, starts[1:], strict=False):
            here = np.flatnonzero((rows >= start) & (rows < stop))
            if len(here):
                numbers = file.places(file.rows[rows[here] - start])
                places[here] = [f"{file.path}:{number}" for number in numbers]
        return list(places)

    def faults(self) -> Iterator[Reject]:
        """The rows that could not be read."""
        for file in self.files:
            places = file.places(np.array([fault.row for fault in file.faults], dtype=np.int64)) if file.faults else ()
            for fault, place in zip(file.faults, places, strict=True):
                yield Reject(f"{file.path}:{place}", Stage.SPLIT, fault.reason, fault.detail)


def read_tables(work: Work) -> tuple[Tables, list[Reject]]:
    """The table files, those of most columns first, and a reject for each of which nothing can be read.

    The order matters where files have rows of one id: the first row stays, and a wide table says more than a list
    of answers to be handed in.

    Raises BadTable if that is all of them.
    """
    files: list[TableFile] = []
    rejects: list[Reject] = []
    for uri in sorted(info.uri for info in storage.list_objects(work.tables)):
        path = unquote(uri.removeprefix(work.tables + "/"))
        try:
            files.append(_read(path, uri))
        except BadTable as error:
            rejects.append(Reject(path, Stage.SPLIT, "unreadable_table", str(error)))
    if rejects and not files:
        raise BadTable("; ".join(reject.detail for reject in rejects))
    return lay_together(sorted(files, key=lambda file: (-file.columns.num_columns, file.path))), rejects


def lay_together(files: Sequence[TableFile]) -> Tables:
    """One table of all files, each column in one piece; a column that a file lacks is null in its rows."""
    if not files:
        return Tables((), pa.table({}))
    names = {name for file in files for name in file.columns.column_names}
    check_size("the tables together", sum(file.columns.num_rows for file in files), len(names))
    union = pa.concat_tables([file.columns for file in files], promote_options="default").combine_chunks()
    slices = []
    start = 0
    for file in files:
        part = union.slice(start, file.columns.num_rows).select(file.columns.column_names)
        slices.append(replace(file, columns=part))
        start += part.num_rows
    return Tables(slices, union)


def _read(path: str, uri: str) -> TableFile:
    kind = extension(path)
    if kind == "parquet":
        file = read_parquet(path, uri)
    elif kind in ("jsonl", "ndjson"):
        file = read_json_lines(path, open_text_file(uri))
    else:
        file = read_csv(path, open_text_file(uri))
    if file.faults and not len(file.rows):
        first = file.faults[0]
        place = file.places(np.array([first.row]))[0]
        raise BadTable(f"{path}: none of its {len(file.faults):,} rows can be read; line {place}: {first.detail}")
    return file
