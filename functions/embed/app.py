"""Handler of the state that this folder is named for; the work is `pixlake.inference.embed.embed`."""

from typing import Any

from pixlake.inference.embed import embed
from pixlake.messages import BatchRequest, parse, plain
from pixlake.settings import InferenceSettings, from_environment

SETTINGS = from_environment(InferenceSettings)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(embed(parse(event, BatchRequest), SETTINGS))
