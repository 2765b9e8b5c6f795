"""The scheduled step Maintain: tables are packed, old snapshots expire, what nothing names any more is deleted.

A running execution is left alone: a file that no snapshot names, and a folder of `work/`, are deleted only when they
are older than any commit or step can run. `work/` in a bucket is left to the bucket's lifecycle rule.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from pyiceberg.table import Table

from pixlake import storage
from pixlake.iceberg.catalog import connect, load_table, table_names
from pixlake.iceberg.executions import has_ended
from pixlake.iceberg.existing import list_existing
from pixlake.iceberg.maintenance import delete_orphans, expire_snapshots, pack
from pixlake.iceberg.recovery import WAY_OUT
from pixlake.iceberg.translation import translated
from pixlake.messages import MaintainAnswer
from pixlake.parts.leftovers import delete_work
from pixlake.schemas import EMBEDDINGS, EXECUTIONS, TABLES
from pixlake.search.places import IndexPlaces, index_name
from pixlake.search.published import list_published
from pixlake.settings import MaintainSettings

SAFE_AGE = timedelta(days=1)
"""Longer than any commit runs, retries and all."""
SAFE_IDLE = timedelta(days=3)
"""Longer than an execution may run (`TimeoutSeconds` of the state machine) without writing below `work/`."""
LAST_PACK = 120.0
"""Seconds that packing one file takes at most, begun just in time."""
SECONDS = 600.0
"""How long to work by default; the next call goes on."""


def maintain(settings: MaintainSettings, seconds: float = SECONDS) -> MaintainAnswer:
    """Clean one lake, then merge small files until `seconds` are over. Makes no table.

    Raises CatalogError, StorageError.
    """
    deadline = time.monotonic() + seconds
    with translated(f"catalog {settings.catalog_uri}"):
        catalog = connect(settings.lake_uri, settings.catalog_uri)
        found = table_names(catalog)
    known = [name for name in TABLES if name in found]
    skipped = [f"{settings.catalog_uri} has no table {name}. {WAY_OUT}" for name in TABLES if name not in known]
    now = datetime.now(UTC)
    expired = deleted = 0
    for name in known:
        expired += expire_snapshots(load_table(catalog, name), now - timedelta(days=settings.snapshot_days))
        count, reason = delete_orphans(load_table(catalog, name), now - SAFE_AGE)
        deleted += count
        skipped += [reason] if reason else []
    if EMBEDDINGS.name in known:
        _prune_indexes(settings.lake_uri, load_table(catalog, EMBEDDINGS.name), now - SAFE_AGE)
    ended = partial(has_ended, catalog) if EXECUTIONS.name in known else lambda _: False
    folders = _clean_work(settings, ended, now)
    for place, name in enumerate(known):
        left = deadline - time.monotonic()
        pack(load_table(catalog, name), TABLES[name], time.monotonic() + left / (len(known) - place))
    return MaintainAnswer(expired, deleted, folders, tuple(skipped))


def _prune_indexes(lake_uri: str, embeddings: Table, until: datetime) -> None:
    """Of data files that searches read no more; in a bucket those of before `until`, for one may just be made."""
    files = {file.file.file_path for file in list_existing(embeddings, EMBEDDINGS, None)}
    IndexPlaces(lake_uri).prune(files)
    kept = {index_name(file) for file in files}
    published = list_published(lake_uri)
    storage.delete([info.uri for name, info in published if name not in kept and info.last_modified < until])


def _clean_work(settings: MaintainSettings, ended: Callable[[str], bool], now: datetime) -> int:
    """A bucket has a lifecycle rule for it, which need not list an object for every batch ever cut."""
    if storage.local_path(settings.lake_uri) is None:
        return 0
    return delete_work(settings.lake_uri, ended, now - timedelta(days=settings.work_days), now - SAFE_IDLE)
