"""An execution that goes on in one of its states, as a redrive lets it.

moto has no RedriveExecution. In its place a second machine, which starts with that state, gets an execution with the
state's own input: what Step Functions does, but that a Map runs all its children again.
"""

import time
from collections.abc import Mapping
from typing import Any

import boto3

from pixlake_cli.engine import definition
from pixlake_cli.engine.template import REGION, machine_arn

ROLE = "arn:aws:iam::123456789012:role/laptop"


def read_input(execution: str, state: str) -> str:
    """What the execution, by its ARN, gave to the state."""
    (given,) = [entered["input"] for entered in _entered(execution) if entered["name"] == state]
    return str(given)


def make_machine(machine: Mapping[str, Any], state: str) -> str:
    """The ARN of the machine that starts with the state."""
    client = boto3.client("stepfunctions", region_name=REGION)
    rest = definition.to_json({**machine, "StartAt": state})
    made = client.create_state_machine(name=f"from-{state}", definition=rest, roleArn=ROLE)
    return str(made["stateMachineArn"])


def go_on(machine: str, name: str, given: str) -> dict[str, Any]:
    """How an execution of the machine ends, as DescribeExecution tells it; and in `state` where it was last."""
    client = boto3.client("stepfunctions", region_name=REGION)
    begun = client.start_execution(stateMachineArn=machine, name=name, input=given)["executionArn"]
    found: dict[str, Any]
    while (found := client.describe_execution(executionArn=begun))["status"] == "RUNNING":
        time.sleep(0.05)
    return {**found, "state": _entered(begun)[-1]["name"]}


def execution_arn(machine: str, name: str) -> str:
    """Of an execution of the engine's own machine."""
    return f"{machine_arn(machine).replace(':stateMachine:', ':execution:')}:{name}"


def _entered(execution: str) -> list[dict[str, Any]]:
    client = boto3.client("stepfunctions", region_name=REGION)
    history = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return [event["stateEnteredEventDetails"] for event in history if "stateEnteredEventDetails" in event]
