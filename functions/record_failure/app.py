"""Handler of what the rule FailedRule hears; the work is `pixlake.report.failure.record_failure`."""

from typing import Any

from pixlake.handler import observed
from pixlake.messages import FailureRequest, parse, plain
from pixlake.report.failure import record_failure
from pixlake.settings import ReportSettings, from_environment

SETTINGS = from_environment(ReportSettings)


@observed()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(record_failure(parse(event, FailureRequest), SETTINGS))
