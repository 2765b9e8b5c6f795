"""Handler of the scheduled clean-up; the work is `pixlake.iceberg.maintenance.maintain`."""

from typing import Any

from pixlake.handler import instrumented
from pixlake.iceberg.maintenance import maintain
from pixlake.messages import plain
from pixlake.settings import MaintainSettings, from_environment

SETTINGS = from_environment(MaintainSettings)


@instrumented("expired_snapshots", "deleted_files")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(maintain(SETTINGS))
