"""A sheet's rows, as they come from the process that reads the workbook, as a table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import msgspec
import numpy as np
import pyarrow as pa

from pixlake.tables.faults import Faults
from pixlake.tables.headers import explain_nameless, explain_numbers, explain_row, is_row
from pixlake.tables.room import Room, check_names, drop_long, too_long
from pixlake.tables.spans import Merged, count_rows, explain_span, join_names
from pixlake.tables.tablefile import Rows, TableFile, text_table, unique_names

_BATCH_ROWS, _BATCH_BYTES = 10_000, 4 << 20
_HEADER_ROWS = 20  # among which the header is looked for

Cells = list[str | None]


class Note(msgspec.Struct, forbid_unknown_fields=True):
    """What the process says beside rows."""

    error: str = ""
    merged: tuple[Merged, ...] = ()
    rounded: tuple[int, ...] = ()


class Sheet:
    """A sheet's rows as they come, and what is said of them before the first and behind the last."""

    def __init__(self, found: Iterable["Row | Note"]) -> None:
        self.merged: tuple[Merged, ...] = ()
        self.rounded: tuple[int, ...] = ()
        self._found = found

    def __iter__(self) -> Iterator["Row"]:
        for each in self._found:
            if isinstance(each, Note):
                self.merged, self.rounded = self.merged or each.merged, each.rounded
            else:
                yield each


@dataclass(frozen=True)
class Row:
    """A row's number from 0 and its cells; none where it is too long."""

    number: int
    cells: Cells | None
    length: int


def read_sheet(path: str, sheet: Sheet, room: Room) -> TableFile | None:
    """The table at `path`; None without a header. BadTable if it is too large for `room`."""
    rows = iter(sheet)
    first = list(islice(rows, _HEADER_ROWS))
    header = _find_header(first)
    if header is None:
        return None
    table, names = _read_below(path, first[header:], rows, sheet.merged, room)
    return table.warned(_explain_rounded(path, [names[place] for place in sheet.rounded]))


def _explain_rounded(path: str, names: Sequence[str]) -> str:
    """The warning where numbers are longer than a workbook keeps them; empty where none is."""
    if not names:
        return ""
    return (
        f"{path}: {', '.join(map(repr, names))} has numbers of 16 digits and more, of which a workbook keeps 15: the"
        " others are zeros or rounded. Make the column text, and enter them again"
    )


def _find_header(rows: Sequence[Row]) -> int | None:
    """The first row that is no title: one value alone, at the left or above three columns and more, is one."""
    counts = [sum(cell is not None for cell in row.cells or ()) for row in rows]
    widest = max(counts, default=0)
    for position, (row, count) in enumerate(zip(rows, counts, strict=True)):
        title = count == 1 < widest and (widest > 2 or row.cells[0] is not None)  # type: ignore[index]
        if count and not title:
            return position
    return None


def _read_below(
    path: str, first: Sequence[Row], rest: Iterable[Row], merged: Sequence[Merged], room: Room
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


def _read_table(path: str, names: list[str], rows: Iterable[Row], room: Room) -> TableFile:
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


def _batches(rows: Iterable[Row], faults: Faults) -> Iterator[list[Row]]:
    some: list[Row] = []
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
