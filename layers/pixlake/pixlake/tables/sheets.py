"""A workbook's sheets as text, in a process that has nothing but the workbook; `workbook` starts it.

The reader lays out the rectangle that a sheet's cells span, and two cells far apart span half a terabyte. That ends
this process alone: its memory and its time are limited, it can only compute, and no secret is in it.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from python_calamine import (
    CalamineError,
    CalamineSheet,
    SheetTypeEnum,
    SheetVisibleEnum,
    load_workbook,
)

from pixlake.confined.confinement import confine

Cell = int | float | str | bool | time | date | datetime | timedelta

# Larger whole numbers have an exponent.
_WRITTEN_OUT = 1e21
_KEPT = 1e15  # a spreadsheet program keeps 15 digits of a number
_HEADER_ROWS, _MERGED = 64, 4_096


def main(memory: int, seconds: int) -> None:
    """Write the sheets of the workbook on standard input to standard output, within so many bytes of memory and seconds
    of a core.

    Each line is JSON: a sheet's name; an object with its `merged` cells, by row and column from 0; each of its rows as
    a list, the row's number from 0 before its cells; an object with the columns whose numbers are `rounded`. Or, the
    last of all, an object with an `error`.
    """
    _limit(memory, seconds)
    try:
        with load_workbook(sys.stdin.buffer) as book:
            for sheet in book.sheets_metadata:
                if sheet.typ is SheetTypeEnum.WorkSheet and sheet.visible is SheetVisibleEnum.Visible:
                    _write(sheet.name, book.get_sheet_by_name(sheet.name))
    except CalamineError as error:
        _put({"error": f"it cannot be read as a workbook: {error}"})
    except MemoryError:
        os.abort()  # as the reader itself does
    sys.stdout.flush()


def to_text(cell: Cell) -> str | None:
    """A cell's value: a whole number without `.0`, times as ISO 8601 has them, None for an empty cell, or an error."""
    match cell:
        case str():
            return cell or None
        case bool():
            return str(cell).lower()
        case float() if cell.is_integer() and abs(cell) < _WRITTEN_OUT:
            return f"{Decimal(repr(cell or 0)):.0f}"
        case timedelta():
            minutes, seconds = divmod(round(cell.total_seconds()), 60)
            return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
        case date() | time():
            return cell.isoformat()
    return str(cell)


def _limit(memory: int, seconds: int) -> None:
    limits = (
        (resource.RLIMIT_DATA, memory, memory),
        (resource.RLIMIT_CPU, seconds, seconds + 1),  # the lower ends it by a signal of its own
    )
    for limit, soft, hard in limits:
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (soft, hard))
    confine(2)


def _write(name: str, sheet: CalamineSheet) -> None:
    if sheet.start is None:
        return
    _put(name)
    _put({"merged": list(_merged(sheet, sheet.start[1]))})
    rounded: set[int] = set()
    for number, row in enumerate(sheet.iter_rows()):
        texts = [to_text(cell) for cell in row]
        if any(text is not None for text in texts):
            rounded.update(place for place, cell in enumerate(row) if _is_rounded(cell))
            _put([number, *texts])
    _put({"rounded": sorted(rounded)})


def _merged(sheet: CalamineSheet, left: int) -> Iterator[tuple[int, int, int, int]]:
    """The cells that are one near the top, where a header may be; columns as in the rows."""
    near = [each for each in sheet.merged_cell_ranges or () if each[0][0] < _HEADER_ROWS]
    for (top, first), (bottom, last) in near[:_MERGED]:
        if first >= left:
            yield top, first - left, bottom, last - left


def _is_rounded(cell: Cell) -> bool:
    """Whether it is a whole number of more digits than a workbook keeps."""
    number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return number and _KEPT <= abs(cell) < _WRITTEN_OUT and cell == int(cell)  # type: ignore[arg-type,operator]


def _put(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
