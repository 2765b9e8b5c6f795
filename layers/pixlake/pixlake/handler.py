"""The logging and metrics that handlers share: a JSON line to the log for each invocation, and counts as metrics.

A line carries the execution's name as `correlation_id`, so that one query of the shared log group follows an execution
through all functions and children of Maps, and the trace that Lambda and Step Functions record by themselves. No X-Ray
SDK: it would add botocore, 30 MB and over a second of cold start, to draw what these two draw already.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
Tell = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""What a line says of an event and its answer."""

SERVICE = "pixlake"
NAMESPACE = "Pixlake"

# where a request names it: of a step, of Plan, of RecordFailure; the request's own id, of the API
_EXECUTION = "run.execution_id||execution_id||detail.name||requestContext.requestId"

_logger = Logger(service=SERVICE)
_metrics = Metrics(service=SERVICE, namespace=NAMESPACE)


def instrumented(*counts: str, tell: Tell = lambda _, answer: answer) -> Callable[[Handler], Handler]:
    """A decorator that logs each invocation, and makes the fields `counts` of its answer metrics of the function; or of
    what `tell` says of an answer that is a caller's alone.

    An exception is logged with its class and raised again: the state machine decides by that class.
    """

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def invoke(event: dict[str, Any], context: Any) -> dict[str, Any]:
            started = time.perf_counter()
            try:
                answer = handler(event, context)
            except Exception as error:
                seconds = round(time.perf_counter() - started, 3)
                _logger.exception("failed", error=type(error).__name__, seconds=seconds, **_about(event))
                raise
            told = tell(event, answer)
            _logger.info("done", answer=told, seconds=round(time.perf_counter() - started, 3), **_about(event))
            _measure(context, {name: told[name] for name in counts})
            return answer

        instrumented_handler: Handler = _logger.inject_lambda_context(invoke, correlation_id_path=_EXECUTION)
        return instrumented_handler

    return decorate


def seconds_left(context: Any) -> float:
    """Seconds until Lambda ends the invocation."""
    return float(context.get_remaining_time_in_millis()) / 1000


def _about(event: dict[str, Any]) -> dict[str, Any]:
    """The item of a Map, if any."""
    item = event.get("batch") or event.get("shard")
    return {key: item[key] for key in ("batch_id", "index") if key in item} if isinstance(item, dict) else {}


def _measure(context: Any, counts: dict[str, int]) -> None:
    if not counts:
        return
    # the function's name holds the stack's, which tells two stacks in one account apart
    _metrics.add_dimension(name="function", value=context.function_name)
    for name, value in counts.items():
        _metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    _metrics.flush_metrics()
