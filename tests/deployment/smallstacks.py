"""A stack with Pixlake's outputs and states, made by moto's CloudFormation; the states do nothing but pass or fail."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.core import config
from moto.server import ThreadedMotoServer

from pixlake import storage
from tests.doubles.aws import environment

UPLOADS, LAKE, DATABASE, NAME = "small-uploads", "small-lake", "pixlake", "small"
ITEMS = 4
_CAUSE = {"errorType": "BadBundle", "errorMessage": "tiny: its graph is broken"}
ANSWER = {
    "execution": "",
    "status": "SUCCEEDED",
    "experiment_id": "pets",
    **{"images": 3, "records": 2, "embedded": 3, "predicted": 2, "rejected": 1},
    "report_uri": f"s3://{LAKE}/reports/x.html",
    "warnings": ["Look at this"],
    "reasons": {"truncated": 1},
}


def _map(name: str, child: Mapping[str, Any], after: str) -> dict[str, Any]:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Child"}
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": LAKE, "Key": "items.json"},
    }
    return {
        name: {
            "Type": "Map",
            "ItemReader": reader,
            "ItemProcessor": {**processor, "States": {"Child": {**child}}},
            "ResultPath": None,
            "Next": after,
        }
    }


def definition() -> dict[str, Any]:
    """Plan, Extract, then what the upload's name asks for: `bad` fails in Infer, `slow` waits for ten minutes."""
    key = "$.detail.object.key"
    wait = {"Type": "Wait", "Seconds": 600, "End": True}
    known = {"Variable": key, "IsPresent": True}
    choices = [
        {"And": [known, {"Variable": key, "StringMatches": "*bad*"}], "Next": "Infer"},
        {"And": [known, {"Variable": key, "StringMatches": "*slow*"}], "Next": "InferSlowly"},
    ]
    return {
        "StartAt": "Plan",
        "States": {
            "Plan": {"Type": "Pass", "Next": "Extract"},
            **_map("Extract", {"Type": "Pass", "End": True}, "ByName"),
            "ByName": {"Type": "Choice", "Choices": choices, "Default": "Report"},
            # no Map, for a child that fails does not fail its Map in moto
            "Infer": {"Type": "Fail", "Error": "BadBundle", "Cause": json.dumps(_CAUSE)},
            **_map("InferSlowly", wait, "Report"),
            "Report": {"Type": "Pass", "Result": ANSWER, "End": True},
        },
    }


def template(machine: str) -> dict[str, Any]:
    """With outputs of the same names as the template's. moto's CloudFormation makes machines that only the other of
    its two interpreters knows, so the machine is made apart."""
    bucket = "AWS::S3::Bucket"
    group = "AWS::Logs::LogGroup"
    outputs = {"UploadsBucket": UPLOADS, "LakeBucket": LAKE, "Database": DATABASE, "WorkGroup": "primary"}
    return {
        "Resources": {
            "UploadsBucket": {"Type": bucket, "Properties": {"BucketName": UPLOADS}},
            "LakeBucket": {"Type": bucket, "Properties": {"BucketName": LAKE}},
            "FunctionsLogGroup": {"Type": group, "Properties": {"LogGroupName": "/small/functions"}},
        },
        "Outputs": {
            **{name: {"Value": value} for name, value in outputs.items()},
            "StateMachine": {"Value": machine},
        },
    }


@dataclass
class SmallStack:
    """A stack without a rule: `start` is what the rule does."""

    machine: str

    def start(self, key: str, version: str | None = None, name: str = "") -> str:
        """Start an execution by the event of an object, as EventBridge delivers it; its name."""
        event = {
            "detail-type": "Object Created",
            "source": "aws.s3",
            "time": "2026-11-22T10:00:00Z",
            "detail": {"bucket": {"name": UPLOADS}, "object": {"key": key, "version-id": version or "null"}},
        }
        return self.begin(event, name)

    def note(self, name: str) -> None:
        """What a child that fails leaves in the lake."""
        note = {"step": "Embed", "error": "BadBundle", "message": "tiny: its graph is broken"}
        boto3.client("s3").put_object(Bucket=LAKE, Key=f"work/{name}/failures/embed-000001.json", Body=json.dumps(note))

    def begin(self, given: Any, name: str = "") -> str:
        # moto names all alike that have none
        name = name or str(uuid4())
        client = boto3.client("stepfunctions")
        client.start_execution(stateMachineArn=self.machine, input=json.dumps(given), name=name)
        return name

    def stop(self, name: str) -> None:
        boto3.client("stepfunctions").stop_execution(
            executionArn=f"{self.machine.replace(':stateMachine:', ':execution:')}:{name}"
        )

    def wait(self, name: str) -> str:
        """Its status at its end."""
        client = boto3.client("stepfunctions")
        arn = f"{self.machine.replace(':stateMachine:', ':execution:')}:{name}"
        while (status := client.describe_execution(executionArn=arn)["status"]) == "RUNNING":
            pass
        return str(status)


@contextmanager
def open_small_stack() -> Iterator[SmallStack]:
    """The stack, in a server that this process's variables name for the length of the block."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(config.default_user_config, "stepfunctions", {"execute_state_machine": True})
        for name, value in {**environment(f"http://{host}:{port}"), "MOTO_PORT": str(port)}.items():
            patch.setenv(name, value)
        storage._bucket.cache_clear()
        client = boto3.client("cloudformation")
        role = "arn:aws:iam::123456789012:role/small"
        made = boto3.client("stepfunctions").create_state_machine(
            name=NAME, definition=json.dumps(definition()), roleArn=role
        )
        machine = str(made["stateMachineArn"])
        client.create_stack(StackName=NAME, TemplateBody=json.dumps(template(machine)))
        (stack,) = client.describe_stacks(StackName=NAME)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        s3 = boto3.client("s3")
        s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=LAKE, Key="items.json", Body=json.dumps(list(range(ITEMS))))
        try:
            yield SmallStack(machine)
        finally:
            server.stop()
            storage._bucket.cache_clear()
