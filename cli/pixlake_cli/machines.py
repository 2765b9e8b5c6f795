"""Executions of a stack, as Step Functions tells of them: what runs, how many items of its Maps are done, its error.

The tables know an execution when it has ended, and the laptop keeps notes; here the state machine is asked.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from pixlake.errors import BadRequest, MissingObject
from pixlake.lake import stored_uri
from pixlake.triggers import read_ingest, read_retry
from pixlake_cli.stacks import Stack, read_json, told

RUNNING, PENDING = "RUNNING", "PENDING_REDRIVE"
_EARLIER = timedelta(minutes=5)
"""By how much a clock of this machine may be fast."""
_CHILDREN = 100
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Child:
    """A Map's child that failed: its state machine's name of it, its error and cause."""

    name: str
    state: str
    error: str
    cause: str


@dataclass(frozen=True)
class Seen:
    """An execution: `state` is the last that was entered, `done` how many items of each Map have ended, of how many,
    `lost` how many of them failed, and `runs` each Map's run."""

    arn: str
    name: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    upload_uri: str = ""
    experiment_id: str = ""
    version_id: str | None = None
    state: str = ""
    done: dict[str, tuple[int, int]] = field(default_factory=dict)
    lost: int = 0
    error: str = ""
    cause: str = ""
    output: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)


def arn_of(stack: Stack, name: str) -> str:
    """The execution of this name."""
    return f"{stack.machine.replace(':stateMachine:', ':execution:')}:{name}"


def list_briefly(stack: Stack) -> Iterator[Seen]:
    """The executions of the last 90 days, the newest first, without what each one's own description tells."""
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    with told(f"stack {stack.name}"):
        for page in pages.paginate(stateMachineArn=stack.machine):
            for each in page["executions"]:
                yield Seen(each["executionArn"], each["name"], _status(each), _utc(each["startDate"]), _ended(each))


def describe(stack: Stack, name: str) -> Seen:
    """What it was started with, and its end; MissingObject where there is none of this name."""
    with told(f"execution {name}"):
        found = stack.client("stepfunctions").describe_execution(executionArn=arn_of(stack, name))
    upload_uri, experiment_id, version_id = _about(stack, read_json(found.get("input")))
    output = read_json(found.get("output"))
    return Seen(
        found["executionArn"],
        found["name"],
        _status(found),
        _utc(found["startDate"]),
        _ended(found),
        upload_uri,
        experiment_id,
        version_id,
        error=found.get("error", ""),
        cause=found.get("cause", ""),
        output=output if isinstance(output, dict) else {},
    )


def look_at(stack: Stack, name: str) -> Seen:
    """The same, with the state that it is in and what its Maps have done."""
    seen = describe(stack, name)
    with told(f"execution {name}"):
        state, runs = _read_history(stack, seen.arn)
        counted = {state: _count(stack, run) for state, run in runs.items()}
    done = {state: (ended, total) for state, (ended, _, total) in counted.items() if total}
    return replace(seen, state=state, done=done, lost=sum(lost for _, lost, _ in counted.values()), runs=runs)


def find_started(stack: Stack, upload_uri: str, version_id: str | None, since: datetime) -> str | None:
    """The name of the execution that this version of an upload started, at or after `since`; None if there is none."""
    for brief in list_briefly(stack):
        # the newest first may be by the end: one that began long ago stands before those that began since
        if (brief.finished_at or brief.started_at) < since - _EARLIER:
            return None
        if brief.started_at < since - _EARLIER:
            continue
        seen = describe(stack, brief.name)
        if seen.upload_uri == upload_uri and version_id in (None, seen.version_id):
            return seen.name
    return None


def start_retry(stack: Stack, name: str) -> str:
    """Start an execution that runs what the one of this name lost, and only that; the name of the new one.

    BadRequest where there is nothing to run: one that runs, or that failed before it committed.
    """
    seen = describe(stack, name)
    if seen.status == RUNNING:
        raise BadRequest(f"{name} runs: wait for its end, as by `pixlake status {name} --stack {stack.name} --follow`")
    if seen.status != "SUCCEEDED":
        raise BadRequest(
            f"{name} is {seen.status}, and has committed nothing that a retry could complete: let it go on by"
            f" `pixlake retry {name} --stack {stack.name} --redrive`"
        )
    retried = f"retry-{datetime.now(UTC):%Y%m%dT%H%M%S}-{name}"[:_LONGEST_NAME]
    with told(f"retry of {name}"):
        given = json.dumps({"retry": name})
        stack.client("stepfunctions").start_execution(stateMachineArn=stack.machine, name=retried, input=given)
    return retried


def redrive(stack: Stack, name: str) -> str:
    """Let one that failed, timed out or was aborted go on where it stopped; its own name."""
    seen = describe(stack, name)
    if seen.status in (RUNNING, "SUCCEEDED"):
        raise BadRequest(f"{name} is {seen.status}: only what failed, timed out or was aborted can be redriven")
    with told(f"redrive of {name}"):
        stack.client("stepfunctions").redrive_execution(executionArn=seen.arn)
    return name


def list_failed_children(stack: Stack, seen: Seen) -> list[Child]:
    """Those of its Maps, with their errors."""
    client = stack.client("stepfunctions")
    children = []
    with told(f"execution {seen.name}"):
        for state, run in seen.runs.items():
            pages = client.get_paginator("list_executions").paginate(mapRunArn=run, statusFilter="FAILED")
            for each in islice((each for page in pages for each in page["executions"]), _CHILDREN):
                found = client.describe_execution(executionArn=each["executionArn"])
                children.append(Child(each["name"], state, found.get("error", ""), found.get("cause", "")))
    return children


def _about(stack: Stack, given: Any, deep: int = 3) -> tuple[str, str, str | None]:
    """The upload, experiment and version of an input; empty where it is none of ours."""
    try:
        if (retried := read_retry(given)) and deep:
            found = stack.client("stepfunctions").describe_execution(executionArn=arn_of(stack, retried))
            return _about(stack, read_json(found.get("input")), deep - 1)
        if isinstance(given, dict) and "from_lake" in given:
            experiment = str(given["from_lake"])
            return stored_uri(stack.lake.uri, experiment), experiment, None
        ingest = read_ingest(given)
    except (BadRequest, MissingObject):
        return "", "", None
    return ingest.upload_uri, ingest.experiment_id or "", ingest.upload_version


def _read_history(stack: Stack, arn: str) -> tuple[str, dict[str, str]]:
    """The state that was entered last, and the last Map run of each state."""
    pages = stack.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
    state, runs = "", dict[str, str]()
    for event in sorted((event for page in pages for event in page["events"]), key=lambda event: int(event["id"])):
        entered = event.get("stateEnteredEventDetails", {})
        state = entered.get("name", state)
        for kind in ("mapRunStartedEventDetails", "mapRunRedrivenEventDetails"):
            if kind in event:
                runs[state] = event[kind]["mapRunArn"]
    return state, runs


def _count(stack: Stack, run: str) -> tuple[int, int, int]:
    """How many items have ended, how many of them failed, and how many there are."""
    counts = stack.client("stepfunctions").describe_map_run(mapRunArn=run)["itemCounts"]
    lost = sum(counts.get(each, 0) for each in ("failed", "timedOut", "aborted"))
    return counts["succeeded"] + lost, lost, counts["total"]


def _status(found: dict[str, Any]) -> str:
    return RUNNING if found["status"] == PENDING else str(found["status"])


def _ended(found: dict[str, Any]) -> datetime | None:
    return _utc(found["stopDate"]) if found.get("stopDate") and found["status"] != RUNNING else None


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
