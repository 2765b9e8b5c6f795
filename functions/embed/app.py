"""Handler of the state that this folder is named for; the work is `pixlake.steps.embed.embed`."""

from typing import Any

from pixlake.failures import record_child_failure
from pixlake.handler import instrumented, seconds_left
from pixlake.lake import Work
from pixlake.messages import BatchRequest, parse, plain
from pixlake.settings import InferenceSettings, from_environment
from pixlake.steps.embed import embed

SETTINGS = from_environment(InferenceSettings)


@instrumented("rows", "rejected")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = parse(event, BatchRequest)
    with record_child_failure(Work(SETTINGS.lake_uri, request.run.execution_id), "Embed", request.batch.batch_id):
        return plain(embed(request, SETTINGS, seconds=seconds_left(context)))
