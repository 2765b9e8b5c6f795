"""The clean-up that runs on a schedule: small files merged, old snapshots expired, what nothing names deleted.

Nothing of a running execution is touched: a file that no snapshot names is deleted only when it is older than any
commit can run, and a work folder only when it has been idle as long.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pyiceberg.catalog import Catalog
from pyiceberg.expressions import EqualTo, Reference
from pyiceberg.expressions.literals import literal
from pyiceberg.table import Table
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pixlake import storage
from pixlake.errors import CommitConflict
from pixlake.iceberg.catalog import is_partitioned, load_table, open_catalog
from pixlake.iceberg.commit import Target, pack_small_files
from pixlake.iceberg.translation import CONFLICTS, translated
from pixlake.messages import MaintainAnswer
from pixlake.schemas import EXECUTIONS, TABLES, TableSchema
from pixlake.settings import CompactSettings, MaintainSettings

SAFE_AGE = timedelta(days=1)
"""Longer than any commit or execution step runs, retries and all."""
SECONDS = 600.0
"""How long small files are merged by default; the next call goes on."""
_FOLDERS_DEEPER = {"map-runs"}  # folders of work/ that hold one folder a run themselves


def maintain(settings: MaintainSettings, seconds: float = SECONDS) -> MaintainAnswer:
    """Clean one lake, then merge small files for up to `seconds`. Raises CatalogError, StorageError."""
    catalog = open_catalog(settings.lake_uri, settings.catalog_uri)
    now = datetime.now(UTC)
    expired = deleted = 0
    for name in TABLES:
        expired += _expire(load_table(catalog, name), now - timedelta(days=settings.snapshot_days))
        deleted += _delete_orphans(load_table(catalog, name), now - SAFE_AGE)
    folders = _delete_work(settings.lake_uri, catalog, now - timedelta(days=settings.work_days), now - SAFE_AGE)
    for name, schema in TABLES.items():
        _pack(load_table(catalog, name), schema, time.monotonic() + seconds / len(TABLES))
    return MaintainAnswer(expired_snapshots=expired, deleted_files=deleted, deleted_work=folders)


def _pack(table: Table, schema: TableSchema, deadline: float) -> None:
    """Merge the small files of each partition, as long as that makes them fewer; what others write to can wait."""
    for partition in _partitions(table, schema):
        target = Target(table, schema, partition, CompactSettings.target_file_bytes, deadline, small_files=1)
        with suppress(CommitConflict):
            while time.monotonic() < deadline and pack_small_files(target):
                pass


def _partitions(table: Table, schema: TableSchema) -> list[str | None]:
    if not is_partitioned(schema):
        return [None]
    with translated(f"table {schema.name}"):
        return sorted({task.file.partition[0] for task in table.scan().plan_files()})


@retry(
    retry=retry_if_exception_type(CONFLICTS),  # others commit, and the catalog swaps one pointer
    wait=wait_random_exponential(multiplier=0.1, max=5),
    stop=stop_after_attempt(10),
    reraise=True,
)
def _expire(table: Table, before: datetime) -> int:
    """Forget the snapshots from before; the current one always stays."""
    table.refresh()
    held = len(table.metadata.snapshots)
    if held > 1:
        table.maintenance.expire_snapshots().older_than(before).commit()
    return held - len(table.metadata.snapshots)


def _delete_orphans(table: Table, before: datetime) -> int:
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


def _delete_work(lake: str, catalog: Catalog, before: datetime, idle: datetime) -> int:
    """Delete the folders in which nothing was written since `before`, if their execution has ended or is long idle."""
    root = storage.join(lake, "work")
    folders: dict[str, list[storage.ObjectInfo]] = defaultdict(list)
    for info in storage.list_objects(root):
        folders[_folder(info.uri.removeprefix(root + "/"))].append(info)
    deleted = 0
    for name, objects in folders.items():
        newest = max(info.last_modified for info in objects)
        if newest < before and (newest < idle or _has_ended(catalog, name)):
            storage.delete([info.uri for info in objects])
            deleted += 1
    return deleted


def _folder(path: str) -> str:
    first, _, rest = path.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first in _FOLDERS_DEEPER else first


def _has_ended(catalog: Catalog, execution_id: str) -> bool:
    with translated(f"table {EXECUTIONS.name}"):
        rows = load_table(catalog, EXECUTIONS.name).scan(
            row_filter=EqualTo(term=Reference("execution_id"), value=literal(execution_id)),
            selected_fields=("execution_id",),
        )
        return rows.count() > 0
