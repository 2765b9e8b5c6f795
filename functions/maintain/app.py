"""Handler of the step that this folder is named for; the work is `pixlake.steps.maintain.maintain`."""

from typing import Any

from pixlake.handler import instrumented, seconds_left
from pixlake.messages import plain
from pixlake.settings import MaintainSettings, from_environment
from pixlake.steps.maintain import LAST_PACK, maintain

SETTINGS = from_environment(MaintainSettings)


@instrumented("expired_snapshots", "deleted_files")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return plain(maintain(SETTINGS, seconds_left(context) - LAST_PACK))
