"""Handler of the state that this folder is named for; the work is `pixlake.steps.extract.extract`."""

from typing import Any

from pixlake.failures import record_child_failure
from pixlake.handler import instrumented
from pixlake.lake import Work
from pixlake.messages import ExtractRequest, parse, plain
from pixlake.settings import ExtractSettings, from_environment
from pixlake.steps.extract import extract

SETTINGS = from_environment(ExtractSettings)


@instrumented("extracted", "rejected")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    request = parse(event, ExtractRequest)
    with record_child_failure(
        Work(SETTINGS.lake_uri, request.run.execution_id), "Extract", f"extract-{request.shard.index:06d}"
    ):
        return plain(extract(request, SETTINGS))
