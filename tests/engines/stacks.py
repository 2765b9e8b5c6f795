"""The stack that MiniStack's CloudFormation makes of the template, with the laptop's functions beside it.

What MiniStack 1.5 does otherwise than AWS, and what these tests therefore cannot show:
- A Retrier's MaxDelaySeconds and JitterStrategy are not read; no wait is longer than 60 seconds.
- A Map's ResultWriter writes nothing.
- DescribeExecution answers an output of a failed execution, which its event rightly leaves out.
- An inline Map, of whose items one has failed, goes on with the others before it fails; AWS stops them.
- An execution is never timed out (its TimeoutSeconds is not read), and cannot be redriven. Nor is a task: here it waits
  for cores, which on AWS it does not.
- An execution nested by `startExecution.sync:2` that fails hands its own error and cause to the outer one; AWS says
  States.TaskFailed, with the inner execution as JSON for its cause. It sends no status event either.
- A rule's target has no retries and no dead letter queue, and S3's events come once.
- Athena has no `.sync`, and S3 answers a Range of a named version with the whole object: `ministack_server` adds both.
- CloudFormation knows no saved query and no alarm on several metrics: the stack is without these.
Waits are shortened to a hundredth.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

from pixlake import storage
from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine import pool
from pixlake_cli.engine.endpoints import BUCKET, Endpoints
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.sandbox import Answer, failure
from pixlake_cli.engine.template import ACCOUNT, REGION
from tests.deployment.athenas import Queries
from tests.deployment.deployments import CODE, NAME, empty_code, translate
from tests.doubles import aws
from tests.project import ROOT
from tests.servers.processes import free_port, serving

PYTHON = ROOT / ".venv-engines/bin/python"
SERVER = Path(__file__).with_name("ministack_server.py")
UPLOADS = "uploads"
PATIENCE = 120.0
Found = TypeVar("Found")


class Functions(Engine):
    """The template's functions, some of whose batches fail as they are told to."""

    def __init__(self, lake: Lake, parameters: Mapping[str, str]) -> None:
        super().__init__(lake.uri, lake.catalog_uri, parameters, ROOT)
        self._turn = threading.Lock()
        self.fail([])

    def fail(self, orders: Sequence[Sequence[str]]) -> None:
        """The next batches that are asked for fail by these errors, one after another; then all is well."""
        self._orders = list(orders)
        self.attempts: dict[str, int] = {}
        self._errors: dict[str, list[str]] = {}

    def invoke(self, function: str, payload: bytes) -> Answer:
        batch = json.loads(payload).get("batch", {}).get("batch_id")
        error = self._next_error(batch) if batch else ""
        return failure(error, "as told") if error else super().invoke(function, payload)

    def _next_error(self, batch: str) -> str:
        with self._turn:
            if batch not in self._errors:
                self._errors[batch] = list(self._orders.pop(0)) if self._orders else []
            self.attempts[batch] = self.attempts.get(batch, 0) + 1
            return self._errors[batch].pop(0) if self._errors[batch] else ""


@dataclass
class Stack:
    """A deployed stack. `athena` answers its queries; `told` are the events of an execution's end that a rule passed on
    to a function, with what that answered."""

    functions: Functions
    lake: Lake
    parameters: Mapping[str, str]
    told: list[tuple[dict[str, Any], Answer]] = field(default_factory=list)
    athena: Queries | None = None

    def __post_init__(self) -> None:
        self.s3, self.machines = (boto3.client(name, region_name=REGION) for name in ("s3", "stepfunctions"))
        self.resources: dict[str, str] = {}
        self._logical: dict[str, str] = {}

    def upload(self, key: str, data: bytes) -> dict[str, Any]:
        """Put an object, which the template's rule makes an execution of; how that ended."""
        (ended,) = self.upload_all({key: data})
        return ended

    def upload_all(self, objects: Mapping[str, bytes]) -> list[dict[str, Any]]:
        """Put all of them before any execution has ended."""
        known = {it["executionArn"] for it in self._executions()}
        for key, data in objects.items():
            self.s3.put_object(Bucket=UPLOADS, Key=key, Body=data)

        def look() -> list[str]:
            begun = {it["executionArn"] for it in self._executions()} - known
            return sorted(begun) if len(begun) == len(objects) else []

        return [self.ended(execution) for execution in self._wait(look)]

    def read(self, uri: str) -> bytes:
        """An object of the lake."""
        return storage.read(uri)

    def ended(self, execution: str) -> dict[str, Any]:
        """An execution as Step Functions describes it after its end."""

        def look() -> dict[str, Any]:
            found: dict[str, Any] = self.machines.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else {}

        return self._wait(look)

    def heard(self, execution: str) -> tuple[dict[str, Any], Answer]:
        """The event of an execution that a rule passed on, and what the function answered."""
        found = self._wait(lambda: [it for it in self.told if it[0]["detail"]["executionArn"] == execution])
        assert len(found) == 1
        return found[0]

    def put_logs(self) -> None:
        """The part of Lambda: what the functions have logged, into the group that they share."""
        client, group = boto3.client("logs", region_name=REGION), self.resources["FunctionsLogGroup"]
        for log in self.functions.logs.glob("*.log"):
            lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
            events = [{"timestamp": _millis(line), "message": line} for line in lines]
            if events:
                client.create_log_stream(logGroupName=group, logStreamName=log.name)
                client.put_log_events(logGroupName=group, logStreamName=log.name, logEvents=events)

    def answer(self, function: str, payload: bytes) -> Answer:
        """The part of Lambda, and of Athena."""
        if function == "Athena" and self.athena is not None:
            reason = self.athena.ask(json.loads(payload))
            return Answer(json.dumps(self.athena.execution(reason)).encode(), failed=bool(reason))
        answer = self.functions.invoke(self._logical.get(function, function), payload)
        event = json.loads(payload)
        if event.get("source") == "aws.states":
            self.told.append((event, answer))
        return answer

    def deploy(self) -> None:
        """All that the template has, by CloudFormation; the buckets are named here."""
        template = _known(translate())
        self.s3.create_bucket(Bucket=CODE)
        self.s3.put_object(Bucket=CODE, Key="code.zip", Body=empty_code())
        self.s3.put_object(Bucket=CODE, Key="template.json", Body=json.dumps(template))
        given = {**self.parameters, "LakeBucketName": BUCKET, "UploadsBucketName": UPLOADS}
        client = boto3.client("cloudformation", region_name=REGION)
        client.create_stack(
            StackName=NAME,
            TemplateURL=f"{client.meta.endpoint_url}/{CODE}/template.json",
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
            Capabilities=["CAPABILITY_IAM"],
        )

        def look() -> str:
            (stack,) = client.describe_stacks(StackName=NAME)["Stacks"]
            return "" if stack["StackStatus"].endswith("_IN_PROGRESS") else str(stack["StackStatus"])

        assert self._wait(look) == "CREATE_COMPLETE"
        made = client.list_stack_resources(StackName=NAME)["StackResourceSummaries"]
        self.resources = {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in made}
        self._logical = {physical: logical for logical, physical in self.resources.items()}

    def _executions(self) -> list[dict[str, Any]]:
        listed = self.machines.list_executions(stateMachineArn=self.resources["IngestStateMachine"])
        return list(listed["executions"])

    def _wait(self, look: Callable[[], Found]) -> Found:
        until = time.monotonic() + PATIENCE
        while not (found := look()):
            assert time.monotonic() < until, "nothing came"
            time.sleep(0.05)
        return found


def _millis(line: str) -> int:
    time = datetime.strptime(json.loads(line)["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z")
    return int(time.timestamp() * 1000)


def _known(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template without what MiniStack's CloudFormation refuses to make."""
    resources = {
        name: it
        for name, it in template["Resources"].items()
        if it["Type"] != "AWS::Athena::NamedQuery" and "Metrics" not in it["Properties"]
    }
    return {**template, "Resources": resources}


@contextmanager
def open_stack(folder: Path, parameters: Mapping[str, str], models: Path) -> Iterator[Stack]:
    """A stack of these parameters, with the bundles in the folder `models`."""
    port = free_port()
    reached = aws.environment(f"http://127.0.0.1:{port}")
    lake = Lake.at(f"s3://{BUCKET}")
    plain = pool.environment
    with pytest.MonkeyPatch.context() as patch:
        for name, value in reached.items():
            patch.setenv(name, value)
        patch.setattr(pool, "environment", lambda *given: {**plain(*given), **reached})
        # a store is kept for the life of a process, and the stack before this had another address
        storage._bucket.cache_clear()
        functions = Functions(lake, parameters)
        stack = Stack(functions, lake, parameters)
        endpoints = Endpoints(lake.uri, stack.answer)
        try:
            with ministack(folder, port, endpoints.url):
                stack.deploy()
                put_models(models, lake)
                yield stack
        finally:
            functions.close()
            endpoints.shutdown()
            endpoints.server_close()


def put_models(folder: Path, lake: Lake) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            storage.write(storage.join(lake.uri, "models", *file.relative_to(folder).parts), file.read_bytes())


@contextmanager
def ministack(folder: Path, port: int, functions: str) -> Iterator[None]:
    """The server for the length of the block; its log is beside what else it writes, in `folder`."""
    settings = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "SFN_WAIT_SCALE": "0.01",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    command = [str(PYTHON), "-P", str(SERVER), functions]
    with serving(command, port, folder / "ministack.log", settings):
        yield
