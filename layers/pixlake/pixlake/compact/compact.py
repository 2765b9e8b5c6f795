"""The state Compact: an execution's parts become rows of the tables, one atomic commit a table.

Run again at any point, it ends with the same rows: a table that has the commit already is left alone.
"""

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import pyarrow as pa
from pyiceberg.catalog import Catalog

from pixlake import rejects, storage
from pixlake.catalog import is_partitioned, load_table, open_catalog
from pixlake.compact.commit import Target, commit_sources
from pixlake.compact.lost import find_lost, part_id, reject_rows
from pixlake.compact.rows import ParquetRows, Rows, TableRows
from pixlake.lake import Work
from pixlake.messages import Batch, CompactAnswer, CompactRequest
from pixlake.schemas import EMBEDDINGS, EXECUTIONS, PREDICTIONS, RECORDS, REJECTS, TableSchema
from pixlake.settings import CompactSettings

SECONDS = 840.0
"""How long to try by default: a Lambda's 15 minutes, less what a last attempt takes."""
_READERS = 16


def compact(request: CompactRequest, settings: CompactSettings, seconds: float = SECONDS) -> CompactAnswer:
    """Commit what the execution made, and the execution itself; answer its totals.

    `seconds` is the time to try in. Raises TooManyLost before anything is committed, CommitConflict where other
    writers came first all the time, StorageTrouble and CatalogTrouble.
    """
    work = Work(settings.lake_uri, request.run.execution_id)
    parts = _list_parts(work)
    lost = find_lost(work, request.split.batches.count, parts, settings.tolerated_lost_percent)
    catalog = open_catalog(settings.lake_uri, settings.catalog_uri)
    job = _Job(request, settings, work, catalog, time.monotonic() + seconds, lost)
    answer = CompactAnswer(
        images=request.split.images,
        embedded=job.commit_parts(EMBEDDINGS, parts),
        predicted=job.commit_parts(PREDICTIONS, parts),
        records=job.commit_parts(RECORDS, parts),
        rejected=job.commit_rejects(parts),
        lost_batches=len(lost),
    )
    job.commit_execution(answer)
    return answer


@dataclass(frozen=True)
class _Job:
    request: CompactRequest
    settings: CompactSettings
    work: Work
    catalog: Catalog
    deadline: float
    lost: Sequence[Batch]

    def commit_parts(self, schema: TableSchema, parts: dict[str, list[str]]) -> int:
        target = self._target(schema)
        return self._commit(target, [ParquetRows(target.table.io, uri, schema.columns) for uri in parts[schema.name]])

    def commit_rejects(self, parts: dict[str, list[str]]) -> int:
        """The rejects that the steps wrote, and the rows of lost batches, whose own files tell only part of it."""
        target = self._target(REJECTS)
        lost = {f"{batch.task}-{batch.batch_id}" for batch in self.lost}
        files = [uri for uri in parts[REJECTS.name] if part_id(uri) not in lost]
        with ThreadPoolExecutor(_READERS) as pool:
            written = list(pool.map(storage.read, files))
        tables = [self._reject_table(rejects.decode(data)) for data in written]
        sources = [TableRows(uri, table) for uri, table in zip(files, tables, strict=True)]
        named = reject_rows(self.work, target.table.io, self.lost)
        return self._commit(target, [*sources, TableRows("lost", self._reject_table(named))])

    def commit_execution(self, answer: CompactAnswer) -> None:
        run = self.request.run
        row = {
            "execution_id": run.execution_id,
            "experiment_id": run.experiment_id,
            "upload_uri": run.upload_uri,
            "status": "SUCCEEDED",
            "started_at": datetime.fromisoformat(run.started_at),
            "finished_at": datetime.now(UTC),
            "models": self.request.split.models,
        }
        totals = {name: getattr(answer, name) for name in ("images", "records", "embedded", "predicted", "rejected")}
        rows = pa.Table.from_pylist([row | totals], schema=EXECUTIONS.columns)
        self._commit(self._target(EXECUTIONS), [TableRows("execution", rows)], run.execution_id)

    def _target(self, schema: TableSchema) -> Target:
        partition = self.request.run.experiment_id if is_partitioned(schema) else None
        table = load_table(self.catalog, schema.name)
        return Target(table, schema, partition, self.settings.target_file_bytes, self.deadline)

    def _commit(self, target: Target, sources: Sequence[Rows], *more: str) -> int:
        return commit_sources(target, sources, commit_id(self.request, self.lost, target.schema.name, *more))

    def _reject_table(self, rows: Sequence[rejects.Reject]) -> pa.Table:
        run = self.request.run
        same = {
            "experiment_id": run.experiment_id,
            "uploaded_at": datetime.fromisoformat(run.uploaded_at),
            "processed_at": datetime.fromisoformat(run.started_at),
        }
        return pa.Table.from_pylist([msgspec.structs.asdict(row) | same for row in rows], schema=REJECTS.columns)


def commit_id(request: CompactRequest, lost: Sequence[Batch], *more: str) -> str:
    """The identity of what is committed: the same upload, handled in the same way, has the same one."""
    run, split = request.run, request.split
    options = msgspec.to_builtins(request.options)
    missing = sorted(batch.batch_id for batch in lost)
    identity = [
        run.upload_id,
        run.uploaded_at,
        run.experiment_id,
        options,
        split.models,
        split.id_column,
        missing,
        more,
    ]
    return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _list_parts(work: Work) -> dict[str, list[str]]:
    """The parts of each table, by name; the names are the order in which Split cut them."""
    parts: dict[str, list[str]] = defaultdict(list)
    for info in storage.list_objects(storage.join(work.uri, "parts")):
        parts[info.uri.rsplit("/", 2)[1]].append(info.uri)
    return defaultdict(list, {table: sorted(uris) for table, uris in parts.items()})
