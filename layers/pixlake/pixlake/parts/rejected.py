"""The rows of `rejects` of one execution: those that its steps wrote, and those of lost batches.

Both engines commit the same rows: the Lambda from memory, Athena from the file that `handover` writes.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import msgspec
import pyarrow as pa
from pyiceberg.io import FileIO

from pixlake import rejects, storage
from pixlake.iceberg.rows import TableRows
from pixlake.lake import Work
from pixlake.messages import Batch, CompactRequest
from pixlake.parts.lost import part_id, reject_rows
from pixlake.retries import PASSING
from pixlake.schemas import REJECTS

_READERS = 16


@dataclass(frozen=True)
class ExecutionRejects:
    """The rejects of an execution that lost the batches `lost`."""

    request: CompactRequest
    work: Work
    lost: Sequence[Batch]

    def sources(self, files: Sequence[str], io: FileIO) -> list[TableRows]:
        """The rejects that the steps wrote to `files`, and the rows of lost batches, whose own files are incomplete."""
        sources = [TableRows(uri, self._table(rows)) for uri, rows in self._written(files)]
        return [*sources, TableRows("lost", self._table(reject_rows(self.work, io, self.lost)))]

    def passing(self, files: Sequence[str]) -> list[str]:
        """Stage and name of what another execution of the upload may not reject."""
        told = (row for _, rows in self._written(files) for row in rows)
        return sorted({f"{row.stage} {row.source}" for row in told if row.reason in PASSING})

    def _written(self, files: Sequence[str]) -> Iterator[tuple[str, list[rejects.Reject]]]:
        lost = {f"{batch.task}-{batch.batch_id}" for batch in self.lost}
        complete = [uri for uri in files if part_id(uri) not in lost]
        with ThreadPoolExecutor(_READERS) as pool:
            yield from zip(complete, pool.map(lambda uri: rejects.decode(storage.read(uri)), complete), strict=True)

    def _table(self, rows: Sequence[rejects.Reject]) -> pa.Table:
        run = self.request.run
        same = {
            "experiment_id": run.experiment_id,
            "uploaded_at": datetime.fromisoformat(run.uploaded_at),
            "processed_at": datetime.fromisoformat(run.started_at),
        }
        return pa.Table.from_pylist([msgspec.structs.asdict(row) | same for row in rows], schema=REJECTS.columns)
