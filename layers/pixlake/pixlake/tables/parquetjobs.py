"""Reads a Parquet file in a confined process: its bytes are asked for over the socket, its rows go out as text."""

import io
import json
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pixlake.confined.nursery import Nursery
from pixlake.confined.wire import receive, receive_head, send_answer
from pixlake.errors import BadTable
from pixlake.ranged import RangedFile
from pixlake.tables.faults import Fault
from pixlake.tables.parquetvalues import Texts, to_texts
from pixlake.tables.parquetwire import ALIGNMENT, BATCH, BATCH_ROWS, BYTES_WANTED, DONE, JOB, NAMES, REJECT
from pixlake.tables.room import Room, check_names, drop_long
from pixlake.tables.tablefile import unique_names

_BATCH_BYTES = 16 << 20
# of each column while its row group is read
_BUFFER_BYTES, _LEAST_BUFFER_BYTES, _ALL_BUFFERS_BYTES = 1 << 20, 16 << 10, 128 << 20


def main(number: int) -> None:
    """The nursery of readers."""
    _warm_up()
    Nursery(serve).run(number)


def serve(connection: socket.socket) -> None:
    """Answer jobs until the socket closes."""
    while head := receive_head(connection, JOB):
        job = json.loads(receive(connection, *head))
        try:
            _send_rows(connection, job)
        except BadTable as error:
            send_answer(connection, REJECT, str(error))
        except MemoryError:
            send_answer(connection, REJECT, f"{job['path']}: reading it takes more memory than a table may have")
        except Exception as error:
            send_answer(connection, REJECT, f"{job['path']}: it cannot be read as Parquet: {error}")
        else:
            send_answer(connection, DONE)


def _send_rows(connection: socket.socket, job: dict[str, Any]) -> None:
    path, room = job["path"], Room(job["limit"], job["taken"])
    source = _RemoteFile(connection, job["size"])
    metadata = pq.read_metadata(source)
    with pq.ParquetFile(source, metadata=metadata, buffer_size=_buffer_bytes(metadata)) as file:
        names = unique_names(file.schema_arrow.names)
        check_names(path, names)
        send_answer(connection, NAMES, names)
        for batch, faults, rows in _batches(file, names):
            room.take_batch(path, batch)
            places = [(each.row, each.reason, each.detail) for each in faults]
            buffers = [memoryview(buffer) for column in batch.columns for buffer in _buffers(column)]
            filled = [each for buffer in buffers for each in (buffer, bytes(-buffer.nbytes % ALIGNMENT))]
            send_answer(connection, BATCH, [rows, [buffer.nbytes for buffer in buffers], places], *filled)


def _batches(file: pq.ParquetFile, names: list[str]) -> Iterator[tuple[pa.RecordBatch, list[Fault], int]]:
    """Good rows, the bad ones by their place among all of the batch, and how many both are."""
    for raw in file.iter_batches(_batch_rows(file.metadata), use_threads=False):
        texts = Texts([to_texts(column) for column in raw.columns], names)
        numbers = np.arange(raw.num_rows)
        batch, _, long = drop_long(*texts.good(numbers))
        yield batch, [*texts.faults(numbers), *long], raw.num_rows


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """As many rows as take some megabytes, by what the file says of itself."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    row_bytes = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=1)
    return int(max(min(BATCH_ROWS, _BATCH_BYTES // max(row_bytes, 1)), 1))


def _buffer_bytes(metadata: pq.FileMetaData) -> int:
    """For each column as much as all of them have room for."""
    return int(max(min(_BUFFER_BYTES, _ALL_BUFFERS_BYTES // max(metadata.num_columns, 1)), _LEAST_BUFFER_BYTES))


def _buffers(column: pa.Array) -> tuple[Any, Any, Any]:
    """Validity, empty where no value is missing; offsets from 0; text."""
    whole = column.take(pa.array(np.arange(len(column)))) if column.offset else column
    validity, offsets, text = whole.buffers()
    places = np.frombuffer(offsets, np.int32, len(whole) + 1) if offsets else np.zeros(1, np.int32)
    data = memoryview(text)[int(places[0]) : int(places[-1])] if text else b""
    return memoryview(validity)[: (len(whole) + 7) // 8] if whole.null_count else b"", places - places[0], data


class _RemoteFile(RangedFile):
    """The file, a range at a time from the other side of the socket."""

    def __init__(self, connection: socket.socket, size: int) -> None:
        super().__init__(size)
        self._connection = connection

    def read_range(self, start: int, length: int) -> bytes:
        send_answer(self._connection, BYTES_WANTED, [start, length])
        return receive(self._connection, length)


_NUMBERS = (
    *(pa.float64(), pa.float16(), pa.date32(), pa.date64(), pa.time32("s"), pa.time64("ns"), pa.timestamp("ns")),
    *(pa.timestamp("us", "UTC"), pa.duration("ns"), pa.decimal128(9, 2)),
)


def _warm_up() -> None:
    """Have all that a reader imports and opens at its first value imported and open, for it can open no file."""
    values = [
        pa.array([b"\xff"]),
        pa.array([True]),
        pa.array([{"a": None}]),
        *(pa.array([0], each) for each in _NUMBERS),
    ]
    columns = [*values, *(pa.ListArray.from_arrays([0, 1], each) for each in values)]
    no_text = pa.array([b"\xff", b"a", None]).view(pa.string())
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": no_text, "b": ["a", None, "b"]}), buffer)
    for column in columns:
        to_texts(column)
    with pq.ParquetFile(buffer) as file:
        for batch, _, _ in _batches(file, ["a", "b"]):
            for column in batch.columns:
                _buffers(column)
