"""Handler of the state that this folder is named for; the work is `pixlake.steps.extract.extract`."""

from typing import Any

from pixlake.failures import noted
from pixlake.handler import observed
from pixlake.lake import Work
from pixlake.messages import ExtractRequest, parse, plain
from pixlake.settings import ExtractSettings, from_environment
from pixlake.steps.extract import extract

SETTINGS = from_environment(ExtractSettings)


@observed("extracted", "rejected")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    request = parse(event, ExtractRequest)
    with noted(Work(SETTINGS.lake_uri, request.run.execution_id), f"extract-{request.shard.index:06d}"):
        return plain(extract(request, SETTINGS))
