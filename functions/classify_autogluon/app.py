"""Handler of the state that this folder is named for; the work is `pixlake.steps.classify.classify`, with AutoGluon
in the place of a graph."""

from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from pixlake.failures import record_child_failure
from pixlake.handler import instrumented, seconds_left
from pixlake.inference.autogluon import load_predictor
from pixlake.lake import Work
from pixlake.messages import BatchRequest, parse, plain
from pixlake.settings import InferenceSettings, from_environment
from pixlake.steps.classify import classify

SETTINGS = from_environment(InferenceSettings)


@instrumented("rows", "rejected")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = parse(event, BatchRequest)
    with (
        record_child_failure(
            Work(SETTINGS.lake_uri, request.run.execution_id), "ClassifyAutogluon", request.batch.batch_id
        ),
        TemporaryDirectory() as scratch,
    ):
        load = partial(load_predictor, scratch, SETTINGS)
        return plain(classify(request, SETTINGS, load, seconds_left(context)))
