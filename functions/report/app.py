"""Handler of the state that this folder is named for; the work is `pixlake.steps.report.report`."""

from typing import Any

from pixlake.handler import instrumented
from pixlake.messages import ReportRequest, parse, plain
from pixlake.settings import ReportSettings, from_environment
from pixlake.steps.report import report

SETTINGS = from_environment(ReportSettings)


@instrumented("images", "records", "embedded", "predicted", "rejected")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(report(parse(event, ReportRequest), SETTINGS))
