"""Records, batches and rejects as files, each made from a slice of the data, so that memory stays bounded."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import rejects, storage
from pixlake.bundles.roles import Model
from pixlake.concurrency import map_bounded
from pixlake.lake import Work
from pixlake.matching.cutting import cut, fitting_rows
from pixlake.matching.joined import Joined
from pixlake.matching.names import Positions
from pixlake.messages import Batch, Run
from pixlake.parquet import options
from pixlake.rejects import Reject, Stage
from pixlake.schemas import CLASSIFY_BATCH, EMBED_BATCH, RECORDS, STORED

_PART_ROWS, _PART_BYTES = 50_000, 32 << 20
# As many bytes of attributes count as a batch's limit allows of images, 16 times as many.
_ATTRIBUTES_WEIGH = 16
_REJECTS_A_PART = 50_000
_PARTS_IN_FLIGHT, _BATCHES_IN_FLIGHT = 2, 8


@dataclass(frozen=True)
class Limits:
    """Of a batch: rows, bytes of encoded images, and `seconds` on a function of `memory` MB, as far as the model's
    speed is known; a memory of 0 is unknown."""

    rows: int
    bytes: int
    seconds: float = 0.0
    memory: int = 0

    def rows_for(self, images_per_second: float | None) -> int:
        """The most rows of a model of this speed."""
        if not images_per_second or not self.memory:
            return self.rows
        return min(self.rows, fitting_rows(images_per_second, self.memory, self.seconds))


def write_rejects(work: Work, rows: Iterable[Reject]) -> int:
    """Write the rejects of this step; returns how many."""
    rows = iter(rows)
    total = part = 0
    while count := rejects.write(work.rejects(Stage.SPLIT, f"{part:05d}"), islice(rows, _REJECTS_A_PART)):
        total, part = total + count, part + 1
    return total


def write_records(work: Work, run: Run, joined: Joined) -> None:
    """Write the parts of the table `records`."""

    def write(job: tuple[int, tuple[int, int]]) -> None:
        number, (start, stop) = job
        columns = _record_columns(run, joined, np.arange(start, stop))
        write_file(work.part(RECORDS.name, f"{number:05d}"), RECORDS.columns, columns)

    parts = enumerate(cut(joined.attribute_sizes, _PART_ROWS, _PART_BYTES))
    for _ in map_bounded(write, parts, _PARTS_IN_FLIGHT):
        pass


def write_embed_batches(work: Work, model: Model, joined: Joined, limits: Limits) -> list[Batch]:
    """Write every image of the upload, in ranges of sorted paths."""
    jobs = []
    own = np.flatnonzero(joined.own)
    rows = limits.rows_for(model.images_per_second)
    for number, (start, stop) in enumerate(cut(joined.sizes[own], rows, limits.bytes)):
        size = int(joined.sizes[own[start:stop]].sum())
        batch = Batch(f"embed-{number:06d}", "embed", "image", model.name, stop - start, size)
        jobs.append((batch, own[start:stop]))

    def write(job: tuple[Batch, Positions]) -> Batch:
        batch, images = job
        owners = joined.matches.record_of_image[images]
        columns = [*joined.image_columns(images), joined.ids.take(pa.array(owners, mask=owners < 0))]
        write_timed(work.batch(batch.batch_id), EMBED_BATCH, columns, joined.image_times(images))
        return batch

    return list(map_bounded(write, jobs, _BATCHES_IN_FLIGHT))


@dataclass(frozen=True)
class Group:
    """Records or orphans to classify alike: positions of records, or of images for orphans."""

    modality: str
    model: Model
    positions: Positions


def write_classify_batches(work: Work, groups: Iterable[Group], joined: Joined, limits: Limits) -> list[Batch]:
    """Write what each group's model is to predict."""

    def write(job: tuple[Batch, Positions]) -> Batch:
        batch, positions = job
        make = {"image+tabular": _illustrated, "tabular": _tabular, "image": _orphaned}[batch.modality]
        times = joined.image_times(positions) if batch.modality == "image" else None
        write_timed(work.batch(batch.batch_id), CLASSIFY_BATCH, make(joined, positions), times)
        return batch

    return list(map_bounded(write, _classify_jobs(groups, joined, limits), _BATCHES_IN_FLIGHT))


def write_batch_list(work: Work, batches: list[Batch]) -> None:
    """Write the items of the state Infer; when they are there, so is all that they name."""
    storage.write(work.batches, msgspec.json.encode(batches))


def _classify_jobs(groups: Iterable[Group], joined: Joined, limits: Limits) -> Iterator[tuple[Batch, Positions]]:
    number = 0
    for group in groups:
        sizes = _encoded_sizes(group, joined)
        rows = limits.rows_for(group.model.images_per_second)
        for start, stop in cut(sizes + _attributes_weight(group, joined), rows, limits.bytes):
            name = f"classify-{number:06d}"
            size = int(sizes[start:stop].sum())
            batch = Batch(name, group.model.task, group.modality, group.model.name, stop - start, size)
            yield batch, group.positions[start:stop]
            number += 1


def _attributes_weight(group: Group, joined: Joined) -> Positions:
    if group.modality == "image":
        return np.zeros(len(group.positions), dtype=np.int64)
    return _ATTRIBUTES_WEIGH * joined.attribute_sizes[group.positions]


def _encoded_sizes(group: Group, joined: Joined) -> Positions:
    if group.modality == "image+tabular":
        return joined.record_sizes()[group.positions]
    if group.modality == "image":
        return joined.sizes[group.positions]
    return np.zeros(len(group.positions), dtype=np.int64)


def _illustrated(joined: Joined, records: Positions) -> list[pa.Array]:
    kind = CLASSIFY_BATCH.field("attributes").type
    paths, uris = joined.image_lists(records)
    return [joined.ids.take(pa.array(records)), paths, uris, joined.attributes(records, kind, with_id=True)]


def _tabular(joined: Joined, records: Positions) -> list[pa.Array]:
    kind = CLASSIFY_BATCH.field("attributes").type
    empty = _empty_lists(len(records))
    return [joined.ids.take(pa.array(records)), empty, empty, joined.attributes(records, kind, with_id=True)]


def _orphaned(joined: Joined, images: Positions) -> list[pa.Array]:
    offsets = pa.array(np.arange(len(images) + 1, dtype=np.int32))
    paths, uris = (pa.ListArray.from_arrays(offsets, column) for column in joined.image_columns(images))
    kind = CLASSIFY_BATCH.field("attributes").type
    return [pa.nulls(len(images), pa.string()), paths, uris, pa.array([[]] * len(images), kind)]


def _empty_lists(count: int) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, dtype=np.int32)), pa.array([], pa.string()))


def _record_columns(run: Run, joined: Joined, records: Positions) -> list[pa.Array]:
    count = len(records)
    kind = RECORDS.columns.field("attributes").type
    paths, _ = joined.image_lists(records)
    return [
        pa.repeat(run.experiment_id, count),
        joined.ids.take(pa.array(records)),
        pa.array(joined.matches.counts[records] > 0),
        paths,
        joined.attributes(records, kind, with_id=False),
        pa.repeat(_time(run.uploaded_at), count),
        pa.repeat(_time(run.started_at), count),
    ]


def _time(text: str) -> pa.Scalar:
    return pa.scalar(datetime.fromisoformat(text), RECORDS.columns.field("uploaded_at").type)


def write_timed(uri: str, schema: pa.Schema, columns: list[pa.Array], times: pa.Array | None) -> None:
    """Write a batch; where its images have `times` of their own, its rows will have them."""
    if times is None:
        write_file(uri, schema, columns)
    else:
        write_file(uri, schema.append(STORED), [*columns, times])


def write_file(uri: str, schema: pa.Schema, columns: list[pa.Array]) -> None:
    """Write one Parquet file of these columns, cast to the schema's types."""
    arrays = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, schema, **options(schema)) as parquet:
        parquet.write_table(pa.Table.from_arrays(arrays, schema=schema))
    storage.write(uri, buffer.getbuffer())
