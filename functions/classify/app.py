"""Handler of the state that this folder is named for; the work is `pixlake.inference.classify.classify`."""

from typing import Any

from pixlake.inference.classify import classify
from pixlake.messages import BatchRequest, parse, plain
from pixlake.settings import InferenceSettings, from_environment

SETTINGS = from_environment(InferenceSettings)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(classify(parse(event, BatchRequest), SETTINGS))
