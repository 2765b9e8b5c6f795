"""Handler of the state that this folder is named for; the work is `pixlake.steps.embed.embed`."""

from typing import Any

from pixlake.failures import noted
from pixlake.handler import observed
from pixlake.lake import Work
from pixlake.messages import BatchRequest, parse, plain
from pixlake.settings import InferenceSettings, from_environment
from pixlake.steps.embed import embed

SETTINGS = from_environment(InferenceSettings)


@observed("rows", "rejected")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    request = parse(event, BatchRequest)
    with noted(Work(SETTINGS.lake_uri, request.run.execution_id), request.batch.batch_id):
        return plain(embed(request, SETTINGS))
