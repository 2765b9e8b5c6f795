"""A stack by its outputs, and what AWS refuses in words that say what to do."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, NoRegionError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

from pixlake.errors import AccessDenied, BadRequest, MissingObject, PixlakeError, StorageError
from pixlake.iceberg.lakes import Lake

OUTPUTS = ("UploadsBucket", "LakeBucket", "StateMachine", "Database")
"""The stack's outputs that uploading and reading take."""
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId"}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_DENIED = ("AccessDenied", "403", "Forbidden")
_MISSING = {"NoSuchBucket", "ExecutionDoesNotExist", "StateMachineDoesNotExist", "ResourceNotFoundException"}

Client = Callable[..., Any]
"""A client of boto3's by the service's name."""


@dataclass(frozen=True)
class Described:
    """A stack as CloudFormation describes it."""

    status: str
    outputs: dict[str, str]
    parameters: dict[str, str]


@dataclass(frozen=True)
class Stack:
    """A stack of Pixlake's template: its buckets, the ARN of its state machine, its database."""

    name: str
    uploads: str
    machine: str
    lake: Lake
    client: Client


def describe_stack(name: str, client: Client) -> Described:
    """Its status, outputs and parameters; botocore's error where it cannot be described."""
    stack = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())}
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", ())}
    return Described(stack["StackStatus"], outputs, parameters)


def open_stack(name: str, client: Client) -> Stack:
    """The stack of this name; BadRequest where it lacks outputs, as one of another template does."""
    with told(f"stack {name}"):
        outputs = describe_stack(name, client).outputs
    missing = [key for key in OUTPUTS if key not in outputs]
    if missing:
        raise BadRequest(
            f"the stack {name} has no output {', '.join(missing)}: is it a stack of Pixlake's template, and its"
            f" deployment complete? `pixlake doctor --stack {name}` says more"
        )
    lake = Lake.at(f"s3://{outputs['LakeBucket']}").in_database(outputs["Database"])
    return Stack(name, outputs["UploadsBucket"], outputs["StateMachine"], lake, client)


@contextmanager
def told(subject: str) -> Iterator[None]:
    """What AWS refuses in the block is raised as an error of Pixlake's that says what to do."""
    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        said, advice = explain(error)
        raise _kind(error)(f"{subject}: {said}{'. ' if advice and not said.endswith('.') else ' '}{advice}") from error


def explain(error: Exception) -> tuple[str, str]:
    """What AWS said, and what to do."""
    if isinstance(error, NoCredentialsError):
        return "there are no credentials", "Set AWS_PROFILE, or log in, as by `aws sso login` or `aws configure`."
    if isinstance(error, NoRegionError):
        return "no region is set", "Set AWS_REGION, or give --region."
    if isinstance(error, HTTPClientError | NoConnection | ResponseParserError):
        return str(error), "Repeat the command when there is a connection."
    code = error_code(error)
    if code == "ValidationError" and "does not exist" in str(error):
        return str(error), "Look at the name, and at the region and the account that are asked."
    if code in _EXPIRED:
        return "the credentials have expired", "Log in again, as by `aws sso login`, and repeat the command."
    if code in _UNKNOWN:
        return f"AWS does not take the credentials: {error}", "Look at AWS_PROFILE and the keys that are set."
    if code in _ELSEWHERE:
        region = _region_of(error)
        return f"the bucket is in another region{f', {region}' if region else ''}", (
            f"Give --region {region or 'NAME'}, or set AWS_REGION to it."
        )
    if code == "NoSuchBucket":
        return "there is no such bucket", "Look at its name, and at the account whose credentials are used."
    if code.startswith(_DENIED):
        return f"denied: {error}", "Have the action allowed, or use another profile."
    return str(error), ""


def error_code(error: Exception) -> str:
    """AWS's code of an error; empty for errors that are not AWS's answer."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else ""


def _region_of(error: Exception) -> str:
    answer: dict[str, Any] = getattr(error, "response", {})
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(answer.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region") or "")


def _kind(error: Exception) -> type[PixlakeError]:
    code = error_code(error)
    if code in _MISSING or (code == "ValidationError" and "does not exist" in str(error)):
        return MissingObject
    if code in _EXPIRED | _UNKNOWN or code.startswith(_DENIED) or isinstance(error, NoCredentialsError):
        return AccessDenied
    if code in _ELSEWHERE or isinstance(error, NoRegionError):
        return BadRequest
    return StorageError


def read_json(text: str | None) -> Any:
    """The JSON of an execution's input or output; None where there is none, or it is no JSON."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


def make_client(region: str | None) -> Client:
    """Clients of the credentials that the AWS CLI would take. Objects of the lake are then read by the same ones."""
    import boto3

    session = boto3.Session(region_name=region)
    lend_credentials(session)
    client: Client = session.client
    return client


def lend_credentials(session: Any) -> None:
    """Put a session's credentials and region into this process's variables, which is where obstore looks."""
    with suppress(BotoCoreError):
        if "AWS_ACCESS_KEY_ID" not in os.environ and (found := session.get_credentials()):
            frozen = found.get_frozen_credentials()
            named = zip(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"), frozen, strict=True)
            os.environ.update({f"AWS_{name}": value for name, value in named if value})
    if session.region_name:
        os.environ["AWS_REGION"] = session.region_name
