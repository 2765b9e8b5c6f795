"""`pixlake upload`, `status`, `executions`, `logs` and `retry` on a stack that CloudFormation made."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from pixlake.iceberg.lakes import Lake
from pixlake_cli import checking, following, sending
from tests.builders.commands import run, run_json
from tests.builders.model_lakes import image, make_zip, rows
from tests.deployment.smallstacks import NAME, UPLOADS, SmallStack, open_small_stack


@pytest.fixture(scope="module")
def small() -> Iterator[SmallStack]:
    with open_small_stack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(following.follow, "__defaults__", (0.1,))
        patch.setattr(sending, "_WAIT_SECONDS", 0.1)
        yield stack


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    folder = tmp_path / "pets"
    folder.mkdir()
    (folder / "1.png").write_bytes(image())
    (folder / "pets.csv").write_text("id,age\n1,2\n")
    (folder / "bad.png").write_bytes(b"no image")
    return folder


def on_stack(*arguments: object) -> Result:
    return run(*arguments, "--stack", NAME)


def asked(*arguments: object) -> Any:
    return run_json(*arguments, "--stack", NAME)


def start_when_there(small: SmallStack, key: str, name: str = "") -> threading.Thread:
    """The part of the bucket's rule."""

    def look() -> None:
        client = boto3.client("s3")
        while not (versions := client.list_object_versions(Bucket=UPLOADS, Prefix=key).get("Versions", [])):
            time.sleep(0.05)
        small.note("failing")
        small.start(key, versions[0]["VersionId"], name)

    thread = threading.Thread(target=look)
    thread.start()
    return thread


def test_an_upload_is_followed_to_the_summary_of_its_execution(
    small: SmallStack, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = start_when_there(small, "uploads/followed/pets.zip")
    result = on_stack("upload", upload, "--experiment", "followed", "--json")
    thread.join()
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    execution = found["execution"]
    assert (execution["status"], execution["embedded"], execution["rejects"]) == ("SUCCEEDED", 3, {"truncated": 1})
    assert (found["checked"]["rejects"][0]["source"], found["sent"]) == ("bad.png", found["size"])
    assert execution["upload_uri"] == f"s3://{UPLOADS}/uploads/followed/pets.zip"
    for said in (
        "1 not_an_image",
        "Counts:  3 images, 2 records",
        "Warning: Look at this.",
        "Report:  s3://small-lake",
    ):
        assert said in result.stderr
    # the same command again follows the same execution, checks nothing and sends nothing
    monkeypatch.setattr(checking, "check_upload", lambda *_: pytest.fail("it was checked again"))
    again = on_stack("upload", upload, "--experiment", "followed", "--json")
    repeated = json.loads(again.stdout)
    assert (repeated["there_already"], repeated["execution"]["execution_id"]) == (True, execution["execution_id"])


def test_a_failed_execution_is_told_by_the_error_of_the_child_and_exits_with_1(small: SmallStack, upload: Path) -> None:
    thread = start_when_there(small, "uploads/bad/pets.zip", "failing")
    result = on_stack("upload", upload, "--experiment", "bad")
    thread.join()
    assert result.exit_code == 1
    assert "Infer, BadBundle: tiny: its graph is broken" in result.stderr
    assert "Check the model in the lake" in result.stderr


@pytest.mark.usefixtures("small")
def test_no_wait_ends_with_the_object_and_a_dry_run_without_it(upload: Path) -> None:
    key = "uploads/sent/pets.zip"
    dry = on_stack("upload", upload, "--experiment", "sent", "--dry-run")
    assert (dry.exit_code, f"3 files, 0.0 MiB to s3://{UPLOADS}/{key}" in dry.stderr) == (0, True)
    client = boto3.client("s3")
    assert client.list_objects_v2(Bucket=UPLOADS, Prefix=key)["KeyCount"] == 0
    assert "execution" not in asked("upload", upload, "--experiment", "sent", "--no-wait")
    assert client.list_objects_v2(Bucket=UPLOADS, Prefix=key)["KeyCount"] == 1


@pytest.mark.usefixtures("small")
def test_what_is_refused_is_not_sent(tmp_path: Path) -> None:
    refused = make_zip(tmp_path / "evil.zip", {"../evil.png": image()})
    result = on_stack("upload", refused)
    assert (result.exit_code, "Refused: unsafe_path" in result.stderr) == (2, True)
    assert boto3.client("s3").list_objects_v2(Bucket=UPLOADS, Prefix="uploads/evil/")["KeyCount"] == 0


@pytest.mark.usefixtures("small")
def test_an_execution_that_never_begins_is_an_error(
    upload: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "_PATIENCE", 0.5)
    result = on_stack("upload", upload, "--experiment", "lost")
    assert result.exit_code == 1
    assert "no execution has begun" in result.stderr


def test_status_follows_what_runs_with_the_items_of_its_maps(small: SmallStack) -> None:
    name = small.start("uploads/zoo/slow.zip", name="slow-1")
    while "InferSlowly" not in (found := asked("status", name))["done"]:
        assert found["status"] == "RUNNING", found
    assert (found["status"], found["state"], found["done"]["Extract"]) == ("RUNNING", "InferSlowly", [4, 4])
    (listed,) = [each for each in asked("executions") if each["execution_id"] == name]
    assert (listed["status"], listed["experiment_id"]) == ("RUNNING", "zoo")
    threading.Timer(1, small.stop, [name]).start()
    followed = on_stack("status", name, "--follow")
    assert (followed.exit_code, "slow-1: ABORTED" in followed.stdout) == (1, True)
    assert "InferSlowly: " in followed.stderr


def test_status_of_a_failure_has_its_error_and_those_of_children(small: SmallStack) -> None:
    small.note("mapped")
    name = small.start("uploads/zoo/bad.zip", name="mapped")
    assert small.wait(name) == "FAILED"
    found = asked("status", name)
    assert (found["failure"]["step"], found["failure"]["error"]) == ("Infer", "BadBundle")
    assert [each["child"] for each in found["children"]] == ["embed-000001"]
    assert found["failure"]["message"] == "tiny: its graph is broken"
    assert on_stack("status", name, "--follow").exit_code == 1
    for command in (["status"], ["logs"]):
        assert on_stack(*command, "nobody").exit_code == 1


def test_a_retry_is_an_execution_that_is_followed(small: SmallStack) -> None:
    name = small.start("uploads/zoo/good.zip", name="good-1")
    assert small.wait(name) == "SUCCEEDED"
    retried = asked("retry", name)
    assert (retried["status"], retried["upload_uri"]) == ("SUCCEEDED", f"s3://{UPLOADS}/uploads/zoo/good.zip")
    client = boto3.client("stepfunctions")
    arn = f"{small.machine.replace(':stateMachine:', ':execution:')}:{retried['execution_id']}"
    assert json.loads(client.describe_execution(executionArn=arn)["input"]) == {"retry": "good-1"}


def test_what_failed_is_redriven_and_not_retried(small: SmallStack, monkeypatch: pytest.MonkeyPatch) -> None:
    name = small.start("uploads/zoo/bad2.zip")
    small.wait(name)
    result = on_stack("retry", name)
    assert (result.exit_code, f"pixlake retry {name} --stack {NAME} --redrive" in result.stderr) == (2, True)
    # moto has no redrive
    asked_for: list[str] = []
    monkeypatch.setattr("pixlake_cli.stacks.make_client", lambda _: _redriving(asked_for))
    redriven = on_stack("retry", name, "--redrive", "--no-wait")
    assert redriven.exit_code == 0, redriven.stderr
    assert asked_for == [f"{small.machine.replace(':stateMachine:', ':execution:')}:{name}"]
    good = small.start("uploads/zoo/good2.zip")
    small.wait(good)
    assert on_stack("retry", good, "--redrive").exit_code == 2


def _redriving(asked_for: list[str]) -> Any:
    def client(service: str, **given: Any) -> Any:
        found = boto3.client(service, **given)
        if service == "stepfunctions":
            found.redrive_execution = lambda executionArn: asked_for.append(executionArn)
        return found

    return client


def test_logs_are_those_of_the_execution(small: SmallStack) -> None:
    name = small.start("uploads/zoo/good3.zip", name="logged-1")
    small.wait(name)
    logs = boto3.client("logs")
    group, stream = "/small/functions", "one"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    lines = [
        {"correlation_id": each, "message": "done", "level": "INFO", "function_name": "small-EmbedFunction-1A"}
        for each in ("logged-1", "another")
    ]
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": json.dumps(line)} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    result = on_stack("logs", name)
    assert result.exit_code == 0, result.stderr
    assert "Embed: INFO done" in result.stdout


@pytest.mark.parametrize("command", [["status"], ["executions"], ["rejects"], ["logs", "x"], ["retry", "x"]])
def test_one_place_is_named(command: list[str], tmp_path: Path) -> None:
    assert run(*command).exit_code == 2
    result = run(*command, "--stack", NAME, "--lake", tmp_path)
    assert (result.exit_code, "--lake DIR or --stack NAME" in result.stderr) == (2, True)


@pytest.mark.usefixtures("small")
def test_a_stack_that_is_not_there_is_said() -> None:
    result = run("status", "--stack", "nobodys")
    assert result.exit_code == 1
    assert "does not exist" in result.stderr


@pytest.mark.usefixtures("small")
def test_a_stack_that_is_not_there_is_said_before_an_upload_is_looked_at(
    upload: Path,
) -> None:
    result = run("upload", upload, "--stack", "nobodys")
    assert (result.exit_code, "does not exist" in result.stderr) == (1, True)
    assert "not_an_image" not in result.stderr


def test_an_upload_has_one_place(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(image())
    for places in ((), ("--stack", "a", "--bucket", "b")):
        result = run("upload", tmp_path / "1.png", *places)
        assert (result.exit_code, "name one place" in result.stderr) == (2, True)


def test_on_a_lake_it_is_checked_and_run(tmp_path: Path, upload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # credentials are not looked for
    monkeypatch.setattr("pixlake_cli.stacks.make_client", lambda _: pytest.fail("AWS was asked"))
    lake = tmp_path / "lake"
    dry = run("upload", upload, "--lake", lake, "--dry-run")
    assert (dry.exit_code, lake.exists(), "1 not_an_image" in dry.stderr) == (0, False, True)
    done = run("upload", upload, "--lake", lake, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["embedded"] == 1
    (upload / "1.png").unlink()
    # a folder is as new as its newest file
    (upload / "pets.csv").touch()
    done = run("upload", upload, "--lake", lake, "--complete", "--set", "image_column=age", "--json")
    assert done.exit_code == 0, done.stderr
    assert rows(Lake.at(str(lake)), "embeddings") == []
