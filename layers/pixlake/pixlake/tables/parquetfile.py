"""A Parquet table, read in a process that can only compute: Arrow's readers are parsers of strangers' bytes in C++."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from struct import pack
from typing import Any

import numpy as np
import pyarrow as pa

from pixlake import storage
from pixlake.confined.processes import Confined, Died, Processes, TooSlow, Watch, shared_processes
from pixlake.confined.wire import Answer
from pixlake.errors import BadTable
from pixlake.tables import parquetwire as wire
from pixlake.tables.faults import Fault, Faults
from pixlake.tables.room import Room, check_names
from pixlake.tables.tablefile import Rows, TableFile, text_table

PARQUET = "parquet"
"""The extension."""
# by the clock, of its seconds of a core: the store and this process take their time, too
_PATIENCE = 2
_PROGRAM_BYTES = 512 << 20
"""Address space that a reader has before it reads."""
_PIECE_BYTES = 4 << 20
_CODE = re.compile("[a-z_]{1,40}")
_LONGEST_DETAIL = 1_000


class Reader(Confined):
    """One process that reads one table."""

    work = "Parquet is read"


@dataclass
class ParquetTables:
    """Reads an upload's Parquet tables. Each may take `memory` bytes, all together `seconds` of a core."""

    memory: int = 1 << 30
    seconds: float = 300.0
    processes: Processes[Reader] = field(
        default_factory=lambda: shared_processes("pixlake.tables.parquetjobs", Reader), repr=False
    )

    def start(self) -> None:
        """Have what readers come from get ready meanwhile; without this the first table waits for it."""
        self.processes.start()

    def read(self, path: str, uri: str, room: Room) -> TableFile:
        """The table at `uri`, which lies at `path` in the upload; BadTable if it is no Parquet, too large for `room`,
        or takes too much memory or time."""
        seconds, ended = max(self.seconds, 1.0), ""
        reader = self.processes.fork()
        watch = reader.watch(seconds, _PATIENCE)
        try:
            reader.limit_memory(_PROGRAM_BYTES + self.memory)
            return _Reading(path, storage.Reader(uri), reader, watch, room).table()
        except TooSlow:
            raise BadTable(f"{path}: reading it as Parquet takes more than {seconds:,.0f} seconds") from None
        except (Died, OSError, ValueError) as error:
            ended = self.processes.end(reader)
            raise BadTable(f"{path}: it cannot be read as Parquet: its reader was stopped: {error}, {ended}") from error
        finally:
            self.seconds -= watch.used
            if not ended:
                self.processes.end(reader)


@dataclass
class _Reading:
    """One table's; what its reader answers is believed only as far as it is checked."""

    path: str
    source: storage.Reader
    reader: Reader
    watch: Watch
    room: Room

    def table(self) -> TableFile:
        """Raises BadTable, Died, OSError, TooSlow and ValueError."""
        self._ask()
        answers = self._answers()
        names = self._names(next(answers, None))
        faults, batches, kept = Faults(), list[pa.RecordBatch](), [np.empty(0, np.int64)]
        start = good = 0
        for answer in answers:
            rows, batch, bad = _parse_batch(answer, names)
            places = np.array([fault.row for fault in bad], np.int64)
            faults.add_rows([replace(fault, row=start + fault.row) for fault in bad])
            faults.check(self.path, good := good + batch.num_rows)
            self.room.take_batch(self.path, batch)
            batches.append(batch)
            kept.append(start + np.delete(np.arange(rows), places))
            start += rows
        return TableFile(self.path, text_table(names, batches), np.concatenate(kept), faults, _places)

    def _ask(self) -> None:
        size = self.source.seek(0, os.SEEK_END)
        job = {"path": self.path, "size": size, "limit": self.room.limit, "taken": self.room.taken}
        described = json.dumps(job).encode()
        self.reader.send(pack(wire.JOB, len(described)) + described, self.watch)

    def _answers(self) -> Iterator[Answer]:
        """All but what asks for bytes of the file, which are sent. BadTable where the reader says why it cannot."""
        while True:
            most = (self.room.limit - self.room.taken) * 9 // 8 + _PIECE_BYTES  # a bit a cell beside what `room` counts
            match self.reader.receive_answer(most, self.watch, wire.LONGEST_TEXT):
                case Answer(kind=wire.BYTES_WANTED, text=[int(offset), int(length)]):
                    self._send(offset, length)
                case Answer(kind=wire.REJECT, text=str(words)):
                    raise BadTable(_printable(words))
                case Answer(kind=wire.DONE):
                    return
                case answer:
                    yield answer

    def _send(self, offset: int, length: int) -> None:
        if not (offset >= 0 and length > 0 and offset + length <= self.source.seek(0, os.SEEK_END)):
            raise Died("it asked for bytes beyond its file")
        self.source.seek(offset)
        while length:
            piece = self.source.read(min(length, _PIECE_BYTES))
            self.reader.send(piece, self.watch)
            length -= len(piece)

    def _names(self, answer: Answer | None) -> list[str]:
        match answer:
            case Answer(kind=wire.NAMES, text=[*names]) if all(isinstance(name, str) for name in names):
                check_names(self.path, names)
                if len({name.encode() for name in names}) == len(names):
                    return names
        raise Died("it named columns as no reader does")


def _parse_batch(answer: Answer, names: list[str]) -> tuple[int, pa.RecordBatch, list[Fault]]:
    """How many rows, the good ones, and the bad ones by their place among all. ValueError for what none answers."""
    match answer:
        case Answer(kind=wire.BATCH, text=[int(rows), [*sizes], [*described]]) if 0 <= rows <= wire.BATCH_ROWS:
            bad = [_parse_fault(each, rows) for each in described]
            count = rows - len({fault.row for fault in bad})
            if count != rows - len(bad) or len(sizes) != 3 * len(names):
                raise ValueError("it answered a row twice, or too few columns")
            columns = _parse_columns(count, sizes, memoryview(answer.data))
            batch = pa.RecordBatch.from_arrays(columns, schema=pa.schema([(name, pa.string()) for name in names]))
            batch.validate(full=True)
            return rows, batch, bad
    raise ValueError("it answered what no reader answers")


def _parse_fault(described: Any, rows: int) -> Fault:
    match described:
        case [int(row), str(reason), str(detail)] if 0 <= row < rows and _CODE.fullmatch(reason):
            return Fault(row, reason, _printable(detail))
    raise ValueError("it answered a bad row as no reader does")


def _parse_columns(rows: int, sizes: list[Any], data: memoryview) -> list[pa.Array]:
    parts, at = [], 0
    for size in sizes:
        if not isinstance(size, int) or not 0 <= size <= len(data) - at:
            raise ValueError("it answered columns of other sizes than it said")
        parts.append(pa.py_buffer(data[at : at + size]))
        at += size + -size % wire.ALIGNMENT
    columns = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return [_parse_column(rows, *parts) for parts in columns]


def _parse_column(rows: int, validity: pa.Buffer, offsets: pa.Buffer, text: pa.Buffer) -> pa.Array:
    if offsets.size != 4 * (rows + 1) or validity.size not in (0, (rows + 7) // 8):
        raise ValueError("it answered a column of another length than it said")
    return pa.Array.from_buffers(pa.string(), rows, [validity if validity.size else None, offsets, text])


def _places(rows: Rows) -> Rows:
    return rows + 1


def _printable(text: str) -> str:
    """As it can be written: no half characters, and not too much of it."""
    return text[:_LONGEST_DETAIL].encode(errors="replace").decode()
