"""Handler of the step that this folder is named for; the work is `pixlake.steps.record_failure.record_failure`."""

from typing import Any

from pixlake.handler import instrumented
from pixlake.messages import FailureRequest, parse, plain
from pixlake.settings import ReportSettings, from_environment
from pixlake.steps.record_failure import record_failure

SETTINGS = from_environment(ReportSettings)


@instrumented()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(record_failure(parse(event, FailureRequest), SETTINGS))
