"""Handler of the state that this folder is named for; the work is `pixlake.steps.classify.classify`, with AutoGluon
in the place of a graph."""

from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from pixlake.failures import noted
from pixlake.handler import observed
from pixlake.inference.autogluon import load_predictor
from pixlake.lake import Work
from pixlake.messages import BatchRequest, parse, plain
from pixlake.settings import InferenceSettings, from_environment
from pixlake.steps.classify import classify

SETTINGS = from_environment(InferenceSettings)


@observed("rows", "rejected")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    request = parse(event, BatchRequest)
    with (
        noted(Work(SETTINGS.lake_uri, request.run.execution_id), request.batch.batch_id),
        TemporaryDirectory() as scratch,
    ):
        return plain(classify(request, SETTINGS, partial(load_predictor, scratch, SETTINGS.inference_threads)))
