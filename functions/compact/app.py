"""Handler of the state that this folder is named for; the work is `pixlake.steps.compact.compact`."""

from typing import Any

from pixlake.handler import instrumented, seconds_left
from pixlake.messages import CompactRequest, parse, plain
from pixlake.settings import CompactSettings, from_environment
from pixlake.steps.compact import LAST_ATTEMPT, compact

SETTINGS = from_environment(CompactSettings)


@instrumented("lost_batches")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return plain(compact(parse(event, CompactRequest), SETTINGS, seconds_left(context) - LAST_ATTEMPT))
