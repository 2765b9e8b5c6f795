"""The nested application that gathers loose images is held to what the template is held to."""

from dataclasses import MISSING, fields
from typing import Any

import pytest
import yaml

from pixlake.settings import CollectSettings, from_environment
from tests.builders.collecting import APPLICATION, Application, location, read_application
from tests.project import ROOT, read_template
from tests.template.test_template import listed, statements

ALARM = "AWS::CloudWatch::Alarm"


@pytest.fixture(scope="module")
def application() -> Application:
    return read_application({"IngestStateMachine": "arn:machine", "LakeBucket": "lake", "UploadsBucket": "up"})


@pytest.fixture(scope="module")
def nested(application: Application) -> dict[str, Any]:
    return application.template


def of_type(nested: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: it["Properties"] for name, it in nested["Resources"].items() if it["Type"] == kind}


def test_sections_are_those_of_the_template_in_its_order() -> None:
    lines = location().read_text().splitlines()
    sections = [line.strip("# -") for line in lines if line.strip().startswith("# ----")]
    assert sections == ["ways in", "flow", "watching"]
    assert max(map(len, lines)) <= 120


def test_every_parameter_is_given_described_and_used(nested: dict[str, Any]) -> None:
    given = read_template()["Resources"][APPLICATION]["Properties"]["Parameters"]
    assert given.keys() == nested["Parameters"].keys()
    text = yaml.safe_dump({section: it for section, it in nested.items() if section != "Parameters"})
    for name, parameter in nested["Parameters"].items():
        assert parameter["Description"].endswith("."), name
        assert f"Ref: {name}\n" in text or f"${{{name}}}" in text, f"{name} is used nowhere"


def test_the_function_is_that_of_its_folder_with_its_settings(application: Application) -> None:
    function = application.function
    assert function.folder == ROOT / "functions/collect"
    assert "build-CollectFunction:" in (function.folder / "Makefile").read_text()
    assert function.environment.keys() == {it.name.upper() for it in fields(CollectSettings) if it.default is MISSING}
    assert from_environment(CollectSettings, function.environment) == CollectSettings("s3://lake", "arn:machine")


def test_it_is_as_the_templates_functions_are(nested: dict[str, Any]) -> None:
    ours = read_template()
    mine, globals_ = nested["Resources"]["CollectFunction"]["Properties"], ours["Globals"]["Function"]
    shared = globals_.keys() - {"Environment", "Timeout"}
    assert {name: mine[name] for name in shared} == {name: globals_[name] for name in shared}
    # built twice, for `sam build` takes no layer of a parameter
    assert nested["Resources"]["PixlakeLayer"]["Properties"] == ours["Resources"]["PixlakeLayer"]["Properties"]


def test_no_right_is_wider_than_a_prefix_a_queue_or_the_state_machine(nested: dict[str, Any]) -> None:
    allowing = [(name, it) for name, it in statements(nested) if it["Effect"] == "Allow"]
    assert allowing
    for name, statement in allowing:
        assert not [action for action in listed(statement["Action"]) if "*" in action], name
        assert "*" not in listed(statement["Resource"]), name
    mine = [it for name, it in allowing if name == "CollectFunction"]
    actions = {action: it["Resource"] for it in mine for action in listed(it["Action"])}
    assert actions["states:StartExecution"] == {"Ref": "IngestStateMachine"}
    assert actions["s3:PutObject"]["Fn::Sub"].endswith("${LakeBucket}/work/*")
    assert actions["sqs:ReceiveMessage"] == {"Fn::GetAtt": "GatheringQueue.Arn"}
    assert actions["kms:GenerateDataKey"] == {"Ref": "KmsKeyArn"}


def test_only_the_rule_may_send_and_only_by_tls(nested: dict[str, Any]) -> None:
    (policy,) = of_type(nested, "AWS::SQS::QueuePolicy").values()
    assert [queue["Ref"] for queue in policy["Queues"]] == list(of_type(nested, "AWS::SQS::Queue"))
    allow, deny = policy["PolicyDocument"]["Statement"]
    assert allow["Action"] == "sqs:SendMessage"
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "LooseRule.Arn"}}}
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert all(queue["SqsManagedSseEnabled"] for queue in of_type(nested, "AWS::SQS::Queue").values())


def test_a_message_is_hidden_for_six_times_as_long_as_the_function_runs_and_is_gathered(nested: dict[str, Any]) -> None:
    """As Lambda's guide wants it, so that no message is delivered again while it is worked on."""
    timeout = nested["Resources"]["CollectFunction"]["Properties"]["Timeout"]
    window = read_template()["Parameters"]["GatherSeconds"]["MaxValue"]
    assert nested["Resources"]["GatheringQueue"]["Properties"]["VisibilityTimeout"] >= 6 * timeout + window


def test_messages_that_fail_return_and_then_go_to_the_dead_letters(application: Application) -> None:
    mapping = application.properties("Gathering")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["EventSourceArn"] == application.properties("LooseRule")["Targets"][0]["Arn"]
    (target,) = application.properties("LooseRule")["Targets"]
    redrive = application.properties("GatheringQueue")["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == target["DeadLetterConfig"]["Arn"]
    # the event whole, which cannot be forged as a template can
    assert not target.keys() & {"InputTransformer", "Input", "InputPath"}
    days = {queue["MessageRetentionPeriod"] for queue in of_type(application.template, "AWS::SQS::Queue").values()}
    assert days == {14 * 24 * 3600}


def test_alarms_notify_the_topic_of_the_dead_letters_and_of_the_function(nested: dict[str, Any]) -> None:
    alarms = of_type(nested, ALARM)
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmDescription"], name
    watched = {alarm["MetricName"]: alarm["Dimensions"][0]["Value"] for alarm in alarms.values()}
    assert watched["ApproximateNumberOfMessagesVisible"] == {"Fn::GetAtt": "UncollectedQueue.QueueName"}
    assert watched["ApproximateAgeOfOldestMessage"] == {"Fn::GetAtt": "GatheringQueue.QueueName"}
    assert watched["Errors"] == watched["Throttles"] == {"Ref": "CollectFunction"}
    ours = read_template()["Resources"]
    for name in ("ErrorsAlarm", "ThrottlesAlarm"):
        for key in ("Threshold", "ComparisonOperator", "EvaluationPeriods"):
            assert alarms[name][key] == ours[name]["Properties"][key], (name, key)


def test_nothing_has_a_physical_name(nested: dict[str, Any]) -> None:
    names = ("FunctionName", "QueueName", "AlarmName", "LayerName", "Name")
    for name, resource in nested["Resources"].items():
        if resource["Type"] != "AWS::Lambda::EventSourceMapping":
            assert not resource["Properties"].keys() & set(names), name
