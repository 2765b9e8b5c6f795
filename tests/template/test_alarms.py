"""What of an execution's end and its losses an alarm tells, and that every execution ends."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixlake.handler import NAMESPACE, SERVICE

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3600


@pytest.fixture
def alarms(resources: Any) -> dict[str, Any]:
    found: dict[str, Any] = resources("AWS::CloudWatch::Alarm")
    return found


def test_one_lost_batch_raises_an_alarm(alarms: dict[str, Any]) -> None:
    alarm = alarms["LostBatchesAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (NAMESPACE, "lost_batches", "Sum")
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    assert alarm["Dimensions"] == [
        {"Name": "function", "Value": {"Ref": "CompactFunction"}},
        {"Name": "service", "Value": SERVICE},
    ]
    counted = re.search(r"@instrumented\((.*)\)", (ROOT / "functions/compact/app.py").read_text())
    assert counted
    assert '"lost_batches"' in counted[1]


def test_every_unsuccessful_end_raises_an_alarm(alarms: dict[str, Any]) -> None:
    parts = [it["MetricStat"]["Metric"] for it in alarms["FailedExecutionsAlarm"]["Metrics"] if "MetricStat" in it]
    assert {it["MetricName"] for it in parts} == {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}
    for metric in parts:
        assert metric["Namespace"] == "AWS/States"
        assert metric["Dimensions"] == [{"Name": "StateMachineArn", "Value": {"Ref": "IngestStateMachine"}}]


def test_executions_have_a_timeout_above_the_longest_upload(machine: dict[str, Any]) -> None:
    """After what the largest uploads take on the smallest account (test_retries), twice over, and Athena's day."""
    athena = yaml.safe_load((ROOT / "statemachine/compact_athena.asl.yaml").read_text())
    on_athena = machine["States"]["CompactOnAthena"]["TimeoutSeconds"]
    assert machine["TimeoutSeconds"] - on_athena >= 2 * 9 * HOUR
    assert athena["TimeoutSeconds"] <= on_athena
