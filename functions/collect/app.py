"""Handler of the step that this folder is named for; the work is `pixlake.steps.collect.collect`."""

from contextlib import suppress
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pixlake.errors import TransientError
from pixlake.handler import instrumented
from pixlake.messages import CollectRequest, parse, plain
from pixlake.settings import CollectSettings, from_environment
from pixlake.steps.collect import collect

SETTINGS = from_environment(CollectSettings)
MACHINES = boto3.client("stepfunctions")


@instrumented()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(collect(parse(event, CollectRequest), SETTINGS, _start))


def _start(name: str, given: str) -> None:
    try:
        with suppress(MACHINES.exceptions.ExecutionAlreadyExists):
            MACHINES.start_execution(stateMachineArn=SETTINGS.state_machine, name=name, input=given)
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"{name} was not started: {error}") from error
