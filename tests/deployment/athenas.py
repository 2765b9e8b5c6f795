"""Athena for the state machine: moto passes its `.sync` calls on to nobody, so they are answered here. And it starts
a nested execution by parameters in the case of Step Functions, which its own client does not take."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import boto3
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_unsupported
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from pixlake_cli.engine.template import REGION

RETRYABLE = "GENERIC_INTERNAL_ERROR"
TIMED_OUT = "Query timeout"
"""After the account's limit for a query. The worst that Athena may say of it is assumed: that it may pass."""
MORE = "ICEBERG_{}_MORE_RUNS_NEEDED: not all of it is done"


@dataclass
class Queries:
    """What was asked, in order. `refusals` are reasons to fail, by how a statement starts, used up one after another;
    what is not refused goes to `run`."""

    run: Callable[[str], None]
    asked: list[dict[str, Any]] = field(default_factory=list)
    refusals: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, parameters: dict[str, Any]) -> str:
        """Run one query; the reason why it failed, or nothing."""
        self.asked.append(parameters)
        sql = parameters["QueryString"]
        for start, reasons in self.refusals.items():
            if sql.startswith(start) and reasons:
                return reasons.pop(0)
        self.run(sql)
        return ""

    def execution(self, reason: str) -> dict[str, Any]:
        """The last query as Athena describes it after its end."""
        status: dict[str, Any] = {"State": "FAILED" if reason else "SUCCEEDED", "StateChangeReason": reason}
        retryable = reason.startswith((RETRYABLE, TIMED_OUT))
        kind = 210 if reason.startswith(TIMED_OUT) else 200
        status["AthenaError"] = {"ErrorMessage": reason, "ErrorType": kind, "Retryable": retryable}
        return {"QueryExecution": {"QueryExecutionId": str(len(self.asked)), "Status": status}}

    def verbs(self, table: str) -> list[str]:
        """The first words of the statements about one table."""
        return [it["QueryString"].split()[0] for it in self.asked if table in it["QueryString"][:60]]


@contextmanager
def answering(queries: Queries) -> Iterator[None]:
    """`athena:startQueryExecution.sync` is answered by `queries` for the length of the block, and executions nest."""
    module = state_task_service_unsupported
    service = module.StateTaskServiceUnsupported

    def start(self: Any, env: Any, **_: Any) -> None:
        assert self.resource.resource_arn == "arn:aws:states:::athena:startQueryExecution.sync"
        env.stack.append({})

    def wait(self: Any, env: Any, normalised_parameters: Any, **_: Any) -> None:
        env.stack.pop()
        reason = queries.ask(normalised_parameters)
        outcome = queries.execution(reason)
        if reason:
            raise FailureEventException(_failed(self, env, json.dumps(outcome, separators=(",", ":"))))
        env.stack.append(outcome)

    def nest(_self: Any, env: Any, normalised_parameters: Any, **_: Any) -> None:
        given = normalised_parameters
        client = boto3.client("stepfunctions", region_name=REGION)
        started = client.start_execution(
            stateMachineArn=given["StateMachineArn"], input=given["Input"], name=str(uuid4())
        )
        env.stack.append({"ExecutionArn": started["executionArn"]})

    with (
        patch.object(module, "_SUPPORTED_INTEGRATION_PATTERNS", {ResourceCondition.Sync}),
        patch.object(service, "_eval_service_task", start),
        patch.object(service, "_eval_integration_pattern", wait),
        patch.object(StateTaskServiceSfn, "_eval_service_task", nest),
    ):
        yield


def _failed(service: Any, env: Any, cause: str) -> FailureEvent:
    name = StatesErrorNameType.StatesTaskFailed
    details = TaskFailedEventDetails(
        resource=service._get_sfn_resource(),
        resourceType=service._get_sfn_resource_type(),
        error=name.to_name(),
        cause=cause,
    )
    return FailureEvent(
        env,
        StatesErrorName(name),
        HistoryEventType.TaskFailed,
        EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item]
    )
