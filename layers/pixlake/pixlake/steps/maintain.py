"""The scheduled step Maintain: tables are packed, old snapshots expire, what nothing names any more is deleted.

A running execution is left alone: a file that no snapshot names, and a folder of `work/`, are deleted only when they
are older than any commit or step can run.
"""

import time
from datetime import UTC, datetime, timedelta

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.maintenance import delete_orphans, expire_snapshots, pack
from pixlake.messages import MaintainAnswer
from pixlake.parts.leftovers import delete_work
from pixlake.schemas import TABLES
from pixlake.settings import MaintainSettings

SAFE_AGE = timedelta(days=1)
"""Longer than any commit or execution step runs, retries and all."""
SECONDS = 600.0
"""How long small files are merged by default; the next call goes on."""


def maintain(settings: MaintainSettings, seconds: float = SECONDS) -> MaintainAnswer:
    """Clean one lake, then merge small files for up to `seconds`. Raises CatalogError, StorageError."""
    catalog = open_catalog(settings.lake_uri, settings.catalog_uri)
    now = datetime.now(UTC)
    expired = deleted = 0
    for name in TABLES:
        expired += expire_snapshots(load_table(catalog, name), now - timedelta(days=settings.snapshot_days))
        deleted += delete_orphans(load_table(catalog, name), now - SAFE_AGE)
    folders = delete_work(settings.lake_uri, catalog, now - timedelta(days=settings.work_days), now - SAFE_AGE)
    for name, schema in TABLES.items():
        pack(load_table(catalog, name), schema, time.monotonic() + seconds / len(TABLES))
    return MaintainAnswer(expired_snapshots=expired, deleted_files=deleted, deleted_work=folders)
