"""One atomic commit of rows to one table, without a lock, serialisable.

A commit is planned on one snapshot and holds only if that snapshot is still the current one; the catalog checks that
when it swaps the pointer (`VersionId` on Glue, a compare-and-set in SQLite). Whoever comes second plans again on the
new snapshot, using the files that an attempt has written where their rows stay the same. pyiceberg's own retry may put
a commit on top of others that it validates to have added no data file (isolation `serializable`); anything else is a
conflict, and planned again here.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot, ancestors_of
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from pixlake.errors import BadRequest, CommitConflict, PixlakeError
from pixlake.iceberg.agreement import COMPLETE, Agreement, with_horizon
from pixlake.iceberg.datafiles import Destination, write_data_files
from pixlake.iceberg.keys import PARTITION
from pixlake.iceberg.merge import EMPTY_INDEX, KeyIndex, index_keys, merge_rows
from pixlake.iceberg.plan import SMALL_FILES, Plan, Stream, plan_commit
from pixlake.iceberg.rows import Rows
from pixlake.iceberg.transactions import begin
from pixlake.iceberg.translation import CONFLICTS, translated
from pixlake.messages import Effect
from pixlake.schemas import TableSchema

COMMIT_ID = "pixlake.commit-id"
"""The key in a snapshot's summary that names what was committed."""
DELETED = "pixlake.deleted"
"""The key in a snapshot's summary that names the experiment of which it took rows out."""
_EXECUTION, _EFFECT = "pixlake.execution", "pixlake.effect"
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Target:
    """A partition of a table to commit to, and until when (`time.monotonic`) to try."""

    table: Table
    schema: TableSchema
    partition: str | None
    target_file_bytes: int
    deadline: float
    small_files: int = SMALL_FILES


@dataclass(frozen=True)
class Origin:
    """What is committed. A `commit_id` that is in the table's history changes nothing; `execution` says whose commit it
    was. `agree` makes what the rows must agree with. A `complete` upload, uploaded then, replaces all older rows. A
    `deletion` lets uploads of before be committed again."""

    commit_id: str
    execution: str = ""
    agree: Callable[[], Agreement] = Agreement
    complete: datetime | None = None
    deletion: bool = False

    @property
    def horizon(self) -> int | None:
        """`complete` in microseconds since 1970."""
        return None if self.complete is None else pa.scalar(self.complete, _TIME).cast(pa.int64()).as_py()


def commit_sources(target: Target, sources: Sequence[Rows], commit_id: str) -> int:
    """Commit the rows of all sources, one row a key; returns how many keys there are.

    Raises CommitConflict where others came first until the deadline, CatalogError and StorageError.
    """
    return commit_upload(target, sources, Origin(commit_id)).given


def commit_upload(target: Target, sources: Sequence[Rows], origin: Origin) -> Effect:
    """Commit the rows of all sources, one row a key, and what else of the partition must change with them.

    Raises as `commit_sources`.
    """
    with translated(f"table {target.schema.name}"):
        incoming = index_keys(sources, target.schema)
        return _Committer(target, incoming, origin).run()


def pack_small_files(target: Target) -> bool:
    """Merge the partition's small files beyond `small_files`; whether there was anything to merge."""
    with translated(f"table {target.schema.name}"):
        committer = _Committer(target, EMPTY_INDEX, Origin(f"pack {uuid4()}"))
        committer.run()
        return committer.changed


def find_commit(table: Table, commit_id: str, partition: str | None = None) -> Snapshot | None:
    """The snapshot of this identity, if it is still held, the current one comes from it, and the partition has not been
    deleted since."""
    for snapshot in ancestors_of(table.current_snapshot(), table.metadata):
        if snapshot.summary is None:
            continue
        if snapshot.summary[COMMIT_ID] == commit_id:
            return snapshot
        if partition is not None and snapshot.summary[DELETED] == partition:
            return None
    return None


@dataclass
class _Committer:
    """The attempts of one commit; `written` are the data files of its streams so far."""

    target: Target
    incoming: KeyIndex
    origin: Origin
    written: dict[str, list[DataFile]] = field(default_factory=dict)
    changed: bool = False
    again: bool = False

    def run(self) -> Effect:
        """Attempt until it holds; what it did to the table."""
        attempts = Retrying(
            retry=retry_if_exception_type(CONFLICTS),
            wait=wait_random_exponential(multiplier=0.1, max=10),
            stop=stop_after_delay(max(0.0, self.target.deadline - time.monotonic())),
        )
        try:
            effect: Effect = attempts(self._attempt)
            while self.again:
                self.again = False
                attempts(self._attempt, settled=True)
        except RetryError as error:
            landed = find_commit(self.target.table.refresh(), self.origin.commit_id, self.target.partition)
            if landed is not None:
                return self._repeated(landed)  # the last answer was lost, not the commit
            self._discard(self.written)
            raise self._conflict(error) from error.last_attempt.exception()
        return effect

    def _attempt(self, settled: bool = False) -> Effect:
        """Plan on the newest snapshot, write what is not written yet, and commit on just that snapshot."""
        target = self.target
        table = target.table.refresh()
        landed = find_commit(table, self.origin.commit_id, target.partition)
        if landed is not None and not settled:
            return self._repeated(landed)
        plan = self._plan(table, EMPTY_INDEX if settled else self.incoming, everything=settled)
        if plan.empty and (settled or self.origin.complete is None):
            return plan.effect
        added = [file for stream in plan.streams for file in self._write(stream)]
        self._replace(table, plan, added)
        self._discard(self.written.keys() - {stream.identity for stream in plan.streams})
        self.changed = True
        return plan.effect

    def _plan(self, table: Table, incoming: KeyIndex, *, everything: bool) -> Plan:
        target = self.target
        agreement = with_horizon(self.origin.agree(), table, target.partition, self.origin.horizon)
        agreement = replace(agreement, everything=agreement.everything or everything)
        return plan_commit(
            table, target.schema, target.partition, incoming, target.target_file_bytes, target.small_files, agreement
        )

    def _repeated(self, landed: Snapshot) -> Effect:
        """The effect of a commit that is there: another execution's was the same upload, which changes nothing now. Its
        rows are still there, or newer ones are, or they have gone since."""
        assert landed.summary is not None
        if landed.summary[_EXECUTION] == self.origin.execution and landed.summary[_EFFECT]:
            return msgspec.json.decode(str(landed.summary[_EFFECT]), type=Effect)
        found = self._plan(self.target.table, self.incoming, everything=False).effect
        return Effect(unchanged=found.replaced + found.unchanged, older=found.new + found.older)

    def _write(self, stream: Stream) -> list[DataFile]:
        identity = stream.identity
        if identity not in self.written:
            target = self.target
            merged = self._checked(merge_rows(*stream.resolve(), target.schema.columns.names))
            rows = map(stream.agreement.apply, merged)
            destination = Destination(target.table, target.partition, target.target_file_bytes)
            self.written[identity] = write_data_files(destination, rows)
        return self.written[identity]

    def _checked(self, chunks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The rows, as long as they belong to the partition; elsewhere no reader would find them."""
        for chunk in chunks:
            partition = self.target.partition
            if partition is not None and not pc.all(pc.equal(chunk[PARTITION], partition)).as_py():
                raise BadRequest(f"table {self.target.schema.name}: rows of another experiment than {partition!r}")
            yield chunk

    def _replace(self, table: Table, plan: Plan, added: Iterable[DataFile]) -> None:
        """Files out and files in, as one snapshot."""
        planned = table.current_snapshot()
        summary = {COMMIT_ID: self.origin.commit_id}
        if self.origin.deletion:
            summary[DELETED] = str(self.target.partition)
        if self.origin.execution:
            summary |= {_EXECUTION: self.origin.execution, _EFFECT: msgspec.json.encode(plan.effect).decode()}
        with begin(table) as transaction:
            if self.origin.complete is not None:
                transaction.set_properties({f"{COMPLETE}{self.target.partition}": str(plan.horizon)})
            with transaction.update_snapshot(summary).overwrite() as snapshot:
                for file in plan.removed:
                    snapshot.delete_data_file(file)
                for file in added:
                    snapshot.append_data_file(file)
        landed = find_commit(table, self.origin.commit_id)
        # pyiceberg's own retry puts it on top of a commit that only took files out, which may have been complete
        base = None if landed is None else landed.parent_snapshot_id
        self.again = base != (None if planned is None else planned.snapshot_id)

    def _discard(self, identities: Iterable[str]) -> None:
        """Delete files of attempts known not to have landed. What is missed here, `maintain` finds."""
        for identity in identities:
            for file in self.written[identity]:
                with suppress(PixlakeError):
                    self.target.table.io.delete(file.file_path)

    def _conflict(self, error: RetryError) -> CommitConflict:
        last = error.last_attempt
        tries = f"{last.attempt_number} attempts"
        return CommitConflict(f"table {self.target.schema.name}: others committed first, {tries}: {last.exception()}")
