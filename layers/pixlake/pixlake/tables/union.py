"""The upload's table files, read by their kind and laid one under the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixlake import storage
from pixlake.errors import BadTable
from pixlake.formats import extension
from pixlake.lake import Work
from pixlake.rejects import Reject, Stage
from pixlake.tables.csvfile import read_csv
from pixlake.tables.jsonarray import NoTable, read_json
from pixlake.tables.jsonlines import read_json_lines
from pixlake.tables.parquetfile import PARQUET, ParquetTables
from pixlake.tables.room import TABLE_MEMORY, Room, text_bytes
from pixlake.tables.tablefile import Rows, TableFile
from pixlake.tables.text import open_text_file
from pixlake.tables.workbook import Workbook, Workbooks

UNREADABLE_TABLE = "unreadable_table"


@dataclass(frozen=True)
class Tables:
    """The rows of several files as one table with the columns of all; each file's `columns` are a slice of it."""

    files: Sequence[TableFile]
    columns: pa.Table

    def with_column(self, name: str) -> "Tables":
        """Only the files that have this column."""
        if all(file.has(name) for file in self.files):
            return self
        return lay_together([file for file in self.files if file.has(name)])

    def rows_with(self, name: str) -> int:
        """The rows of the files that have this column."""
        return sum(file.columns.num_rows for file in self.files if file.has(name))

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

    def first_of(self, rows: Rows, count: int) -> tuple[NDArray[np.bool_], dict[str, int]]:
        """Of rows in order, which are the first `count` of their file, and how many others each file has."""
        starts = np.cumsum([0, *(file.columns.num_rows for file in self.files)])
        first = np.zeros(len(rows), dtype=bool)
        more = {}
        ends = np.searchsorted(rows, starts)
        for file, begin, end in zip(self.files, ends, ends[1:], strict=False):
            first[begin : min(begin + count, end)] = True
            if end - begin > count:
                more[file.path] = int(end - begin) - count
        return first, more

    def faults(self) -> Iterator[Reject]:
        """The rows that could not be read: one by one, and of what is more than a few how many."""
        for file in self.files:
            first = file.faults.first
            places = file.places(np.array([fault.row for fault in first], dtype=np.int64)) if first else ()
            for fault, place in zip(first, places, strict=True):
                yield Reject(f"{file.path}:{place}", Stage.SPLIT, fault.reason, fault.detail)
            for reason, count in sorted(file.faults.more.items()):
                yield and_more(file.path, reason, count)


def and_more(path: str, reason: str, count: int) -> Reject:
    """One reject for rows that are not named one by one."""
    return Reject(path, Stage.SPLIT, reason, f"and {count:,} more rows")


def read_tables(
    work: Work, memory: int = TABLE_MEMORY, parquet: ParquetTables | None = None
) -> tuple[Tables, list[Reject]]:
    """The table files, those of most columns first, and a reject for each that cannot be read.

    The order matters where files have rows of one id: the first row stays, and a wide table says more than a list
    of answers to be handed in.

    The smaller are read first: of tables that take more than `memory` bytes together, the large ones are rejects.
    Raises BadTable if that is all of them.
    """
    files: list[TableFile] = []
    rejects: list[Reject] = []
    room = Room(memory)
    parquet, workbooks = parquet or ParquetTables(), Workbooks()
    listed = sorted((info.size, info.uri) for info in storage.list_objects(work.tables))
    if any(extension(uri) == PARQUET for _, uri in listed):
        parquet.start()
    for _, uri in listed:
        path = unquote(uri.removeprefix(work.tables + "/"))
        taken = room.taken
        try:
            found = _read(path, uri, room, parquet, workbooks)
        except NoTable as error:
            rejects.append(Reject(path, Stage.SPLIT, "unsupported_type", str(error)))
        except BadTable as error:
            room.taken = taken
            rejects.append(Reject(path, Stage.SPLIT, UNREADABLE_TABLE, str(error)))
        else:
            files += found.files
            rejects += found.left_out
    unreadable = [reject.detail for reject in rejects if reject.reason == UNREADABLE_TABLE]
    if unreadable and not files:
        raise BadTable("; ".join(unreadable))
    files, too_wide = _fitting(files, memory)
    rejects += too_wide
    files.sort(key=lambda file: (-file.columns.num_columns, file.path))
    rejects.sort(key=attrgetter("source"))
    return lay_together(files), rejects


def _fitting(files: Sequence[TableFile], memory: int) -> tuple[list[TableFile], list[Reject]]:
    """Those that fit into the memory with the cells that each lacks, and a reject for each other; those of most rows
    come first: a wide table costs all rows beside it."""
    kept: list[TableFile] = []
    rejects: list[Reject] = []
    for file in sorted(files, key=lambda file: -file.columns.num_rows):
        together = [*kept, file]
        names = {name for each in together for name in each.columns.column_names}
        rows, text = (sum(each) for each in zip(*map(_extent, together), strict=True))
        try:
            Room(memory).take(f"{file.path}, with the columns and rows of the others", rows, len(names), text)
            kept = together
        except BadTable as error:
            rejects.append(Reject(file.path, Stage.SPLIT, UNREADABLE_TABLE, str(error)))
    return kept, rejects


def _extent(file: TableFile) -> tuple[int, int]:
    """Rows, and bytes of text."""
    return file.columns.num_rows, text_bytes(file.columns)


def lay_together(files: Sequence[TableFile]) -> Tables:
    """One table of all files, each column in one piece; a column that a file lacks is null in its rows."""
    if not files:
        return Tables((), pa.table({}))
    union = pa.concat_tables([file.columns for file in files], promote_options="default").combine_chunks()
    slices = []
    start = 0
    for file in files:
        part = union.slice(start, file.columns.num_rows).select(file.columns.column_names)
        slices.append(replace(file, columns=part))
        start += part.num_rows
    return Tables(slices, union)


def _read(path: str, uri: str, room: Room, parquet: ParquetTables, workbooks: Workbooks) -> Workbook:
    """Its tables: one, or of a workbook one a sheet."""
    is_workbook = extension(path) in ("xlsx", "xlsm")
    found = workbooks.read(path, uri, room) if is_workbook else Workbook([_read_file(path, uri, room, parquet)], [])
    for file in found.files:
        _check_readable(file)
    return found


def _read_file(path: str, uri: str, room: Room, parquet: ParquetTables) -> TableFile:
    kind = extension(path)
    if kind == PARQUET:
        return parquet.read(path, uri, room)
    text = open_text_file(uri, path)
    if kind in ("jsonl", "ndjson"):
        return read_json_lines(path, text, room)
    return read_json(path, text, room) if kind == "json" else read_csv(path, text, room)


def _check_readable(file: TableFile) -> None:
    if file.faults.count and not len(file.rows):
        first = file.faults.first[0]
        place = file.places(np.array([first.row]))[0]
        raise BadTable(f"{file.path}: none of its {file.faults.count:,} rows can be read; line {place}: {first.detail}")
