"""A table in an Excel workbook, read by a process of its own (`sheets`): the reader has no limits."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO

import msgspec
import numpy as np
import pyarrow as pa

from pixlake import storage
from pixlake.errors import BadTable
from pixlake.rejects import Reject, Stage
from pixlake.tables import sheets
from pixlake.tables.faults import Faults
from pixlake.tables.headers import explain_nameless, explain_numbers, explain_row, is_row
from pixlake.tables.jsonlines import bounded_lines
from pixlake.tables.room import MAX_ROW_BYTES, Room, check_names, drop_long, too_long
from pixlake.tables.spans import Merged, count_rows, explain_span, join_names
from pixlake.tables.tablefile import Rows, TableFile, text_table, unique_names

MAX_BYTES = 256 << 20
SECONDS = 120
"""Of a core, for one workbook."""
_BATCH_ROWS, _BATCH_BYTES = 10_000, 4 << 20
_HEADER_ROWS = 20  # among which the header is looked for
_KEPT = ("LD_LIBRARY_PATH", "PYTHONHOME")  # what Python may need to start
_ADVICE = "save it as CSV"
_OF = "!"  # between a workbook and its sheet, as in a reference to a cell

Cells = list[str | None]


@dataclass(frozen=True)
class Workbook:
    """The sheets that make one table, and the others."""

    files: list[TableFile]
    left_out: list[Reject]


class _Note(msgspec.Struct, forbid_unknown_fields=True):
    """What the process says beside rows."""

    error: str = ""
    merged: tuple[Merged, ...] = ()
    rounded: tuple[int, ...] = ()


class _Sheet:
    """A sheet's rows as they come, and what is said of them before the first and behind the last."""

    def __init__(self, found: Iterable["_Row | _Note"]) -> None:
        self.merged: tuple[Merged, ...] = ()
        self.rounded: tuple[int, ...] = ()
        self._found = found

    def __iter__(self) -> Iterator["_Row"]:
        for each in self._found:
            if isinstance(each, _Note):
                self.merged, self.rounded = self.merged or each.merged, each.rounded
            else:
                yield each


@dataclass(frozen=True)
class _Row:
    """A row's number from 0 and its cells; none where it is too long."""

    number: int
    cells: Cells | None
    length: int


def read_workbook(path: str, uri: str, room: Room) -> Workbook:
    """The workbook at `uri`, which lies at `path` in the upload; BadTable if it cannot be read, or not within `room`.

    The table is the first sheet with at least half as many columns as the widest, and all those whose columns are
    mostly the same. Hidden sheets are not looked at.
    """
    with TemporaryFile() as copy:
        _copy(path, uri, copy)
        with _started(copy, room.limit) as (process, output):
            found = list(_read_sheets(path, output, room))
            _check_end(path, process.wait(), room.limit)
    if not found:
        raise BadTable(f"{path}: no visible sheet has a row of column names")
    return _sort_out(path, found)


def _copy(path: str, uri: str, target: IO[bytes]) -> None:
    for chunk in storage.stream(uri):
        target.write(chunk)
        if target.tell() > MAX_BYTES:
            raise BadTable(f"{path}: a workbook of more than {MAX_BYTES:,} bytes; {_ADVICE}")
    target.seek(0)


@contextmanager
def _started(book: IO[bytes], memory: int) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
    """The process that reads a workbook, and what it writes."""
    paths = [path for path in sys.path if path]
    program = f"import sys; sys.path[:] = {paths!r}; from {sheets.__name__} import main; main({memory}, {SECONDS})"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program],
        stdin=book,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
    )
    assert process.stdout is not None
    try:
        with process.stdout as output:
            yield process, output
    finally:
        process.kill()
        process.wait()


def _check_end(path: str, code: int, memory: int) -> None:
    if code == -signal.SIGXCPU:
        raise BadTable(f"{path}: reading it takes more than {SECONDS} seconds of a core; {_ADVICE}")
    if code < 0:
        raise BadTable(
            f"{path}: reading it takes more than {memory:,} bytes of memory, for which the whole rectangle counts that"
            f" its cells span; delete what stands far from the table, or {_ADVICE}"
        )
    if code:
        raise BadTable(f"{path}: it ends the process that reads it, with {code}; {_ADVICE}")


def _read_sheets(path: str, output: IO[bytes], room: Room) -> Iterator[TableFile]:
    """The sheets that have a header, each at a path of its own."""
    for name, pairs in groupby(_read_rows(path, output), key=itemgetter(0)):
        sheet = _Sheet(each for _, each in pairs)
        rows = iter(sheet)
        first = list(islice(rows, _HEADER_ROWS))
        header = _find_header(first)
        if header is not None:
            table, names = _read_sheet(f"{path}{_OF}{name}", first[header:], rows, sheet.merged, room)
            yield table.warned(_explain_rounded(table.path, [names[place] for place in sheet.rounded]))


def _explain_rounded(path: str, names: Sequence[str]) -> str:
    """The warning where numbers are longer than a workbook keeps them; empty where none is."""
    if not names:
        return ""
    return (
        f"{path}: {', '.join(map(repr, names))} has numbers of 16 digits and more, of which a workbook keeps 15: the"
        " others are zeros or rounded. Make the column text, and enter them again"
    )


def _read_rows(path: str, output: IO[bytes]) -> Iterator[tuple[str, _Row | _Note]]:
    """The rows, and what is said beside them, each with its sheet's name."""
    decoder = msgspec.json.Decoder(str | list[int | str | None] | _Note)
    sheet = ""
    for line in bounded_lines(output):
        if len(line) > MAX_ROW_BYTES:
            yield sheet, _Row(int(line[1:20].partition(b",")[0]), None, len(line))
            continue
        match decoder.decode(line):
            case str() as sheet:
                pass
            case _Note() as note:
                if note.error:
                    raise BadTable(f"{path}: {note.error}")
                yield sheet, note
            case [number, *cells]:
                yield sheet, _Row(number, cells, len(line))


def _find_header(rows: Sequence[_Row]) -> int | None:
    """The first row that is no title: one value alone, at the left or above three columns and more, is one."""
    counts = [sum(cell is not None for cell in row.cells or ()) for row in rows]
    widest = max(counts, default=0)
    for position, (row, count) in enumerate(zip(rows, counts, strict=True)):
        title = count == 1 < widest and (widest > 2 or row.cells[0] is not None)  # type: ignore[index]
        if count and not title:
            return position
    return None


def _read_sheet(
    path: str, first: Sequence[_Row], rest: Iterable[_Row], merged: Sequence[Merged], room: Room
) -> tuple[TableFile, list[str]]:
    """The table that `first` and `rest` are, its header on top, and the name of each column of the sheet."""
    top = [row.cells or [None] * len(first[0].cells or ()) for row in first]
    if is_row(top[0], top[1:]):
        names = unique_names([""] * len(top[0]))
        table = _read_table(path, names, chain(first, rest), room)
        return table.warned(explain_row(path, top[0], names)), names
    start = first[0].number
    within = [(up - start, left, down - start, right) for up, left, down, right in merged if up >= start]
    count = count_rows(top, within)
    header = join_names(top[:count], within)
    names = unique_names(header)
    table = _read_table(path, names, chain(first[count:], rest), room)
    empty = [
        name
        for name, cell in zip(names, header, strict=True)
        if not cell and table.columns[name].null_count == len(table.rows)
    ]
    table = replace(table, columns=table.columns.drop_columns(empty))
    return table.warned(
        explain_span(path, count, names),
        explain_numbers(path, header),
        explain_nameless(path, header, names, table.columns),
    ), names


def _read_table(path: str, names: list[str], rows: Iterable[_Row], room: Room) -> TableFile:
    check_names(path, names)
    faults = Faults()
    numbers: list[Rows] = [np.empty(0, np.int64)]
    batches: list[pa.RecordBatch] = []
    for some in _batches(rows, faults):
        columns = zip(*(row.cells for row in some), strict=True)
        batch = pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], names)
        batch, kept, long = drop_long(batch, np.array([row.number for row in some], np.int64))
        faults.add_rows(long)
        room.take_batch(path, batch)
        batches.append(batch)
        numbers.append(kept)
    return TableFile(path, text_table(names, batches), np.concatenate(numbers), faults, _places)


def _batches(rows: Iterable[_Row], faults: Faults) -> Iterator[list[_Row]]:
    some: list[_Row] = []
    size = 0
    for row in rows:
        if row.cells is None:
            faults.add_rows([too_long(row.number)])
            continue
        some.append(row)
        size += row.length
        if len(some) == _BATCH_ROWS or size > _BATCH_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _places(rows: Rows) -> Rows:
    return rows + 1


def _sort_out(path: str, found: Sequence[TableFile]) -> Workbook:
    found = [file for file in found if file.columns.num_rows or file.faults.count] or found[:1]
    widest = max(file.columns.num_columns for file in found)
    main = next(file for file in found if 2 * file.columns.num_columns >= widest)
    files = [file for file in found if _is_like(file, main)]
    left_out = [
        Reject(
            file.path,
            Stage.SPLIT,
            "other_sheet",
            f"the sheet {file.path.removeprefix(path + _OF)!r} has other columns than"
            f" {main.path.removeprefix(path + _OF)!r}, which was read; save it as a file of its own if its rows are"
            " records",
        )
        for file in found
        if not _is_like(file, main)
    ]
    return Workbook(files if len(files) > 1 else [replace(main, path=path)], left_out)


def _is_like(file: TableFile, main: TableFile) -> bool:
    """Whether most columns of a sheet are the main one's, too."""
    names = file.columns.column_names
    return 2 * len(set(names) & set(main.columns.column_names)) > len(names)
