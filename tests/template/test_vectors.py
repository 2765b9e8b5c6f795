"""The nested application that writes vectors to S3 Vectors: none by default, beside the state machine, few rights."""

from dataclasses import MISSING, fields
from typing import Any

import pytest
import yaml

from pixlake.settings import MirrorSettings, from_environment
from pixlake_cli.engine.template import Resolver
from tests.project import ROOT, read_template
from tests.template.test_template import listed, statements

APPLICATION = "VectorsApplication"
LOCATION = ROOT / "vectors.yaml"


@pytest.fixture(scope="module")
def nested() -> dict[str, Any]:
    return read_template(LOCATION)


@pytest.fixture(scope="module")
def function(nested: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = nested["Resources"]["MirrorFunction"]["Properties"]
    return properties


def test_there_is_none_unless_a_parameter_wants_it(template: dict[str, Any]) -> None:
    parameter, resource = template["Parameters"]["S3Vectors"], template["Resources"][APPLICATION]
    assert (parameter["Default"], parameter["AllowedValues"]) == ("false", ["false", "true"])
    assert resource["Condition"] == "HasS3Vectors"
    assert template["Conditions"]["HasS3Vectors"] == {"Fn::Equals": [{"Ref": "S3Vectors"}, "true"]}
    assert resource["Properties"]["Location"] == LOCATION.name


def test_every_parameter_is_given_described_and_used(template: dict[str, Any], nested: dict[str, Any]) -> None:
    assert template["Resources"][APPLICATION]["Properties"]["Parameters"].keys() == nested["Parameters"].keys()
    text = yaml.safe_dump({section: it for section, it in nested.items() if section != "Parameters"})
    for name, parameter in nested["Parameters"].items():
        assert parameter["Description"].endswith("."), name
        assert f"Ref: {name}\n" in text or f"${{{name}}}" in text, f"{name} is used nowhere"
    assert max(map(len, LOCATION.read_text().splitlines())) <= 120


def test_the_function_has_its_settings(nested: dict[str, Any], function: dict[str, Any]) -> None:
    given = {"LakeBucket": "lake", "DatabaseName": "pets", "KmsKeyArn": ""}
    environment = Resolver(nested, given, {}).resolve(function["Environment"]["Variables"])
    assert {it.name.upper() for it in fields(MirrorSettings) if it.default is MISSING} <= environment.keys()
    assert from_environment(MirrorSettings, environment) == MirrorSettings("s3://lake", "glue://pets", "lake")
    assert function["ReservedConcurrentExecutions"] == 1, "a later call must not be overtaken by an earlier one"


def test_it_runs_after_executions_and_by_night_and_no_state_waits_for_it(function: dict[str, Any]) -> None:
    after, night = function["Events"]["AfterExecution"], function["Events"]["EveryNight"]
    detail = after["Properties"]["Pattern"]["detail"]
    assert detail == {"stateMachineArn": [{"Ref": "IngestStateMachine"}], "status": ["SUCCEEDED"]}
    assert night["Type"] == "ScheduleV2"
    for event in (after, night):
        assert event["Properties"]["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": "UnmirroredQueue.Arn"}}
    assert "MirrorFunction" not in (ROOT / "statemachine/ingest.asl.yaml").read_text()


def test_it_may_read_the_table_and_fill_the_lakes_own_vector_bucket(nested: dict[str, Any]) -> None:
    allowing = [it for name, it in statements(nested) if it["Effect"] == "Allow" and name == "MirrorFunction"]
    allowed: dict[str, list[str]] = {}
    for statement in allowing:
        for action in listed(statement["Action"]):
            assert "*" not in action
            allowed.setdefault(action, []).extend(it.get("Fn::Sub", "") for it in listed(statement["Resource"]))
    assert {action for action in allowed if action.startswith("s3vectors:")} == {
        "s3vectors:CreateVectorBucket", "s3vectors:CreateIndex", "s3vectors:PutVectors", "s3vectors:DeleteVectors",
    }  # fmt: skip
    for action, resources in allowed.items():
        if action.startswith("s3vectors:"):
            assert all(it.partition("bucket/")[2] in ("${LakeBucket}", "${LakeBucket}/*") for it in resources)
    written = [it.partition("${LakeBucket}")[2] for it in allowed["s3:PutObject"] + allowed["s3:DeleteObject"]]
    assert set(written) == {"/mirror/*"}
    assert {action for action in allowed if action.startswith("glue:")} == {"glue:GetTable"}


def test_what_failed_is_kept_and_the_alarm_tells(nested: dict[str, Any], function: dict[str, Any]) -> None:
    (alarm,) = [it["Properties"] for it in nested["Resources"].values() if it["Type"] == "AWS::CloudWatch::Alarm"]
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert alarm["Dimensions"][0]["Value"] == {"Fn::GetAtt": "UnmirroredQueue.QueueName"}
    failed = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert failed == {"Type": "SQS", "Destination": {"Fn::GetAtt": "UnmirroredQueue.Arn"}}
