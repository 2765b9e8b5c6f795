"""One atomic commit of rows to one table, without a lock, serialisable.

A commit is planned on one snapshot and holds only if that snapshot is still the current one; the catalog checks that
when it swaps the pointer (`VersionId` on Glue, a compare-and-set in SQLite). Whoever comes second plans again on the
new snapshot, using the files that an attempt has written where their rows stay the same. pyiceberg's own retry may put
a commit on top of others that it validates to have added no data file (isolation `serializable`); anything else is a
conflict, and planned again here.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from pixlake.errors import BadRequest, CommitConflict, PixlakeError
from pixlake.iceberg.datafiles import Destination, write_data_files
from pixlake.iceberg.keys import PARTITION
from pixlake.iceberg.merge import EMPTY_INDEX, KeyIndex, index_keys, merge_rows
from pixlake.iceberg.plan import SMALL_FILES, Plan, Stream, plan_commit
from pixlake.iceberg.rows import Rows
from pixlake.iceberg.translation import CONFLICTS, translated
from pixlake.schemas import TableSchema

COMMIT_ID = "pixlake.commit-id"
"""The key in a snapshot's summary that names what was committed."""


@dataclass(frozen=True)
class Target:
    """A partition of a table to commit to, and until when (`time.monotonic`) to try."""

    table: Table
    schema: TableSchema
    partition: str | None
    target_file_bytes: int
    deadline: float
    small_files: int = SMALL_FILES


def commit_sources(target: Target, sources: Sequence[Rows], commit_id: str) -> int:
    """Commit the rows of all sources, one row a key; returns how many keys there are.

    A `commit_id` that is in the table's history does nothing. Raises CommitConflict where others came first until the
    deadline, CatalogError and StorageError.
    """
    with translated(f"table {target.schema.name}"):
        incoming = index_keys(sources, target.schema)
        rows = len(incoming.order())
        if rows:
            _Committer(target, incoming, commit_id).run()
        return rows


def pack_small_files(target: Target) -> bool:
    """Merge the partition's small files beyond `small_files`; whether there was anything to merge."""
    with translated(f"table {target.schema.name}"):
        return _Committer(target, EMPTY_INDEX, f"pack {uuid4()}").run()


def is_committed(table: Table, commit_id: str) -> bool:
    """Whether a snapshot that is still held, and that the current one comes from, has this identity."""
    snapshots = ancestors_of(table.current_snapshot(), table.metadata)
    return any(snapshot.summary is not None and snapshot.summary[COMMIT_ID] == commit_id for snapshot in snapshots)


@dataclass
class _Committer:
    """The attempts of one commit; `written` are the data files of its streams so far."""

    target: Target
    incoming: KeyIndex
    commit_id: str
    written: dict[str, list[DataFile]] = field(default_factory=dict)

    def run(self) -> bool:
        """Attempt until it holds; whether the table changed."""
        attempts = Retrying(
            retry=retry_if_exception_type(CONFLICTS),
            wait=wait_random_exponential(multiplier=0.1, max=10),
            stop=stop_after_delay(max(0.0, self.target.deadline - time.monotonic())),
        )
        try:
            changed = bool(attempts(self._attempt))
        except RetryError as error:
            if is_committed(self.target.table.refresh(), self.commit_id):
                return True  # the last answer was lost, not the commit
            self._discard(self.written)
            raise self._conflict(error) from error.last_attempt.exception()
        return changed

    def _attempt(self) -> bool:
        """Plan on the newest snapshot, write what is not written yet, and commit on just that snapshot."""
        target = self.target
        table = target.table.refresh()
        if is_committed(table, self.commit_id):
            return False
        plan = plan_commit(
            table, target.schema, target.partition, self.incoming, target.target_file_bytes, target.small_files
        )
        if plan.empty:
            return False
        added = [file for stream in plan.streams for file in self._write(stream)]
        self._replace(table, plan, added)
        self._discard(self.written.keys() - {stream.identity for stream in plan.streams})
        return True

    def _write(self, stream: Stream) -> list[DataFile]:
        identity = stream.identity
        if identity not in self.written:
            target = self.target
            rows = self._checked(merge_rows(*stream.resolve(), target.schema.columns.names))
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
        summary = {COMMIT_ID: self.commit_id}
        with table.transaction() as transaction, transaction.update_snapshot(summary).overwrite() as snapshot:
            for file in plan.removed:
                snapshot.delete_data_file(file)
            for file in added:
                snapshot.append_data_file(file)

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
