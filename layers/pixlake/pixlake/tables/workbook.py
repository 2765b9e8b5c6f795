"""A table in an Excel workbook, read by a process of its own (`sheets`): the reader has no limits."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO

import msgspec

from pixlake import storage
from pixlake.errors import BadTable
from pixlake.rejects import Reject, Stage
from pixlake.tables import sheets
from pixlake.tables.jsonlines import bounded_lines
from pixlake.tables.room import MAX_ROW_BYTES, Room
from pixlake.tables.sheettable import Note, Row, Sheet, read_sheet
from pixlake.tables.tablefile import TableFile

MAX_BYTES = 256 << 20
SECONDS = 120
"""Of a core, for an upload's workbooks together."""
_KEPT = ("LD_LIBRARY_PATH", "PYTHONHOME")  # what Python may need to start
_ADVICE = "save it as CSV"
_OF = "!"  # between a workbook and its sheet, as in a reference to a cell


@dataclass(frozen=True)
class Workbook:
    """The sheets that make one table, and the others."""

    files: list[TableFile]
    left_out: list[Reject]


@dataclass
class Workbooks:
    """Reads an upload's workbooks, all together within `seconds` of a core."""

    seconds: float = SECONDS

    def read(self, path: str, uri: str, room: Room) -> Workbook:
        """The workbook at `uri`, which lies at `path` in the upload; BadTable if it cannot be read, or not within
        `room` or the time that is left.

        The table is the first sheet with at least half as many columns as the widest, and all those whose columns are
        mostly the same. Hidden sheets are not looked at.
        """
        with TemporaryFile() as copy:
            _copy(path, uri, copy)
            seconds = max(math.ceil(self.seconds), 1)
            with self._started(copy, room.limit, seconds) as (process, output):
                found = list(_read_sheets(path, output, room))
                self._wait(process)
                _check_end(path, process.returncode, room.limit, seconds)
        if not found:
            raise BadTable(f"{path}: no visible sheet has a row of column names")
        return _sort_out(path, found)

    @contextmanager
    def _started(
        self, book: IO[bytes], memory: int, seconds: int
    ) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
        """The process that reads a workbook, and what it writes."""
        paths = [path for path in sys.path if path]
        program = f"import sys; sys.path[:] = {paths!r}; from {sheets.__name__} import main; main({memory}, {seconds})"
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
            if process.returncode is None:
                # Popen.kill would take the status of one that has ended, which is waited for below
                os.kill(process.pid, signal.SIGKILL)
                self._wait(process)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        """Until it has ended; what it used is used up."""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds -= used.ru_utime + used.ru_stime


def _copy(path: str, uri: str, target: IO[bytes]) -> None:
    for chunk in storage.stream(uri):
        target.write(chunk)
        if target.tell() > MAX_BYTES:
            raise BadTable(f"{path}: a workbook of more than {MAX_BYTES:,} bytes; {_ADVICE}")
    target.seek(0)


def _check_end(path: str, code: int, memory: int, seconds: int) -> None:
    if code == -signal.SIGXCPU:
        left = f"{seconds} seconds of a core, what is left of {SECONDS} for all workbooks"
        raise BadTable(f"{path}: reading it takes more than {left}; {_ADVICE}")
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
        table = read_sheet(f"{path}{_OF}{name}", Sheet(each for _, each in pairs), room)
        if table is not None:
            yield table


def _read_rows(path: str, output: IO[bytes]) -> Iterator[tuple[str, Row | Note]]:
    """The rows, and what is said beside them, each with its sheet's name."""
    decoder = msgspec.json.Decoder(str | list[int | str | None] | Note)
    sheet = ""
    for line in bounded_lines(output):
        if len(line) > MAX_ROW_BYTES:
            yield sheet, Row(int(line[1:20].partition(b",")[0]), None, len(line))
            continue
        match decoder.decode(line):
            case str() as sheet:
                pass
            case Note() as note:
                if note.error:
                    raise BadTable(f"{path}: {note.error}")
                yield sheet, note
            case [number, *cells]:
                yield sheet, Row(number, cells, len(line))


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
