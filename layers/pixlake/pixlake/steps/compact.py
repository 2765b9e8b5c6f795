"""The state Compact: an execution's parts become rows of the tables, one atomic commit a table.

Run again at any point, it ends with the same rows: a table that has the commit already is left alone.
"""

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import msgspec
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from pixlake import storage
from pixlake.errors import BadUpload
from pixlake.experiments import Experiment, keep_experiment
from pixlake.iceberg.agreement import Withdrawal, find_horizon
from pixlake.iceberg.catalog import lake_files, load_table, open_catalog
from pixlake.iceberg.commit import Origin, Target, commit_upload
from pixlake.iceberg.rows import ParquetRows
from pixlake.iceberg.uploads import AGREEING, UploadCommit
from pixlake.lake import Work
from pixlake.matching.fits import Fits
from pixlake.messages import CompactAnswer, CompactRequest, Effect, Finished
from pixlake.parts.broken import drop_broken
from pixlake.parts.handover import hand_over
from pixlake.parts.lost import find_lost
from pixlake.parts.rejected import ExecutionRejects
from pixlake.parts.withdrawn import find_withdrawn
from pixlake.retries import write_finished
from pixlake.schemas import EMBEDDINGS, PREDICTIONS, RECORDS, REJECTS
from pixlake.settings import CompactSettings, Engine

LAST_ATTEMPT = 60.0
"""Seconds that a last attempt takes, begun just in time."""
SECONDS = 900.0 - LAST_ATTEMPT
"""How long to try by default: a Lambda's 15 minutes, less a last attempt."""

_ON_ATHENA = (
    "Athena's MERGE cannot keep a complete upload apart from others at once; leave `complete` out, or let the function"
    " merge (CompactionEngine: lambda)"
)


def compact(request: CompactRequest, settings: CompactSettings, seconds: float = SECONDS) -> CompactAnswer:
    """Commit what the execution made; answer its totals.

    Where the engine is Athena nothing is committed here: the answer carries the statements that do it.
    `seconds` is the time to try in. Raises TooManyLost before anything is committed (for a complete upload by a single
    batch), BadUpload `complete_on_athena` and `older_than_complete` where Athena
    cannot do it, CommitConflict where other
    writers came first all the time, StorageError and CatalogError.
    """
    work = Work(settings.lake_uri, request.run.execution_id)
    parts = _list_parts(work)
    complete = bool(request.options.complete)
    if complete and settings.compaction_engine is Engine.ATHENA:
        raise BadUpload("complete_on_athena", _ON_ATHENA)
    # what a lost batch holds would be gone from the tables, too
    tolerated = 0.0 if complete else settings.tolerated_lost_percent
    lost = find_lost(work, request.split.batches.count, parts, tolerated)
    catalog = open_catalog(settings.lake_uri, settings.catalog_uri)
    execution = ExecutionRejects(request, work, lost)
    _keep_key(request, settings)
    with_image = drop_broken(parts[REJECTS.name], request.split, parts[RECORDS.name])
    write_finished(work, Finished(request, tuple(lost)))
    if settings.compaction_engine is Engine.ATHENA:
        _refuse_older(request, load_table(catalog, RECORDS.name))
        answer = hand_over(execution, parts, lake_files(catalog), settings)
        return msgspec.structs.replace(answer, with_image=with_image)
    missing = [*(batch.batch_id for batch in lost), *execution.passing(parts[REJECTS.name])]
    job = _Job(execution, settings, catalog, time.monotonic() + seconds, missing)
    effects = job.commit_parts(parts)
    answer = CompactAnswer(
        images=request.split.images,
        embedded=effects[EMBEDDINGS.name].given,
        predicted=effects[PREDICTIONS.name].given,
        records=effects[RECORDS.name].given,
        rejected=job.commit_rejects(parts),
        lost_batches=len(lost),
        effects=effects,
        with_image=with_image,
    )
    storage.write(work.compacted, msgspec.json.encode(answer))
    return answer


def _refuse_older(request: CompactRequest, records: Table) -> None:
    run = request.run
    since = find_horizon(records, run.experiment_id)
    if datetime.fromisoformat(run.uploaded_at) < since:
        raise BadUpload(
            "older_than_complete",
            f"the experiment {run.experiment_id!r} had a complete upload at {since.isoformat()}, and this one is older;"
            " nothing of it would come into the tables",
        )


def _keep_key(request: CompactRequest, settings: CompactSettings) -> None:
    """The id column is settled before the first row is committed: of two first uploads at once one must give way."""
    run, column = request.run, request.split.id_column
    if column is not None and request.split.records:
        keep_experiment(settings.lake_uri, run.experiment_id, Experiment(column, run.upload_uri, request.split.guessed))


@dataclass(frozen=True)
class _Job:
    execution: ExecutionRejects
    settings: CompactSettings
    catalog: Catalog
    deadline: float
    missing: Sequence[str]

    @property
    def request(self) -> CompactRequest:
        return self.execution.request

    def commit_parts(self, parts: dict[str, list[str]]) -> dict[str, Effect]:
        """What became of rows, by table."""
        request, settings = self.request, self.settings
        uploaded = datetime.fromisoformat(request.run.uploaded_at)
        commit = UploadCommit(
            self.catalog,
            request.run.experiment_id,
            request.run.execution_id,
            self._commit_id,
            settings.target_file_bytes,
            self.deadline,
            complete=uploaded if request.options.complete else None,
            fit=Fits,
        )
        io = lake_files(self.catalog)
        sources = {
            schema.name: [ParquetRows(io, uri, schema.columns) for uri in parts[schema.name]] for schema in AGREEING
        }
        effects = dict(commit.steps(sources))
        return {schema.name: effects[schema.name] for schema in AGREEING}

    def commit_rejects(self, parts: dict[str, list[str]]) -> int:
        table, partition = load_table(self.catalog, REJECTS.name), self.request.run.experiment_id
        target = Target(table, REJECTS, partition, self.settings.target_file_bytes, self.deadline)
        sources = self.execution.sources(parts[REJECTS.name], target.table.io)
        withdrawn = find_withdrawn(self.request, self.settings.lake_uri, sources, target.table.io)
        agreement = Withdrawal.of(withdrawn, REJECTS)
        return commit_upload(target, sources, Origin(self._commit_id(REJECTS.name), agree=lambda: agreement)).given

    def _commit_id(self, table: str) -> str:
        return commit_id(self.request, self.missing, table)


def commit_id(request: CompactRequest, missing: Sequence[str], table: str) -> str:
    """The identity of what is committed: the same upload, handled in the same way, has the same one. `missing` names
    what of it is lost, or rejected for reasons that may pass, so that a whole execution is another one."""
    run, split = request.run, request.split
    options = msgspec.to_builtins(request.options)
    identity = [
        run.upload_id,
        run.uploaded_at,
        run.experiment_id,
        options,
        split.models,
        split.id_column,
        sorted(missing),
        table,
        *([run.retry_of] if run.retry_of else []),
    ]
    return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _list_parts(work: Work) -> dict[str, list[str]]:
    """The parts of each table, by name; the names are the order in which Split cut them."""
    parts: dict[str, list[str]] = defaultdict(list)
    for info in storage.list_objects(storage.join(work.uri, "parts")):
        parts[info.uri.rsplit("/", 2)[1]].append(info.uri)
    return defaultdict(list, {table: sorted(uris) for table, uris in parts.items()})
