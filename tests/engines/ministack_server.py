"""MiniStack with its calls to Lambda and Athena sent on: `python ministack_server.py URL`, in `.venv-engines`.

Its own way from an invocation to an execution's error stays; replaced is what runs a function's code, whether a state
machine, a rule or a queue's mapping invokes it, by a request to `URL`, which answers as Lambda's Invoke does. Athena's
`.sync`, which MiniStack does not have, goes there as the function named Athena. Its S3, which forgets the Range of a
request that names a version, is reminded, and its events say the version of an object; an execution's history has the
runs of its Maps; and a queue's mapping, which has ten messages at most, gets its batch.
"""

import functools
import json
import sys
from contextvars import ContextVar
from typing import Any
from urllib.request import Request, urlopen

from ministack.app import main
from ministack.services import eventbridge, lambda_svc, s3, sqs, stepfunctions

Record = dict[str, Any]


def find(reference: str) -> tuple[Record, Record, str]:
    """Every function is there: whoever answers at `URL` knows those of the template. An alias has the function's."""
    name = reference.partition(":function:")[2].partition(":")[0] or reference
    return {"name": name}, {"FunctionName": name}, name


def invoke(url: str, function: Record, event: Any) -> Record:
    """In place of running it: what MiniStack takes for the function's answer, or its error."""
    address = f"{url}/2015-03-31/functions/{function['name']}/invocations"
    with urlopen(Request(address, json.dumps(event).encode(), method="POST")) as answer:
        body = json.load(answer)
        return {"body": body, "error": "X-Amz-Function-Error" in answer.headers}


def handle(url: str, function: Record, event: Any, **_: Any) -> Record:
    """In place of running one that a mapping of a queue hands its messages to."""
    return invoke(url, {"name": function["config"]["FunctionName"]}, event)


def receive(some: Any, queue: str, most: int) -> list[Record]:
    """As many of a queue's messages as a batch of its mapping holds."""
    found: list[Record] = []
    while len(found) < most and (more := some(queue, most - len(found))):
        found += more
    return found


def ask_athena(url: str, _resource: str, parameters: Record) -> Any:
    """One query; a failed one is named as Step Functions names it."""
    answer = invoke(url, {"name": "Athena"}, parameters)
    if answer["error"]:
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(answer["body"], separators=(",", ":")))
    return answer["body"]


def get_range(get: Any, bucket: str, key: str, headers: Record, query: Record | None = None) -> tuple[int, Record, Any]:
    """MiniStack's answer to a GET, cut to the range where it is whole."""
    status, given, body = get(bucket, key, headers, query)
    if status != 200 or "range" not in headers:
        return status, given, body
    start, end = s3._parse_range(headers["range"], len(body))
    part = body[start : end + 1]
    cut = {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
    return 206, {**given, **cut}, part


_version: ContextVar[str | None] = ContextVar("version")


def fire(tell: Any, *about: Any, version_id: str | None = None, **more: Any) -> None:
    """An event of S3, whose thread knows the version."""
    _version.set(version_id)
    tell(*about, version_id=version_id, **more)


def dispatch(deliver: Any, event: Record, view: Any = None) -> None:
    """An event to the rules; one of S3 with the version that S3's other notifications have."""
    if event["Source"] == "aws.s3" and (version := _version.get(None)):
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version
        event = {**event, "Detail": json.dumps(detail)}
    deliver(event, view)


def invoke_untimed(resource: str, given: Any, _timeout: float) -> Any:
    """A task, however long it takes: its invocation waits for cores here, time that TimeoutSeconds must not count. It
    ends by its function's own Timeout, as on the laptop."""
    return stepfunctions._invoke_resource(resource, given)


class MapRuns(type(stepfunctions._map_runs)):  # type: ignore[misc]
    """Map runs, each of which is an event of its execution's history."""

    def __setitem__(self, arn: str, run: Record) -> None:
        super().__setitem__(arn, run)
        execution = stepfunctions._executions[run["executionArn"]]
        stepfunctions._add_event(execution, "MapRunStarted", {"mapRunStartedEventDetails": {"mapRunArn": arn}})


if __name__ == "__main__":
    url = sys.argv.pop()
    lambda_svc._get_func_record_for_ref = find
    lambda_svc._execute_function_with_config_scope = functools.partial(invoke, url)
    lambda_svc._execute_function = functools.partial(handle, url)
    sqs._receive_messages_for_esm = functools.partial(receive, sqs._receive_messages_for_esm)
    s3._get_object = functools.partial(get_range, s3._get_object)
    s3._fire_s3_event = functools.partial(fire, s3._fire_s3_event)
    eventbridge._dispatch_event = functools.partial(dispatch, eventbridge._dispatch_event)
    stepfunctions._map_runs = MapRuns()
    stepfunctions._invoke_resource_with_timeout = invoke_untimed
    athena = "arn:aws:states:::athena:startQueryExecution"
    stepfunctions._SERVICE_DISPATCH[athena] = functools.partial(ask_athena, url)
    main()
