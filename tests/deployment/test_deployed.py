"""From an object put into the deployed bucket, through the deployed rule, to rows."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine import pool
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.template import REGION
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows
from tests.deployment.deployments import create_stack, translate
from tests.project import ROOT

TIME = "2026-11-21T10:00:00Z"


@dataclass
class Deployed:
    """A stack in moto, whose rules deliver to a queue in place of their targets, and the engine beside it."""

    engine: Engine
    lake: Lake
    s3: Any
    resources: dict[str, str]
    queue: str

    @property
    def uploads(self) -> str:
        return self.resources["UploadsBucket"]

    def deliveries(self) -> list[Any]:
        """What the rule has delivered since last asked."""
        client = boto3.client("sqs", region_name=REGION)
        found = []
        while messages := client.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                client.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    lake = make_lake(tmp_path_factory.mktemp("deployed") / "lake")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    reached = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
    }
    plain = pool.environment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "environment", lambda *given: {**plain(*given), **reached})
        with Engine(lake.uri, lake.catalog_uri, MODELS, ROOT) as engine:
            s3 = boto3.client("s3", region_name=REGION, endpoint_url=reached["AWS_ENDPOINT_URL"])
            resources = create_stack(s3, translate())
            yield Deployed(engine, lake, s3, resources, _listen(s3, resources))
    server.stop()
    shutil.rmtree(engine.logs, ignore_errors=True)


def _listen(s3: Any, resources: dict[str, str]) -> str:
    """A queue in the place of the rules' targets. And the bucket's versions and events, which moto's CloudFormation
    leaves out."""
    s3.put_bucket_versioning(Bucket=resources["UploadsBucket"], VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=resources["UploadsBucket"], NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    sqs = boto3.client("sqs", region_name=REGION)
    url: str = sqs.create_queue(QueueName="delivered")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = boto3.client("events", region_name=REGION)
    for rule, meant in (("UploadedRule", "IngestStateMachine"), ("FailedRule", "RecordFailureFunction")):
        (target,) = events.list_targets_by_rule(Rule=resources[rule])["Targets"]
        assert target["Arn"].endswith(resources[meant])
        kept = {key: target[key] for key in ("Id", "InputPath", "InputTransformer") if key in target}
        events.put_targets(Rule=resources[rule], Targets=[{**kept, "Arn": arn}])
    return url


def put_event(event: dict[str, Any]) -> None:
    sent = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
    boto3.client("events", region_name=REGION).put_events(Entries=[sent])


def delivered(deployed: Deployed, event: dict[str, Any]) -> dict[str, Any]:
    """What the rule makes of an event of S3: moto's S3 passes over what a target does with it, its event bus does not.
    AWS's `time` is text."""
    put_event(event)
    (request,) = deployed.deliveries()
    if "time" in request:
        request["time"] = TIME
    return dict(request)


def upload(deployed: Deployed, key: str, data: bytes) -> dict[str, Any]:
    """Put an object; the input of the execution that it starts."""
    deployed.s3.put_object(Bucket=deployed.uploads, Key=key, Body=data)
    (event,) = deployed.deliveries()
    return delivered(deployed, event)


def test_a_key_forges_no_input(deployed: Deployed, tmp_path: Path) -> None:
    secret = make_zip(tmp_path / "secret.zip", {"secret.csv": "id\n1\n"}).read_bytes()
    upload(deployed, "uploads/theirs/secret.zip", secret)
    theirs = f"s3://{deployed.uploads}/uploads/theirs/secret.zip"
    forged = upload(deployed, f'uploads/mine/x","upload_uri":"{theirs}","experiment_id":"mine","z":".zip', b"")
    outcome = deployed.engine.execute("forged", forged)
    assert (outcome.status, outcome.error) == ("FAILED", "BadRequest"), outcome
    assert rows(deployed.lake, "records", "mine") == []


@pytest.mark.parametrize(
    "name", ['say "cheese".zip', "back\\slash.zip", "1+1.zip", "Ünï 日本 🐈.zip", "a%20b.zip", "A.ZIP", "A.Zip"]
)
def test_any_name_of_an_upload_is_read(deployed: Deployed, tmp_path: Path, name: str) -> None:
    data = make_zip(tmp_path / "pets.zip", {"pets.csv": "id\n1\n"}).read_bytes()
    request = upload(deployed, f"uploads/named/{name}", data)
    outcome = deployed.engine.execute(f"named-{abs(hash(name))}", request)
    assert outcome.status == "SUCCEEDED", (outcome.state, outcome.error, outcome.cause)


def test_a_replaced_upload_is_read_in_its_planned_version(deployed: Deployed, tmp_path: Path) -> None:
    old, new = (make_zip(tmp_path / f"{n}.zip", {"a.csv": f"id\n{n}\n"}).read_bytes() for n in ("old", "new"))
    requests = [upload(deployed, "uploads/replaced/a.zip", data) for data in (old, new)]
    assert deployed.engine.execute("replaced", requests[0]).status == "SUCCEEDED"
    assert [row["record_id"] for row in rows(deployed.lake, "records", "replaced")] == ["old"]


def test_an_object_put_becomes_rows(deployed: Deployed, tmp_path: Path) -> None:
    members: dict[str, Any] = {"pets.csv": "id,Age\n01,3\n02,5\n", "photos/01.png": image()}
    upload = make_zip(tmp_path / "my pets (1).zip", members)
    deployed.s3.put_object(Bucket=deployed.uploads, Key="uploads/pets/my pets (1).zip", Body=upload.read_bytes())
    (event,) = deployed.deliveries()
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    request = delivered(deployed, event)
    outcome = deployed.engine.execute("deployed", request)
    assert outcome.status == "SUCCEEDED", (outcome.state, outcome.error, outcome.cause)
    assert outcome.output["experiment_id"] == "pets"
    assert [row["record_id"] for row in rows(deployed.lake, "records", "pets")] == ["01", "02"]
    assert [row["image_path"] for row in rows(deployed.lake, "embeddings", "pets")] == ["photos/01.png"]
    assert len(rows(deployed.lake, "predictions", "pets")) == 2


@pytest.mark.parametrize(
    "key", ["uploads/loose.zip", "uploads/loose.ZIP", "uploads/pets/notes.txt", "elsewhere/pets/pets.zip"]
)
def test_other_objects_start_nothing(deployed: Deployed, key: str) -> None:
    deployed.s3.put_object(Bucket=deployed.uploads, Key=key, Body=b"")
    assert deployed.deliveries() == []


def ended(deployed: Deployed, name: str, status: str, machine: str = "") -> dict[str, Any]:
    """The event of events/record_failure.json, as this stack's state machine would send it."""
    event: dict[str, Any] = json.loads((ROOT / "events/record_failure.json").read_text())
    arn = deployed.resources["IngestStateMachine"] + machine
    event["detail"] |= {"name": name, "status": status, "stateMachineArn": arn}
    return event


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_every_failed_timed_out_or_aborted_execution_becomes_a_row(deployed: Deployed, status: str) -> None:
    put_event(ended(deployed, f"ended-{status}", status))
    (delivered,) = deployed.deliveries()
    answer = deployed.engine.invoke("RecordFailureFunction", json.dumps(delivered).encode())
    assert not answer.failed, answer.payload
    found = {row["execution_id"]: row["status"] for row in rows(deployed.lake, "executions", "emoji")}
    assert found[f"ended-{status}"] == status


@pytest.mark.parametrize(
    ("status", "machine"),
    [
        pytest.param("SUCCEEDED", "", id="good"),
        pytest.param("RUNNING", "", id="begun or redriven"),
        pytest.param("FAILED", "/Infer:aa0a8b3e", id="a child of a Map"),
    ],
)
def test_other_status_events_are_not_delivered(deployed: Deployed, status: str, machine: str) -> None:
    put_event(ended(deployed, "other", status, machine))
    assert deployed.deliveries() == []
