"""Maintenance of one table: small files merged, old snapshots expired, orphan files deleted.

Each is safe beside commits: a conflict is retried or left to the next run, and an orphan is deleted only when it is
older than any commit can run.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pixlake import storage
from pixlake.errors import CommitConflict
from pixlake.iceberg.commit import Target, pack_small_files
from pixlake.iceberg.fileio import delete_files
from pixlake.iceberg.recovery import METADATA_END, WAY_OUT, read_uuid
from pixlake.iceberg.translation import CONFLICTS, translated
from pixlake.schemas import TableSchema
from pixlake.settings import CompactSettings


def pack(table: Table, schema: TableSchema, deadline: float) -> None:
    """Merge the small files of each partition, as long as that makes them fewer; conflicts with other writers wait."""
    for partition in _partitions(table, schema):
        target = Target(table, schema, partition, CompactSettings.target_file_bytes, deadline, small_files=1)
        with suppress(CommitConflict):
            while time.monotonic() < deadline and pack_small_files(target):
                pass


def _partitions(table: Table, schema: TableSchema) -> list[str | None]:
    if not schema.partitioned:
        return [None]
    with translated(f"table {schema.name}"):
        return sorted({task.file.partition[0] for task in table.scan().plan_files()})


@retry(
    retry=retry_if_exception_type(CONFLICTS),  # others commit, and the catalog swaps one pointer
    wait=wait_random_exponential(multiplier=0.1, max=5),
    stop=stop_after_attempt(10),
    reraise=True,
)
def expire_snapshots(table: Table, before: datetime) -> int:
    """Expire the snapshots that no time since `before` needs, never the current one. Returns their number."""
    table.refresh()
    current = table.current_snapshot()
    expired = [
        each for each in choose_expired(table.metadata.snapshots, before) if current and each != current.snapshot_id
    ]
    if expired:
        table.maintenance.expire_snapshots().by_ids(expired).commit()
    return len(expired)


def choose_expired(snapshots: Sequence[Snapshot], before: datetime) -> list[int]:
    """The ids of the snapshots older than `before` except the newest of them, which was current at that time."""
    cutoff = before.timestamp() * 1000
    older = sorted((each for each in snapshots if each.timestamp_ms < cutoff), key=lambda each: each.timestamp_ms)
    return [each.snapshot_id for each in older[:-1]]


def delete_orphans(table: Table, before: datetime) -> tuple[int, str]:
    """Delete old files under the table that no snapshot references: the remains of crashed commits and expired
    snapshots.

    Returns their number and, where none may be deleted, the reason: a table without a snapshot, or with metadata of
    another table below its location, may have lost the pointer to its metadata.
    """
    name = ".".join(table.name())
    with translated(f"table {name}"):
        if table.current_snapshot() is None:
            return 0, ""
        needed = {path.rpartition("/")[2] for path in _referenced(table)}
    found = storage.list_objects(table.location())
    # file names are unique, and do not depend on how a store spells the folders above
    orphans = [info.uri for info in found if info.last_modified < before and info.uri.rpartition("/")[2] not in needed]
    if any(uri.endswith(METADATA_END) and read_uuid(uri) != str(table.metadata.table_uuid) for uri in orphans):
        reason = f"{table.location()} holds metadata of another table than {name}: nothing is deleted there. {WAY_OUT}"
        return 0, reason
    delete_files(orphans)
    return len(orphans), ""


def _referenced(table: Table) -> Iterator[str]:
    """Every file that the table's metadata references."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    yield from (statistics.statistics_path for statistics in table.metadata.statistics)
    manifests = {}
    for snapshot in table.metadata.snapshots:
        yield snapshot.manifest_list
        manifests.update({manifest.manifest_path: manifest for manifest in snapshot.manifests(table.io)})
    for path, manifest in manifests.items():
        yield path
        yield from (entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io))
