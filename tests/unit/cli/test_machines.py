"""What Step Functions is asked of a stack's executions."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pixlake.iceberg.lakes import Lake
from pixlake_cli.machines import Child, Seen, find_started, list_failed_children
from pixlake_cli.stacks import Stack

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
URI = "s3://uploads/uploads/pets/pets.zip"
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


class Listed:
    """Step Functions with these executions, in this order: name, start, end."""

    def __init__(self, *executions: tuple[str, datetime, datetime | None]) -> None:
        self._listed = [
            {
                "executionArn": f"arn:{name}",
                "name": name,
                "status": "SUCCEEDED" if stop else "RUNNING",
                "startDate": start,
                "stopDate": stop,
            }
            for name, start, stop in executions
        ]
        self.described: list[str] = []

    def get_paginator(self, _name: str) -> "Listed":
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        for each in self._listed:
            yield {"executions": [each]}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        name = executionArn.rpartition(":")[2]
        self.described.append(name)
        (found,) = [each for each in self._listed if each["name"] == name]
        key = "uploads/pets/pets.zip" if "ours" in name else "uploads/pets/other.zip"
        detail = {"bucket": {"name": "uploads"}, "object": {"key": key, "version-id": "1"}}
        event = {"detail-type": "Object Created", "time": NOW.isoformat(), "detail": detail}
        return {**found, "input": json.dumps(event)}


def find(machine: Listed) -> str | None:
    stack = Stack("pixlake", "uploads", MACHINE, Lake.at("s3://lake"), lambda *_: machine)
    return find_started(stack, URI, "1", NOW)


def test_an_execution_is_found_behind_one_that_began_long_ago_and_has_just_ended() -> None:
    hour = timedelta(hours=1)
    assert find(Listed(("long", NOW - hour, NOW + hour), ("ours", NOW, NOW + hour / 2))) == "ours"


def test_executions_of_before_the_upload_are_not_asked_about() -> None:
    hour = timedelta(hours=1)
    machine = Listed(("other", NOW, None), ("old", NOW - hour, NOW - hour / 2), ("ours-before", NOW - hour, None))
    assert (find(machine), machine.described) == (None, ["other"])
