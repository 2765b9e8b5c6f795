"""Handler of the state that this folder is named for; the work is `pixlake.compact.compact.compact`."""

from typing import Any

from pixlake.compact.compact import LAST_ATTEMPT, compact
from pixlake.handler import observed, seconds_left
from pixlake.messages import CompactRequest, parse, plain
from pixlake.settings import CompactSettings, from_environment

SETTINGS = from_environment(CompactSettings)


@observed("lost_batches")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return plain(compact(parse(event, CompactRequest), SETTINGS, seconds_left(context) - LAST_ATTEMPT))
