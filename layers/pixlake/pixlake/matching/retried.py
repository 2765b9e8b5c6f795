"""The batches of a retry: the rows that an earlier execution lost, or rejected for a reason that may pass."""

from collections import defaultdict
from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import rejects, storage
from pixlake.lake import Work
from pixlake.matching.cutting import cut
from pixlake.matching.outputs import Limits, write_file
from pixlake.messages import Batch, Finished
from pixlake.retries import PASSING, sources_of

Kind = tuple[str, str, str]
"""Task, modality and model: what is the same in all rows of a batch."""
_Rows = tuple[Batch, pa.Table]


def write_retried(work: Work, earlier: Work, finished: Finished, limits: Limits) -> list[Batch]:
    """Write what `earlier` left to be run again; its images and models are read where they are."""
    kinds: dict[Kind, list[_Rows]] = defaultdict(list)
    for batch, rows in _left_over(earlier, finished):
        kinds[batch.task, batch.modality, batch.model].append((batch, rows))
    made: dict[str, int] = defaultdict(int)
    batches = []
    for kind, left in kinds.items():
        for batch, rows in _cut(kind, left, limits, made):
            write_file(work.batch(batch.batch_id), rows.schema, [column.combine_chunks() for column in rows.columns])
            batches.append(batch)
    return batches


def _left_over(earlier: Work, finished: Finished) -> Iterator[_Rows]:
    """The batches of the earlier execution, each with its rows that are to be run again."""
    lost = {batch.batch_id for batch in finished.lost}
    told = {info.uri for info in storage.list_objects(storage.join(earlier.uri, "parts", "rejects"))}
    planned = finished.request.split.batches.count
    for batch in msgspec.json.decode(storage.read(earlier.batches), type=list[Batch]) if planned else ():
        uri = earlier.rejects(batch.task, batch.batch_id)
        if batch.batch_id in lost:
            yield batch, _read(earlier, batch)
        elif uri in told and (names := _passing(uri)):
            rows = _read(earlier, batch)
            chosen = [not names.isdisjoint(sources_of(row)) for row in rows.to_pylist()]
            yield batch, rows.filter(pa.array(chosen, pa.bool_()))


def _passing(uri: str) -> set[str]:
    """The sources of the rejects that another attempt may not give."""
    return {each.source for each in rejects.decode(storage.read(uri)) if each.reason in PASSING}


def _read(work: Work, batch: Batch) -> pa.Table:
    return pq.read_table(pa.BufferReader(storage.read(work.batch(batch.batch_id))))


def _cut(kind: Kind, left: list[_Rows], limits: Limits, made: dict[str, int]) -> Iterator[_Rows]:
    """The rows of one kind as new batches; `made` counts those of each task's name."""
    task, modality, model = kind
    name = "embed" if task == "embed" else "classify"
    # of a row's bytes the mean of its batch is known
    sizes = np.concatenate([np.full(len(rows), batch.bytes // batch.count, np.int64) for batch, rows in left])
    rows = pa.concat_tables([rows for _, rows in left])
    for start, stop in cut(sizes, limits.rows, limits.bytes):
        size = int(sizes[start:stop].sum())
        yield Batch(f"{name}-{made[name]:06d}", task, modality, model, stop - start, size), rows[start:stop]
        made[name] += 1
