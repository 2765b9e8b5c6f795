"""Delimited records by Python's csv module, with the lines they begin on and the quotes that nothing closes."""

import csv
import sys
from collections.abc import Iterator
from itertools import chain, islice
from typing import TextIO

import numpy as np

from pixlake.split.dialects import Dialect
from pixlake.split.tablefile import Rows
from pixlake.split.text import TextFile

_RESUMPTIONS = 100  # each reads the file from its beginning, so their number must not depend on the file


def read_records(file: TextFile, dialect: Dialect) -> Iterator[tuple[int, list[str] | None]]:
    """Every record, the header first, with the line it begins on.

    None stands for a line with a quote that is never closed; reading goes on behind that line, or ends there when
    it happened too often.
    """
    csv.field_size_limit(sys.maxsize)  # a value may be as long as the file, whose size Plan has limited
    skipped = 0
    for _ in range(_RESUMPTIONS):
        open_line = None
        with file.open_text() as text:
            for line, fields in _read_from(text, skipped, dialect):
                yield line, fields
                open_line = line if fields is None else None
        if open_line is None:
            return
        skipped = open_line


def _read_from(text: TextIO, skipped: int, dialect: Dialect) -> Iterator[tuple[int, list[str] | None]]:
    ended: list[bool] = []

    def mark_end() -> Iterator[str]:
        ended.append(True)
        yield "\0"

    # A record that takes in the line behind the last has a quote that nothing closed.
    lines = chain(islice(text, skipped, None), mark_end())
    reader = csv.reader(lines, **dialect.reader_options())  # type: ignore[arg-type]
    line = skipped + 1
    for fields in reader:
        if not ended and fields:
            yield line, fields
        elif ended and fields != ["\0"]:
            yield line, None
        line = skipped + reader.line_num + 1


class RecordLines:
    """The lines on which rows begin, found by one more reading, and only when somebody asks."""

    def __init__(self, file: TextFile, dialect: Dialect) -> None:
        self._file, self._dialect = file, dialect
        self._starts: Rows | None = None

    def __call__(self, rows: Rows) -> Rows:
        if self._starts is None:
            lines = (line for line, _ in islice(read_records(self._file, self._dialect), 1, None))
            self._starts = np.fromiter(lines, dtype=np.int64)
        return self._starts[rows]
