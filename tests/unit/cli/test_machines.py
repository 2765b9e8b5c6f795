"""What Step Functions is asked of a stack's executions."""

from datetime import UTC, datetime
from typing import Any

from pixlake.iceberg.lakes import Lake
from pixlake_cli.machines import Child, Seen, list_failed_children
from pixlake_cli.stacks import Stack

MACHINE = "arn:aws:states:eu-west-1:1:stateMachine:small"


class StepFunctions:
    """A Map run with one child that failed."""

    def __call__(self, _service: str) -> "StepFunctions":
        return self

    def get_paginator(self, _method: str) -> "StepFunctions":
        return self

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        assert asked == {"mapRunArn": "arn:run", "statusFilter": "FAILED"}
        return [{"executions": []}, {"executions": [{"executionArn": "arn:child", "name": "child"}]}]

    def describe_execution(self, executionArn: str) -> dict[str, str]:
        return {"executionArn": executionArn, "error": "BadBundle", "cause": "its graph is broken"}


def test_the_children_that_failed_are_those_of_each_maps_run() -> None:
    stack = Stack("small", "uploads", MACHINE, Lake.at("s3://lake"), StepFunctions())
    seen = Seen("arn", "one", "FAILED", datetime.now(UTC), None, runs={"Infer": "arn:run"})
    assert list_failed_children(stack, seen) == [Child("child", "Infer", "BadBundle", "its graph is broken")]
