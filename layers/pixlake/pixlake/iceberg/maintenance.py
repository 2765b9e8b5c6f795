"""Maintenance of one table: small files merged, old snapshots expired, orphan files deleted.

Each is safe beside commits: a conflict is retried or left to the next time, and an orphan is deleted only when it is
older than any commit can run.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from pyiceberg.table import Table
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pixlake import storage
from pixlake.errors import CommitConflict
from pixlake.iceberg.commit import Target, pack_small_files
from pixlake.iceberg.translation import CONFLICTS, translated
from pixlake.schemas import TableSchema
from pixlake.settings import CompactSettings


def pack(table: Table, schema: TableSchema, deadline: float) -> None:
    """Merge the small files of each partition, as long as that makes them fewer; what others write to can wait."""
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
    """Forget the snapshots from before; the current one always stays."""
    table.refresh()
    held = len(table.metadata.snapshots)
    if held > 1:
        table.maintenance.expire_snapshots().older_than(before).commit()
    return held - len(table.metadata.snapshots)


def delete_orphans(table: Table, before: datetime) -> int:
    """Delete old files under the table that no snapshot leads to: what crashed commits and expired snapshots left."""
    with translated(f"table {'.'.join(table.name())}"):
        needed = {name.rpartition("/")[2] for name in _referenced(table)}
    found = storage.list_objects(table.location())
    # file names are unique, and do not depend on how a store spells the folders above
    orphans = [info.uri for info in found if info.last_modified < before and info.uri.rpartition("/")[2] not in needed]
    storage.delete(orphans)
    return len(orphans)


def _referenced(table: Table) -> Iterator[str]:
    """Every file that the table's metadata leads to."""
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
