"""Handler of the scheduled clean-up; the work is `pixlake.compact.maintain.maintain`."""

from typing import Any

from pixlake.compact.maintain import maintain
from pixlake.handler import observed
from pixlake.messages import plain
from pixlake.settings import MaintainSettings, from_environment

SETTINGS = from_environment(MaintainSettings)


@observed("expired_snapshots", "deleted_files")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(maintain(SETTINGS))
