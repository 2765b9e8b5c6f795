"""Handler of the state that this folder is named for; the work is `pixlake.compact.compact.compact`."""

from typing import Any

from pixlake.compact.compact import compact
from pixlake.handler import observed
from pixlake.messages import CompactRequest, parse, plain
from pixlake.settings import CompactSettings, from_environment

SETTINGS = from_environment(CompactSettings)


@observed("lost_batches")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(compact(parse(event, CompactRequest), SETTINGS))
