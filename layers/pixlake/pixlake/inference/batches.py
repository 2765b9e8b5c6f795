"""What embed and classify have in common: the rows of a batch come in, a part and its rejects go out."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import rejects, storage
from pixlake.concurrency import Admit, map_bounded, read_and_prepare
from pixlake.cores import available_cores
from pixlake.errors import BadRequest
from pixlake.lake import Work
from pixlake.messages import BatchAnswer, BatchRequest
from pixlake.parquet import write_part
from pixlake.rejects import Reject
from pixlake.schemas import TableSchema
from pixlake.settings import InferenceSettings

D = TypeVar("D")
T = TypeVar("T")
R = TypeVar("R")

_ROWS_READ = 256
# Enough reads in flight to hide the latency of S3 from the fastest models.
_READERS = 32
# Batches are inferred side by side, a core each.
SESSION_THREADS = 1


def read_rows(request: BatchRequest, lake_uri: str) -> Iterator[dict[str, Any]]:
    """The rows of the batch as Split wrote them; BadRequest if they are not as many as the batch says."""
    uri = Work(lake_uri, request.run.execution_id).batch(request.batch.batch_id)
    file = pq.ParquetFile(io.BytesIO(storage.read(uri)))
    if file.metadata.num_rows != request.batch.count:
        raise BadRequest(f"{uri} has {file.metadata.num_rows} rows, the batch says {request.batch.count}")
    for rows in file.iter_batches(batch_size=_ROWS_READ):
        yield from rows.to_pylist()


def grouped(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, the last one of what is left."""
    source = iter(items)
    while group := list(islice(source, size)):
        yield group


def infer_rows(
    request: BatchRequest,
    settings: InferenceSettings,
    read: Callable[[dict[str, Any], Admit], D],
    prepare: Callable[[dict[str, Any], D], T],
    infer: Callable[[list[T]], R],
    at_once: bool = False,
) -> Iterator[R]:
    """`infer` of each group of `prepare(row, read(row))`, in the batch's order.

    Reading and preparing run ahead of inference, reading by at most `read_ahead_bytes`. Each core infers a group of its
    own (a session of one thread), rather than all cores one group together: none waits for another, at any size of
    model. `at_once` makes one group of the
    whole batch, for a model to which each call costs much, and which uses all cores by itself.
    """
    threads = settings.inference_threads or available_cores()
    rows, ahead = read_rows(request, settings.lake_uri), 2 * settings.inference_batch
    size = max(1, request.batch.count if at_once else settings.inference_batch // threads)
    prepared = read_and_prepare(
        rows,
        read,
        prepare,
        readers=_READERS,
        workers=threads,
        in_flight=ahead,
        bytes_ahead=settings.read_ahead_bytes,
    )
    with closing(prepared) as ready:
        yield from map_bounded(infer, grouped(ready, size), threads)


def write_answer(
    request: BatchRequest, lake_uri: str, table: TableSchema, columns: Mapping[str, Any], rejected: Iterable[Reject]
) -> BatchAnswer:
    """Write the rejects, then the part: where there is a part, the batch is done.

    `columns` are those that differ from row to row; the run and the batch fill the rest.
    """
    work, batch = Work(lake_uri, request.run.execution_id), request.batch
    rows = _rows(request, table, columns)
    count = rejects.write(work.rejects(batch.task, batch.batch_id), rejected)
    return BatchAnswer(
        batch.batch_id, rows=write_part(work.part(table.name, batch.batch_id), table, rows), rejected=count
    )


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
