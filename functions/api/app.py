"""Handler of the HTTP API, for events of API Gateway; the work is `pixlake.api.app`."""

from typing import Any

from pixlake.api.gateway import COUNTS, Gateway, tell
from pixlake.handler import instrumented
from pixlake.settings import ApiSettings, from_environment

SETTINGS = from_environment(ApiSettings)
GATEWAY = Gateway(SETTINGS)


@instrumented(*COUNTS, tell=tell)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return GATEWAY(event, context)
