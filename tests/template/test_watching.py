"""What a stack logs, encrypts and raises alarms about."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from pixlake.handler import NAMESPACE, SERVICE
from pixlake_cli.engine.template import Resolver
from tests.project import ROOT
from tests.template.intrinsics import if_so

FUNCTIONS = "AWS::Serverless::Function"
Resources = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def alarms(resources: Resources) -> dict[str, Any]:
    return resources("AWS::CloudWatch::Alarm")


@pytest.fixture(scope="module")
def widgets(resources: Resources) -> list[dict[str, Any]]:
    """Of the dashboard, with resources by their logical names."""
    (dashboard,) = resources("AWS::CloudWatch::Dashboard").values()
    body = Resolver({}, {}, {"AWS::Region": "here"}).resolve(dashboard["DashboardBody"])
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def metrics(widget: dict[str, Any]) -> list[list[str]]:
    """Those of one widget, written out: "." is what the metric before has in this place, "..." all up to the rest."""
    spelled: list[list[str]] = []
    for metric in widget["properties"].get("metrics", []):
        before = spelled[-1] if spelled else []
        full = [*before[: len(before) - len(metric) + 1], *metric[1:]] if metric[0] == "..." else metric
        spelled.append([before[place] if value == "." else value for place, value in enumerate(full)])
    return spelled


def watched(alarm: dict[str, Any]) -> set[str]:
    """The functions whose metrics an alarm computes with."""
    metrics = [it["MetricStat"]["Metric"] for it in alarm.get("Metrics", []) if "MetricStat" in it] or [alarm]
    return {
        dimension["Value"]["Ref"] for it in metrics for dimension in it["Dimensions"] if "Ref" in dimension["Value"]
    }


def test_every_alarm_notifies_the_topic_and_ignores_missing_data(alarms: dict[str, Any]) -> None:
    assert alarms
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmDescription"], name
        assert len(alarm.get("Metrics", [])) <= 10, f"{name}: CloudWatch takes ten metrics an alarm"


def test_errors_and_throttles_of_every_function_are_watched(alarms: dict[str, Any], resources: Resources) -> None:
    for name in ("ErrorsAlarm", "ThrottlesAlarm"):
        assert watched(alarms[name]) | watched(alarms[f"Autogluon{name}"]) == resources(FUNCTIONS).keys()


def test_the_optional_function_has_alarms_of_its_own(alarms: dict[str, Any], template: dict[str, Any]) -> None:
    """Like those of the others, there only where the function is."""
    for name in ("ErrorsAlarm", "ThrottlesAlarm", "DurationAlarm"):
        assert template["Resources"][f"Autogluon{name}"]["Condition"] == "HasAutoGluonImage"
        for key in ("Threshold", "ComparisonOperator", "EvaluationPeriods"):
            assert alarms[f"Autogluon{name}"][key] == alarms[name][key], (name, key)


def test_an_alarm_comes_before_a_function_runs_out_of_time(
    alarms: dict[str, Any], resources: Resources, template: dict[str, Any]
) -> None:
    default = template["Globals"]["Function"]["Timeout"]
    long = {name for name, function in resources(FUNCTIONS).items() if function.get("Timeout", default) == default}
    assert watched(alarms["DurationAlarm"]) | watched(alarms["AutogluonDurationAlarm"]) == long
    assert alarms["DurationAlarm"]["Threshold"] == 0.9 * default * 1000


def test_the_dashboard_reads_the_metrics_that_handlers_write(alarms: dict[str, Any]) -> None:
    written = re.search(r"@instrumented\((.*)\)", (ROOT / "functions/report/app.py").read_text())
    assert written
    own = [it["MetricStat"]["Metric"] for it in alarms["RejectsAlarm"]["Metrics"] if "MetricStat" in it]
    assert {it["MetricName"] for it in own} <= set(re.findall(r'"(\w+)"', written[1]))
    assert [it["Namespace"] for it in own] == [NAMESPACE] * 3
    assert all({"Name": "service", "Value": SERVICE} in it["Dimensions"] for it in own)


def test_the_dashboard_is_json_about_existing_resources(
    widgets: list[dict[str, Any]], resources: Resources, template: dict[str, Any]
) -> None:
    (dashboard,) = resources("AWS::CloudWatch::Dashboard").values()
    text, parts = dashboard["DashboardBody"]["Fn::Sub"]
    spelled = " ".join([text, *(it["Fn::Sub"] for it in parts.values())])
    named = {name.partition(".")[0] for name in re.findall(r"\$\{([^}]+)\}", spelled)}
    assert named - {"AWS::Region"} - parts.keys() <= template["Resources"].keys()
    assert parts.keys() <= named
    areas = [(it["x"], it["y"]) for it in widgets]
    assert len(areas) == len(set(areas))


def test_the_dashboard_shows_every_function_that_every_stack_has(
    widgets: list[dict[str, Any]], resources: Resources
) -> None:
    functions = resources(FUNCTIONS).keys() - {"ClassifyAutogluonFunction"}
    for name in ("Duration", "Errors", "Throttles"):
        shown = [it for widget in widgets for it in metrics(widget) if it[:2] == ["AWS/Lambda", name]]
        assert {it[3] for it in shown} == functions, name
        assert [it[2] for it in shown] == ["FunctionName"] * len(functions), name


def test_a_metric_is_written_out_as_names_and_values(widgets: list[dict[str, Any]]) -> None:
    for widget in widgets:
        for metric in metrics(widget):
            assert len(metric) % 2 == 0, metric
            assert not set(metric) & {".", "..."}, metric


def test_logs_expire_and_are_encrypted_with_the_key(resources: Resources) -> None:
    groups = resources("AWS::Logs::LogGroup")
    assert len(groups) == 2
    for group in groups.values():
        assert group["RetentionInDays"] == {"Ref": "LogDays"}
        assert group["KmsKeyId"]["Fn::If"][:2] == ["HasKmsKey", {"Ref": "KmsKeyArn"}]


def test_every_role_that_uses_the_buckets_may_use_their_key(template: dict[str, Any]) -> None:
    machines = {name for name, it in template["Resources"].items() if it["Type"] == "AWS::Serverless::StateMachine"}
    functions = {name for name, it in template["Resources"].items() if it["Type"] == FUNCTIONS}
    policy = template["Resources"]["KmsKeyPolicy"]
    assert policy["Condition"] == "HasKmsKey"
    assert {if_so(it)["Ref"] for it in policy["Properties"]["Roles"]} == {
        f"{name}Role" for name in machines | functions
    }


def test_queue_and_topic_accept_tls_only(resources: Resources) -> None:
    policies = {**resources("AWS::SQS::QueuePolicy"), **resources("AWS::SNS::TopicPolicy")}
    assert len(policies) == 2
    for name, policy in policies.items():
        denied = [it for it in policy["PolicyDocument"]["Statement"] if it["Effect"] == "Deny"]
        assert [it["Condition"] for it in denied] == [{"Bool": {"aws:SecureTransport": "false"}}], name


def test_failed_asynchronous_invocations_go_to_the_queue(template: dict[str, Any]) -> None:
    queue = {"Fn::GetAtt": "UndeliveredQueue.Arn"}
    resources = template["Resources"]
    rules = {name: it["Properties"]["Targets"] for name, it in resources.items() if it["Type"] == "AWS::Events::Rule"}
    for name, targets in rules.items():
        assert [target["DeadLetterConfig"] for target in targets] == [{"Arn": queue}], name
    told = [target["Arn"].get("Fn::GetAtt", "").removesuffix(".Arn") for it in rules.values() for target in it]
    for name, resource in resources.items():
        scheduled = resource["Properties"].get("Events", {})
        if resource["Type"] == FUNCTIONS and (scheduled or name in told):
            destination = resource["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
            assert destination == {"Type": "SQS", "Destination": queue}, name
        for event in scheduled.values():
            assert event["Properties"]["DeadLetterConfig"] == {"Arn": queue}, name


def test_undelivered_events_go_to_the_queue_and_raise_an_alarm(
    template: dict[str, Any], alarms: dict[str, Any]
) -> None:
    rules = [name for name, it in template["Resources"].items() if it["Type"] == "AWS::Events::Rule"]
    allowed, _ = template["Resources"]["UndeliveredQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    sources = [it["Fn::GetAtt"].removesuffix(".Arn") for it in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]]
    assert sorted(sources) == sorted(rules)
    (dimension,) = alarms["UndeliveredAlarm"]["Dimensions"]
    assert dimension["Value"] == {"Fn::GetAtt": "UndeliveredQueue.QueueName"}


def test_the_template_holds_no_secrets(any_template: dict[str, Any]) -> None:
    # OpenAPI's name for what is signed, and the header that says by whom
    text = re.sub("type: apiKey|x-amz-security-token", "", yaml.safe_dump(any_template))
    assert not re.findall(r"(?i)(AKIA[0-9A-Z]{16}|secret_access_key|password|\bapi_?key\b|\btoken\b)", text)
    assert not [name for name, it in any_template["Parameters"].items() if it.get("NoEcho")]
