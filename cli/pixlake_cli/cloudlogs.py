"""What the functions of an execution logged, from CloudWatch."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from pixlake.errors import MissingObject
from pixlake_cli.machines import describe
from pixlake_cli.stacks import Stack, told

_GROUP = "FunctionsLogGroup"
"""The resource of the template that all functions log to."""
_AFTER = timedelta(minutes=2)
"""A failure is recorded, and a line is there to be found, a moment after the end."""


class _Said(msgspec.Struct):
    function_name: str = ""


def read_logs(stack: Stack, execution: str) -> Iterator[tuple[str, str, str]]:
    """Time, function and line of each, by time. MissingObject where there are none."""
    seen = describe(stack, execution)
    end = (seen.finished_at or datetime.now(UTC)) + _AFTER
    with told(f"logs of {execution}"):
        resource = stack.client("cloudformation").describe_stack_resource(
            StackName=stack.name, LogicalResourceId=_GROUP
        )
        group = resource["StackResourceDetail"]["PhysicalResourceId"]
        pages = stack.client("logs").get_paginator("filter_log_events")
        found = [
            event
            for page in pages.paginate(
                logGroupName=group,
                # children of Maps and RecordFailure, too: all say the execution
                filterPattern=f'{{ $.correlation_id = "{execution}" }}',
                startTime=_millis(seen.started_at),
                endTime=_millis(end),
            )
            for event in page["events"]
        ]
    if not found:
        raise MissingObject(f"{group} has no lines of {execution!r}: they may be older than the stack's LogDays")
    for event in sorted(found, key=lambda event: int(event["timestamp"])):
        time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat()
        yield time, _function(event["message"]), event["message"].rstrip()


def _function(message: str) -> str:
    try:
        name = msgspec.json.decode(message, type=_Said).function_name
    except msgspec.DecodeError:
        return ""
    # STACK-EmbedFunction-1A2B
    return next((part.removesuffix("Function") for part in name.split("-") if part.endswith("Function")), name)


def _millis(time: datetime) -> int:
    return int(time.timestamp() * 1000)
