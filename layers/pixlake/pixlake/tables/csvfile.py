"""A delimited table: read by pyarrow at its speed, and by Python's csv module where that cannot say what is wrong.

Both take the same rows for rows (the tests compare them): any of the three line ends, quotes inside values as they
come, empty lines skipped. pyarrow gives up on a row longer than its block, and takes the rest of a file for one value
where a quote is never closed; then the careful way loses that row alone.
"""

import io
from itertools import islice

from pixlake.errors import BadTable
from pixlake.formats import extension
from pixlake.tables.csvarrow import read_fast
from pixlake.tables.csvrecords import TOO_LONG, Record, RecordLines, read_carefully, read_records
from pixlake.tables.dialects import Dialect, choose_dialect, take_hint
from pixlake.tables.headers import (
    count_titles,
    explain_nameless,
    explain_numbers,
    explain_row,
    explain_title,
    is_row,
)
from pixlake.tables.room import Room, check_names
from pixlake.tables.tablefile import TableFile, unique_names
from pixlake.tables.text import UNREADABLE, TextFile

_SAMPLE_CHARACTERS = 64 << 10
_COMPARED = 21  # rows, of which the first may be the header


def read_csv(path: str, file: TextFile, room: Room) -> TableFile:
    """The table `file`, which lies at `path` in the upload; BadTable if it is no text, has no header, or is
    too large for `room`."""
    sample, whole = file.head(_SAMPLE_CHARACTERS)
    if not sample.strip():
        raise BadTable(f"{path}: it is empty; the first line must name the columns")
    hint, delimiter = take_hint(sample)
    if hint:
        file, sample = file.behind(hint), sample[len(hint) :]
    dialect = choose_dialect(sample, whole, extension(path), delimiter)
    records = _first_records(path, file, dialect)
    rows = [record.fields for record in records]
    titles = count_titles(rows)
    for line in islice(io.StringIO(sample, newline=""), records[titles].line - file.line):
        file = file.behind(line)
    header, *others = rows[titles:]
    names = unique_names([name.replace(UNREADABLE, "\N{REPLACEMENT CHARACTER}") for name in header])
    if is_row(header, others):
        names = unique_names([""] * len(header))
        file = file.below(dialect.delimiter.join(names))
        warning = explain_row(path, header, names)
    else:
        warning = explain_numbers(path, header)
    check_names(path, names)
    found = read_fast(file, dialect, names, room) or read_carefully(file, dialect, names, room)
    table = TableFile(path, found.columns, found.rows, found.faults, RecordLines(file, dialect))
    above = explain_title(path, rows[0]) if titles else ""
    return table.warned(above, warning, explain_nameless(path, header, names, found.columns))


def _first_records(path: str, file: TextFile, dialect: Dialect) -> list[Record]:
    """The header, or what stands in its place, and some rows."""
    records = list(islice(read_records(file, dialect), _COMPARED))
    if not records or records[0].reason == TOO_LONG:
        raise BadTable(f"{path}: its first line is too long to name columns; put a line with their names before it")
    if not records[0].fields:
        raise BadTable(f"{path}: a quote in its first line is never closed, so it names no columns")
    if any("\0" in name for name in records[0].fields):
        raise BadTable(f"{path}: it is not text; save the table as CSV, Excel (.xlsx), JSON or Parquet")
    return records
