"""The app behind API Gateway: an event of a proxy integration in, payload 2.0 or 1.0, and its answer out.

Mangum speaks both formats (docs/adr/0021). The app's event loop is the function's, kept from one request to the next,
as are models, decoders and indexes.
"""

import asyncio
import logging
import weakref
from functools import partial
from pathlib import Path
from typing import Any

# imported while Lambda starts the process, and compiled into the image, where it would be by the first search
import pyiceberg.catalog.glue  # noqa: F401
from mangum import Mangum

from pixlake.api.app import make_app
from pixlake.api.bodies import Limits
from pixlake.iceberg.lakes import Lake
from pixlake.images import decoders
from pixlake.inference.limits import limits_of
from pixlake.inference.memory import divide
from pixlake.settings import ApiSettings
from pixlake.sql.images import choose_images
from pixlake.sql.limited import Limits as ConditionLimits

COUNTS = ("requests", "refused", "failed")
_BODY_BYTES = 6 << 20
"""Lambda takes no larger request, so no larger body ever comes; an image sent as base64 is three quarters of it."""
_CACHE = Path("/tmp/pixlake")  # the one place that a function may write to
_CONDITION_SECONDS = 25.0  # API Gateway waits 30
_TEXT = ["text/", "application/json", "application/problem+json"]


class Gateway:
    """The API of a deployed lake. It answers under any host name, for API Gateway answers under its own alone, and
    leads to the bucket for images."""

    def __init__(self, settings: ApiSettings, lake: Lake | None = None, cache: Path = _CACHE) -> None:
        lake = lake or Lake(settings.lake_uri, settings.catalog_uri, None)
        logging.getLogger("mangum").setLevel(logging.WARNING)  # the handler has a line for each request
        self._loop = asyncio.new_event_loop()
        weakref.finalize(self, self._loop.close)
        asyncio.set_event_loop(self._loop)  # Mangum takes the thread's
        choose = partial(choose_images, limits=condition_limits(settings))
        app = make_app(lake, limits_for(settings), hosts=(), choose=choose, cache=cache, signs=lake.folder is None)
        self._bridge = Mangum(app, lifespan="off", text_mime_types=_TEXT)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The answer to one request. Raises for what is no event of API Gateway's."""
        asyncio.set_event_loop(self._loop)
        return self._bridge(event, context)


def limits_for(settings: ApiSettings) -> Limits:
    """What strangers may ask for, by the function's memory: as many requests as Lambda sends, which is one."""
    shares = divide(settings)
    memory = min(settings.max_decoder_bytes, shares.decoding)
    image = decoders.Limits(settings.max_pixels, settings.max_image_seconds, memory, shares.decoding)
    return Limits(body_bytes=_BODY_BYTES, image=image, model=limits_of(settings))


def condition_limits(settings: ApiSettings) -> ConditionLimits:
    """What a condition may take: the memory of the images that its request does not decode meanwhile."""
    return ConditionLimits(divide(settings).decoding, _CONDITION_SECONDS)


def tell(event: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """For the log and the metrics: what was asked and how it ended, and nothing of what was sent."""
    asked = event["requestContext"].get("http", event)
    status = answer["statusCode"]
    counts = dict(zip(COUNTS, (1, int(400 <= status < 500), int(status >= 500)), strict=True))
    return {"method": asked.get("method", asked.get("httpMethod")), "path": asked["path"], "status": status, **counts}
