"""The rejects that hold no longer when an execution has run again what an earlier one lost."""

from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO

from pixlake import storage
from pixlake.iceberg.rows import Rows
from pixlake.lake import Work
from pixlake.messages import Batch, CompactRequest
from pixlake.parts.lost import part_id, stage_of
from pixlake.parts.rejected import ExecutionRejects
from pixlake.rejects import Stage
from pixlake.retries import read_finished, sources_of
from pixlake.schemas import REJECTS

_KEY = ("source", "stage", "reason")
_Key = tuple[str, ...]


def find_withdrawn(request: CompactRequest, lake: str, own: Sequence[Rows], io: FileIO) -> pa.Table:
    """The earlier execution's rows of `rejects` on what is run again, but for those that `own` gives again; none where
    the execution is no retry."""
    if request.run.retry_of is None:
        return REJECTS.columns.empty_table()
    earlier, finished = Work(lake, request.run.retry_of), read_finished(lake, request.run.retry_of)
    tried = set(_tried(Work(lake, request.run.execution_id), request.split.batches.count, io))
    files = [info.uri for info in storage.list_objects(storage.join(earlier.uri, "parts", "rejects"))]
    inferred = [uri for uri in files if part_id(uri).startswith((Stage.EMBED, Stage.CLASSIFY))]
    told = ExecutionRejects(finished.request, earlier, finished.lost).sources(inferred, io)
    again = {tuple(row.values()) for row in _rows(own, _KEY)}
    rows = (row for row in _rows(told, REJECTS.columns.names) if (row["stage"], row["source"]) in tried)
    return pa.Table.from_pylist([row for row in rows if _key(row) not in again], schema=REJECTS.columns)


def _tried(work: Work, planned: int, io: FileIO) -> Iterator[tuple[str, str]]:
    """Stage and name of all that is run again."""
    for batch in msgspec.json.decode(storage.read(work.batches), type=list[Batch]) if planned else ():
        with io.new_input(work.batch(batch.batch_id)).open() as file:
            for row in pq.read_table(file).to_pylist():
                yield from ((stage_of(batch), source) for source in sources_of(row))


def _rows(sources: Sequence[Rows], columns: Sequence[str]) -> Iterator[dict[str, str]]:
    for source in sources:
        for rows in source.batches(columns):
            yield from rows.to_pylist()


def _key(row: dict[str, str]) -> _Key:
    return tuple(row[name] for name in _KEY)
