"""EventBridge at the end of an execution: the event of Step Functions, and the functions that rules pass it to."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from pixlake_cli.engine.template import ACCOUNT, REGION, Rule

# The most that an event holds of an execution's input and output together, as JSON text in JSON text.
PAYLOAD_BYTES = 248 << 10


def status_change(execution: Mapping[str, Any]) -> dict[str, Any]:
    """The event of an execution that has ended, from what DescribeExecution answers of it."""
    output, error, cause = (execution.get(key) for key in ("output", "error", "cause"))
    # an execution that did not succeed has no output
    included = len(execution["input"].encode()) <= PAYLOAD_BYTES
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": ACCOUNT,
        "time": execution["stopDate"].isoformat(timespec="seconds"),
        "region": REGION,
        "resources": [execution["executionArn"]],
        "detail": {
            **{key: execution[key] for key in ("executionArn", "stateMachineArn", "name", "status")},
            "startDate": _milliseconds(execution["startDate"]),
            "stopDate": _milliseconds(execution["stopDate"]),
            "input": execution["input"] if included else None,
            "inputDetails": {"included": included},
            "output": output,
            "error": error,
            "cause": cause,
        },
    }


def targets(rules: Sequence[Rule], event: Any) -> Iterator[str]:
    """The functions that the rules pass this event to."""
    # imported here, for only a failed run needs it
    from moto.events.models import EventPattern

    for rule in rules:
        if EventPattern(None, dict(rule.pattern)).matches_event(event):
            yield from rule.functions


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
