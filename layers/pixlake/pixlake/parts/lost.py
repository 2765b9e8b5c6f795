"""Compares the batches that Split planned with the parts that exist. A batch without its part is lost: each of its rows
is named in `rejects`, and too many lost batches fail the execution, whatever the interpreter tolerates."""

from collections.abc import Sequence

import msgspec
import pyarrow.parquet as pq
from pyiceberg.io import FileIO

from pixlake import storage
from pixlake.errors import TooManyLost
from pixlake.lake import Work
from pixlake.messages import Batch
from pixlake.rejects import Reject, Stage
from pixlake.schemas import EMBEDDINGS, PREDICTIONS

REASON = "batch_lost"
_TABLES = {Stage.EMBED: EMBEDDINGS.name, Stage.CLASSIFY: PREDICTIONS.name}


def find_lost(work: Work, planned: int, parts: dict[str, list[str]], tolerated_percent: float) -> list[Batch]:
    """The planned batches whose part is missing; `parts` are the parts found, by table.

    Raises TooManyLost above the tolerance.
    """
    if not planned:
        return []
    batches = msgspec.json.decode(storage.read(work.batches), type=list[Batch])
    found = {(table, part_id(uri)) for table, uris in parts.items() for uri in uris}
    lost = [batch for batch in batches if (_TABLES[stage_of(batch)], batch.batch_id) not in found]
    if 100 * len(lost) > tolerated_percent * len(batches):
        names = ", ".join(batch.batch_id for batch in lost[:5])
        raise TooManyLost(
            f"{len(lost)} of {len(batches)} batches of {work.execution_id} have no part ({names}, …), more than"
            f" {tolerated_percent} %: nothing is committed; see the logs of embed and classify, then run it again"
        )
    return lost


def reject_rows(work: Work, io: FileIO, lost: Sequence[Batch]) -> list[Reject]:
    """A reject for each row of the lost batches, by image path, or by record id where it is a record."""
    remedy = f"run it again: pixlake retry {work.execution_id}"
    return [
        Reject(source, stage_of(batch), REASON, f"batch {batch.batch_id} gave no result; {remedy}")
        for batch in lost
        for source in _sources(work, io, batch)
    ]


def part_id(uri: str) -> str:
    """The file name of a part or of rejects, without its extension."""
    return uri.rpartition("/")[2].rpartition(".")[0]


def stage_of(batch: Batch) -> Stage:
    """The stage of a batch: CLASSIFY in either container."""
    return Stage.EMBED if batch.task == Stage.EMBED else Stage.CLASSIFY


def _sources(work: Work, io: FileIO, batch: Batch) -> list[str]:
    columns = ["image_path"] if stage_of(batch) == Stage.EMBED else ["record_id", "image_paths"]
    with io.new_input(work.batch(batch.batch_id)).open() as file:
        rows = pq.read_table(file, columns=columns).to_pylist()
    return [row.get("image_path") or row.get("record_id") or row["image_paths"][0] for row in rows]
