"""A hostile table beside a good one through the step Split.

What holds: each row is a record or a reject, or its table is refused with a reason, and the good table's rows are
records. A table of text is read alike by both of its readers.
"""

import re
import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixlake.errors import BadTable
from pixlake.messages import Options
from pixlake.tables.csvarrow import read_fast
from pixlake.tables.csvfile import read_csv
from pixlake.tables.csvrecords import Found, read_carefully, read_records
from pixlake.tables.dialects import choose_dialect
from pixlake.tables.room import Room
from pixlake.tables.tablefile import TableFile, unique_names
from pixlake.tables.text import UNREADABLE, open_text_file
from pixlake.tables.union import read_tables
from tests.builders.split_inputs import Upload
from tests.fuzz.findings import Tally, broken

GOOD = "id,name\n" + "".join(f"good-{number},a\n" for number in range(5))
MEMORY = 128 << 20
"""Bytes for the tables."""
SECONDS, _OVERHEAD_BYTES = 20.0, 4 * MEMORY
_MORE = re.compile(r"and ([\d,]+) more rows")


@dataclass
class TableChecks:
    """An upload in a folder, made anew for each table."""

    folder: Path
    tally: Tally

    def __post_init__(self) -> None:
        self._begun = _peak()

    def check(self, kind: str, data: bytes) -> None:
        """Raises Finding."""
        shutil.rmtree(self.folder, ignore_errors=True)
        upload = Upload(self.folder)
        upload.put_table("good.csv", GOOD)
        upload.put_table(f"bad.{kind}", data)
        before = time.process_time()
        upload.split(Options(id_column="id"), shards=0, table_memory=MEMORY)
        found, outcome = self._judge(upload, f"bad.{kind}")
        if not found and time.process_time() - before > SECONDS:
            found = "it took more of a core than a table may"
        if not found and _peak() - self._begun > _OVERHEAD_BYTES:
            self._begun = _peak()
            found = "the memory grew"
        if not found and kind == "csv":
            found = _compare_readers(upload, f"bad.{kind}")
        if found:
            raise broken(found, {f"bad.{kind}": data})
        self.tally.count(kind, outcome)

    def _judge(self, upload: Upload, path: str) -> tuple[str, str]:
        """What must not be, and what became of the table."""
        ids = [record["record_id"] for record in upload.records()]
        good = sum(each.startswith("good-") for each in ids)
        if good < 5 or len(set(ids)) != len(ids):
            return f"the good table is not read: {good} records of 5", ""
        rejects = [each for each in upload.rejects() if each.source.startswith(path)]
        whole = [each for each in rejects if each.source == path and not _MORE.fullmatch(each.detail)]
        if whole:
            return "" if len(ids) == good == 5 else "records of a table that was refused", whole[0].reason
        tables, _ = read_tables(upload.work, MEMORY)
        files = [each for each in tables.files if each.path.startswith(path)]
        for unsound in filter(None, map(_check_rows, files)):
            return unsound, ""
        rows, used = sum(len(file.rows) + file.faults.count for file in files), len(ids) - 5
        rejected = sum(_rows_of(each.detail) for each in rejects if each.reason != "other_sheet")
        if used + rejected != rows:
            return f"not as many records and rejects as rows: {used} + {rejected} != {rows}", ""
        return "", "read with rejects" if rejected else "read"


def _rows_of(detail: str) -> int:
    found = _MORE.fullmatch(detail)
    return int(found[1].replace(",", "")) if found else 1


def _check_rows(file: TableFile) -> str:
    """Rows in order, each once, and none of them a fault."""
    faults = [fault.row for fault in file.faults.first]
    if len(file.rows) != file.columns.num_rows or np.any(np.diff(file.rows) <= 0):
        return "row numbers that are not those of the rows"
    if len(set(faults)) != len(faults) or {*faults} & {*file.rows.tolist()}:
        return "a row that is read and a fault, or a fault twice"
    return ""


def _compare_readers(upload: Upload, path: str) -> str:
    """What pyarrow's reader makes of the table against what the careful one does."""
    file = open_text_file(f"{upload.work.tables}/{path}", path)
    try:
        read_csv(path, file, Room(MEMORY))
        sample, whole = file.head(64 << 10)
        dialect = choose_dialect(sample, whole)
        header = next(read_records(file, dialect)).fields
        names = unique_names([name.replace(UNREADABLE, "\N{REPLACEMENT CHARACTER}") for name in header])
        fast = read_fast(file, dialect, names, Room(MEMORY))
        return _differ(fast, read_carefully(file, dialect, names, Room(MEMORY))) if fast else ""
    except BadTable:
        return ""


def _differ(fast: Found, careful: Found) -> str:
    if fast.rows.tolist() != careful.rows.tolist():
        return "the two readers of CSV find other rows"
    if not fast.columns.equals(careful.columns):
        return "the two readers of CSV find other values"
    faults = [sorted((fault.row, fault.reason) for fault in each.faults.first) for each in (fast, careful)]
    return "" if faults[0] == faults[1] else "the two readers of CSV find other faults"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
