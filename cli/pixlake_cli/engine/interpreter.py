"""Runs the state machine in moto's Step Functions, in this process, with its calls to Lambda and S3 sent to the engine.

moto is used by its public interface, with two exceptions. It counts the failed children of a Map and then passes the
Map all the same: `tolerance` corrects that, so a run fails on a laptop where it fails on AWS. And whether an execution
has ended is read from moto's own object.
"""

import gc
import importlib
import importlib.util
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pixlake_cli.engine.events import status_change
from pixlake_cli.engine.grammar import read_newer_grammars
from pixlake_cli.engine.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from datetime import datetime

    from moto.core.config import DefaultConfig

POLL_SECONDS = 0.02
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class Outcome:
    """The end of an execution. `state` is the one that failed; `timings` are seconds by state; `event` is the event
    that Step Functions sends to EventBridge."""

    name: str
    status: str
    output: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    cause: str = ""
    state: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    event: dict[str, Any] = field(default_factory=dict)


class Interpreter:
    """The state machine `name`, ready to be executed, as a context."""

    def __init__(self, name: str, definition: str, endpoint: str) -> None:
        self._name = name
        self._definition = definition
        self._endpoint = endpoint
        self._open = ExitStack()

    def __enter__(self) -> "Interpreter":
        with ExitStack() as opened, gc_frozen():
            self._start(opened)
            self._open = opened.pop_all()
        return self

    def _start(self, opened: ExitStack) -> None:
        opened.enter_context(isolated_environment(self._endpoint))
        # imported here: it takes a second, in which the first workers start
        import boto3
        from moto import mock_aws

        _spare_ec2()
        read_newer_grammars()
        from pixlake_cli.engine import tolerance

        logging.getLogger("moto").setLevel(logging.CRITICAL)
        config: DefaultConfig = {
            "stepfunctions": {"execute_state_machine": True},
            "core": {"passthrough": {"urls": [f"{self._endpoint}/.*"]}},
        }
        opened.enter_context(mock_aws(config=config))
        opened.enter_context(tolerance.enforced())
        # made before the interpreter's threads make theirs: the first clients of a session are not safe to make at once
        self._client, *_ = [boto3.client(name, region_name=REGION) for name in ("stepfunctions", "lambda", "s3")]
        role = f"arn:aws:iam::{ACCOUNT}:role/laptop"
        machine = self._client.create_state_machine(name=self._name, definition=self._definition, roleArn=role)
        self._machine = machine["stateMachineArn"]

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def execute(self, name: str, request: Mapping[str, Any]) -> Outcome:
        """Run one execution to its end."""
        started = self._client.start_execution(stateMachineArn=self._machine, name=name, input=json.dumps(request))
        arn = started["executionArn"]
        _wait_for(arn)
        found = self._client.describe_execution(executionArn=arn)
        history = self._client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        return Outcome(
            name=name,
            status=found["status"],
            output=json.loads(found.get("output", "{}")),
            error=found.get("error", ""),
            cause=found.get("cause", ""),
            state=_unfinished(history),
            timings=_timings(history),
            event=status_change(found),
        )


def _wait_for(arn: str) -> None:
    """Return at the execution's end. Asked every 20 ms through boto3, moto would keep a third of a core busy."""
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    execution = stepfunctions_parser_backends[ACCOUNT][REGION].describe_execution(arn)
    while execution.status == "RUNNING":
        time.sleep(POLL_SECONDS)


def _timings(history: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds in each Task and Map state."""
    entered: dict[str, datetime] = {}
    seconds = {}
    for event in history:
        if event["type"] in ("TaskStateEntered", "MapStateEntered"):
            entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        elif event["type"] in ("TaskStateExited", "MapStateExited"):
            name = event["stateExitedEventDetails"]["name"]
            seconds[name] = round((event["timestamp"] - entered[name]).total_seconds(), 3)
    return seconds


def _unfinished(history: list[dict[str, Any]]) -> str:
    """The state that was entered last and never left, where an execution failed; else empty."""
    name = ""
    for event in history:
        if "stateEnteredEventDetails" in event:
            name = event["stateEnteredEventDetails"]["name"]
        elif "stateExitedEventDetails" in event:
            name = ""
    return name


def _spare_ec2() -> None:
    """Keep moto's interpreter from loading EC2's catalogue of instances, half of the time that it takes to import.

    It needs one enum of `moto.batch.utils`, whose package imports EC2. So the module is imported with an empty package
    in place of that one.
    """
    if "moto.batch" in sys.modules or (spec := importlib.util.find_spec("moto.batch")) is None:
        return
    sys.modules["moto.batch"] = importlib.util.module_from_spec(spec)
    importlib.import_module("moto.batch.utils")
    del sys.modules["moto.batch"]


@contextmanager
def gc_frozen() -> Iterator[None]:
    """Keep the garbage collector from the objects made here, which last as long as the process: moto's classes and
    grammar are many to walk over, while they are made, during a run and again at the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def isolated_environment(endpoint: str) -> Iterator[None]:
    """The endpoints in place of the user's AWS account and proxies, for the block."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.lower() in PROXIES:
            del os.environ[name]
    os.environ.update(
        AWS_ENDPOINT_URL_LAMBDA=endpoint,
        AWS_ENDPOINT_URL_S3=endpoint,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY="*",
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
