"""What embed and classify have in common: the rows of a batch come in, a part and its rejects go out."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from itertools import islice, pairwise
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import structs

from pixlake import rejects, storage
from pixlake.concurrency import Admit, map_bounded, read_and_prepare
from pixlake.cores import available_cores
from pixlake.errors import BadRequest
from pixlake.inference.memory import Shares, Widths, widths
from pixlake.inference.pace import Pace
from pixlake.inference.pieces import read_piece, write_piece
from pixlake.lake import Work
from pixlake.messages import Batch, BatchAnswer, BatchRequest
from pixlake.parquet import write_part
from pixlake.rejects import Reject
from pixlake.schemas import TableSchema
from pixlake.settings import Device, InferenceSettings

D = TypeVar("D")
T = TypeVar("T")
R = TypeVar("R")

_ROWS_READ = 256
# Enough reads in flight to hide the latency of S3 from the fastest models.
_READERS = 32
# Rows of a group for a model that is called seldom: few enough to stop in time between two.
_AT_ONCE = 128
# Batches are inferred side by side, a core each.
SESSION_THREADS = 1
_GPU_GROUPS = 2


def read_rows(request: BatchRequest, lake_uri: str) -> Iterator[dict[str, Any]]:
    """The rows of the batch as Split wrote them, from where the last invocation stopped; BadRequest if they are not as
    many as the batch says."""
    uri = Work(lake_uri, request.run.execution_id).batch(request.batch.batch_id)
    file = pq.ParquetFile(io.BytesIO(storage.read(uri)))
    if file.metadata.num_rows != request.batch.count:
        raise BadRequest(f"{uri} has {file.metadata.num_rows} rows, the batch says {request.batch.count}")
    rows = (row for group in file.iter_batches(batch_size=_ROWS_READ) for row in group.to_pylist())
    yield from islice(rows, _start(request.batch), None)


def grouped(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, the last one of what is left."""
    source = iter(items)
    while group := list(islice(source, size)):
        yield group


def infer_rows(
    request: BatchRequest,
    settings: InferenceSettings,
    shares: Shares,
    read: Callable[[dict[str, Any], Admit], D],
    prepare: Callable[[dict[str, Any], D], T],
    infer: Callable[[list[T]], R],
    pace: Pace,
    *,
    example_bytes: int,
    at_once: bool = False,
) -> Iterator[R]:
    """`infer` of each group of `prepare(row, read(row))`, in the batch's order, for as long as `pace` allows.

    Reading and preparing run ahead of inference, as far as the `shares` of the memory go; a prepared row has tensors of
    `example_bytes`. Each core infers a group of its own (a session of one thread), rather than all cores one group
    together: none waits for another, at any size of model. `at_once` makes few large groups, one after another, for a
    model to which each call costs much, and which uses all cores by itself. On a GPU two groups are under way, one
    computed while the other is copied.
    """
    cores = settings.inference_threads or available_cores()
    threads = cores if settings.device is Device.CPU else _GPU_GROUPS
    width = Widths(_AT_ONCE, _AT_ONCE, 1) if at_once else widths(settings, shares, example_bytes, threads)
    prepared = read_and_prepare(
        read_rows(request, settings.lake_uri),
        read,
        prepare,
        readers=_READERS,
        workers=cores,
        in_flight=width.ahead,
        bytes_ahead=shares.ahead,
    )
    with closing(prepared) as ready:
        yield from map_bounded(
            pace.timed(infer), pace.limit(grouped(ready, width.group)), width.threads, in_flight=1 if at_once else None
        )


def write_answer(
    request: BatchRequest,
    lake_uri: str,
    table: TableSchema,
    columns: Mapping[str, Any],
    rejected: Iterable[Reject],
    done: int,
) -> BatchAnswer:
    """Write the rejects, then the part: where there is a part, the batch is done. Of `done` rows that are not the rest
    of the batch, write a piece, and answer what is left.

    `columns` are those that differ from row to row; the run and the batch fill the rest.
    """
    work, batch = Work(lake_uri, request.run.execution_id), request.batch
    rows, left_out = _rows(request, table, columns), list(rejected)
    answer = BatchAnswer(batch.batch_id, rows=rows.num_rows, rejected=len(left_out))
    stop = _start(batch) + done
    if stop < batch.count:
        write_piece(work.piece(batch.batch_id, _start(batch), stop), table, rows, left_out)
        return structs.replace(answer, rest=(structs.replace(batch, done=(*batch.done, stop)),))
    pieces = [read_piece(work.piece(batch.batch_id, *ends)) for ends in pairwise((0, *batch.done))]
    everything = [each for piece in pieces for each in piece.rejects] + left_out
    rejects.write(work.rejects(batch.task, batch.batch_id), everything)
    write_part(work.part(table.name, batch.batch_id), table, pa.concat_tables([*(it.rows for it in pieces), rows]))
    return answer


def _start(batch: Batch) -> int:
    """The number of rows that earlier invocations did."""
    return batch.done[-1] if batch.done else 0


def _rows(request: BatchRequest, table: TableSchema, columns: Mapping[str, Any]) -> pa.Table:
    run, batch = request.run, request.batch
    constants = {
        "experiment_id": run.experiment_id,
        "model": batch.model,
        "modality": batch.modality,
        "uploaded_at": datetime.fromisoformat(run.uploaded_at),
        "processed_at": datetime.fromisoformat(run.started_at),
    }
    count = len(next(iter(columns.values())))
    filled = {name: pa.repeat(pa.scalar(value), count) for name, value in constants.items()}
    return pa.Table.from_pydict({**filled, **columns}, schema=table.columns)
