"""Handler of the state that this folder is named for; the work is `pixlake.steps.split.split`."""

from typing import Any

from pixlake.handler import instrumented
from pixlake.messages import SplitRequest, parse, plain
from pixlake.settings import SplitSettings, from_environment
from pixlake.steps.split import split

SETTINGS = from_environment(SplitSettings)


@instrumented()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(split(parse(event, SplitRequest), SETTINGS))
