"""Handler of the step that this folder is named for; the work is `pixlake.steps.mirror.mirror`."""

from typing import Any

import boto3
from botocore.config import Config

from pixlake.handler import instrumented, seconds_left
from pixlake.messages import plain
from pixlake.settings import MirrorSettings, from_environment
from pixlake.steps.mirror import mirror

SETTINGS = from_environment(MirrorSettings)
# adaptive: an index takes 2,500 vectors a second, and answers 429 beyond that
VECTORS = boto3.client("s3vectors", config=Config(retries={"mode": "adaptive", "max_attempts": 10}))
_LAST_REQUESTS = 60.0


@instrumented("put", "deleted", "refused")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return plain(mirror(SETTINGS, VECTORS, seconds_left(context) - _LAST_REQUESTS))
