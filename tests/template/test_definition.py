"""The state machine as the template deploys it: names, times and tolerances that have to be the same in both."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixlake.settings import CompactSettings, from_environment
from pixlake_cli.engine.template import Deployment, machine_arn
from tests.template.conftest import if_so
from tests.template.policies import statements_of

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ROOT / "statemachine/ingest.asl.yaml"
# Tasks inside a Map share their function's name but for the item that they handle.
STATE_OF_TASK = {"ExtractShard": "extract"}
# Functions that no state invokes: a schedule does, a rule does.
TOLD = {"maintain", "record_failure"}


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("machine", ["IngestStateMachine", "CompactAthenaStateMachine"])
def test_every_substitution_is_given_and_used(template: dict[str, Any], machine: str) -> None:
    properties = template["Resources"][machine]["Properties"]
    definition = (ROOT / properties["DefinitionUri"]).read_text()
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == properties["DefinitionSubstitutions"].keys()


def test_no_yaml_that_step_functions_refuses() -> None:
    events = list(yaml.parse(DEFINITION.read_text()))
    assert not [event for event in events if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None)]


def test_one_name_a_step(function_of: dict[str, str], deployment: Deployment) -> None:
    folders = {path.parent.name for path in ROOT.glob("functions/*/app.py")}
    states = {STATE_OF_TASK.get(task, snake(task)) for task in function_of}
    events = {path.stem for path in ROOT.glob("events/*.json")}
    assert states | TOLD == folders == {function.folder.name for function in deployment.functions.values()} == events
    for task, function in function_of.items():
        assert deployment.functions[function].folder.name == STATE_OF_TASK.get(task, snake(task))
        assert deployment.functions[function].handler == "app.handler"


def test_events_are_json_objects() -> None:
    for path in ROOT.glob("events/*.json"):
        assert isinstance(json.loads(path.read_text()), dict), path


def test_the_machine_may_invoke_what_it_invokes(template: dict[str, Any], function_of: dict[str, str]) -> None:
    statements = statements_of(template, "IngestStateMachine")
    (invoke,) = [it for it in statements if it["Action"] == "lambda:InvokeFunction"]
    assert {if_so(it)["Fn::GetAtt"] for it in invoke["Resource"]} == {
        f"{function}.Arn" for function in function_of.values()
    }


def test_a_task_waits_at_least_as_long_as_its_function_runs(
    tasks: dict[str, dict[str, Any]], function_of: dict[str, str], deployment: Deployment
) -> None:
    for name, task in tasks.items():
        assert task["TimeoutSeconds"] >= deployment.functions[function_of[name]].timeout, name


def test_retries_are_the_same_everywhere(tasks: dict[str, dict[str, Any]]) -> None:
    assert len({json.dumps(task["Retry"]) for task in tasks.values()}) == 1


def test_a_bad_end_of_just_this_machine_is_recorded(template: dict[str, Any], deployment: Deployment) -> None:
    (rule,) = deployment.rules
    assert rule.functions == ("RecordFailureFunction",)
    assert rule.pattern["source"] == ["aws.states"]
    assert rule.pattern["detail"]["stateMachineArn"] == [machine_arn("IngestStateMachine")]
    assert set(rule.pattern["detail"]["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}
    permission = template["Resources"]["FailedRulePermission"]["Properties"]
    assert permission["FunctionName"] == {"Ref": "RecordFailureFunction"}
    assert permission["SourceArn"] == {"Fn::GetAtt": "FailedRule.Arn"}


def test_the_interpreter_tolerates_what_compact_tolerates(machine: dict[str, Any], deployment: Deployment) -> None:
    tolerated = machine["States"]["Infer"]["ToleratedFailurePercentage"]
    settings = from_environment(CompactSettings, deployment.functions["CompactFunction"].environment)
    assert isinstance(tolerated, float)
    assert tolerated == settings.tolerated_lost_percent
    assert "ToleratedFailurePercentage" not in machine["States"]["Extract"]


def test_map_runs_write_below_what_the_role_may_write(template: dict[str, Any], machine: dict[str, Any]) -> None:
    policies = yaml.safe_dump(statements_of(template, "IngestStateMachine"))
    for name in ("Extract", "Infer"):
        prefix = machine["States"][name]["ResultWriter"]["Parameters"]["Prefix"]
        assert f"${{LakeBucket.Arn}}/{prefix}/*" in policies
