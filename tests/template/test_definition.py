"""The state machine as the template deploys it: names, times and tolerances that have to be the same in both."""

import json
import re
from typing import Any

import pytest
import yaml

from pixlake.settings import CompactSettings, from_environment
from pixlake_cli.engine.template import Deployment, machine_arn
from tests.project import INGEST, ROOT
from tests.template.intrinsics import if_so
from tests.template.policies import statements_of


@pytest.mark.parametrize("machine", ["IngestStateMachine", "CompactAthenaStateMachine"])
def test_every_substitution_is_given_and_used(template: dict[str, Any], machine: str) -> None:
    properties = template["Resources"][machine]["Properties"]
    definition = (ROOT / properties["DefinitionUri"]).read_text()
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == properties["DefinitionSubstitutions"].keys()


def test_the_definition_has_no_yaml_anchors_or_aliases() -> None:
    events = list(yaml.parse(INGEST.read_text()))
    assert not [event for event in events if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None)]


def test_the_machine_may_invoke_exactly_the_functions_of_its_tasks(
    template: dict[str, Any], function_of: dict[str, str]
) -> None:
    statements = statements_of(template, "IngestStateMachine")
    (invoke,) = [it for it in statements if it["Action"] == "lambda:InvokeFunction"]
    assert {if_so(it)["Fn::Sub"] for it in invoke["Resource"]} == {
        f"${{{function}.Arn}}:*" for function in function_of.values()
    }


def test_an_execution_keeps_to_the_versions_with_which_it_began(template: dict[str, Any]) -> None:
    """A running execution has its definition for life, which names versions; these have all that a deployment sets."""
    functions = template["Globals"]["Function"]
    assert (functions["AutoPublishAlias"], functions["AutoPublishAliasAllProperties"]) == ("live", True)
    substitutions = template["Resources"]["IngestStateMachine"]["Properties"]["DefinitionSubstitutions"]
    named = {name: it for name, it in substitutions.items() if name.endswith("Function")}
    assert {name: if_so(it) for name, it in named.items()} == {name: {"Ref": f"{name}.Version"} for name in named}


def test_a_task_waits_at_least_as_long_as_its_function_runs(
    tasks: dict[str, dict[str, Any]], function_of: dict[str, str], deployment: Deployment
) -> None:
    for name, task in tasks.items():
        assert task["TimeoutSeconds"] >= deployment.functions[function_of[name]].timeout, name


def test_every_task_has_the_same_retries(tasks: dict[str, dict[str, Any]]) -> None:
    assert len({json.dumps(task["Retry"]) for task in tasks.values()}) == 1


def test_failed_timed_out_and_aborted_executions_of_this_machine_alone_are_recorded(
    template: dict[str, Any], deployment: Deployment
) -> None:
    (rule,) = deployment.rules
    assert rule.functions == ("RecordFailureFunction",)
    assert rule.pattern["source"] == ["aws.states"]
    assert rule.pattern["detail"]["stateMachineArn"] == [machine_arn("IngestStateMachine")]
    assert set(rule.pattern["detail"]["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}
    permission = template["Resources"]["FailedRulePermission"]["Properties"]
    # SAM binds the queue of its failed invocations to the alias
    assert permission["FunctionName"] == {"Ref": "RecordFailureFunction.Alias"}
    (target,) = template["Resources"]["FailedRule"]["Properties"]["Targets"]
    assert target["Arn"] == permission["FunctionName"]
    assert permission["SourceArn"] == {"Fn::GetAtt": "FailedRule.Arn"}


def test_the_map_and_compact_tolerate_the_same_share_of_lost_batches(
    machine: dict[str, Any], deployment: Deployment
) -> None:
    tolerated = machine["States"]["Infer"]["ToleratedFailurePercentage"]
    settings = from_environment(CompactSettings, deployment.functions["CompactFunction"].environment)
    assert isinstance(tolerated, float)
    assert tolerated == settings.tolerated_lost_percent
    assert "ToleratedFailurePercentage" not in machine["States"]["Extract"]


def test_map_runs_write_below_a_prefix_that_the_role_may_write(
    template: dict[str, Any], machine: dict[str, Any]
) -> None:
    policies = yaml.safe_dump(statements_of(template, "IngestStateMachine"))
    for name in ("Extract", "Infer"):
        prefix = machine["States"][name]["ResultWriter"]["Parameters"]["Prefix"]
        assert f"${{LakeBucket.Arn}}/{prefix}/*" in policies
