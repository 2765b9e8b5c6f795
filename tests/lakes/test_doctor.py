"""`pixlake doctor`: what it finds of this machine, a lake and a stack, and what it says to do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError

from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake_cli import diagnosis
from pixlake_cli.diagnosis import BAD, NOTE, OK, Finding, look_at_lake, look_at_machine, look_at_stack
from pixlake_cli.stacks import explain
from tests.builders.commands import run

STACK = {
    "Outputs": {
        "UploadsBucket": "up",
        "LakeBucket": "lake",
        "StateMachine": "arn:m",
        "Database": "d",
        "Models": "sync",
    },
    "Parameters": {"MapConcurrency": "100", "Embedder": "photo-lite0", "ClassifierOrphan": ""},
}


class Aws:
    """Clients that answer as a stack in good order does, but for what a test `changes`: answers, or errors' codes."""

    def __init__(self, **changes: Any) -> None:
        listed = {
            kind: [{f"{kind[:-1]}Key": key, f"{kind[:-1]}Value": value} for key, value in STACK[kind].items()]
            for kind in STACK
        }
        self.answers: dict[str, Any] = {
            "get_caller_identity": {"Arn": "arn:aws:iam::1:user/me", "Account": "1"},
            "describe_stacks": {"Stacks": [{"StackStatus": "CREATE_COMPLETE", **listed}]},
            "head_bucket": {},
            "describe_state_machine": {"status": "ACTIVE"},
            "head_object": {},
            "get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
        } | changes

    def __call__(self, _service: str) -> "Aws":
        return self

    def __getattr__(self, method: str) -> Callable[..., Any]:
        answer = self.answers[method]

        def call(**_: object) -> Any:
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer, "Message": f"{answer} was said"}}, method)
            return answer

        return call


def find(aws: Aws) -> dict[str, Finding]:
    return {finding.subject: finding for finding in look_at_stack("pixlake", aws)}


def test_a_stack_in_good_order_has_nothing_to_say() -> None:
    found = find(Aws())
    assert {finding.state for finding in found.values()} == {OK}
    assert set(found) == {
        "credentials", "stack", "bucket up", "bucket lake", "state machine", "model photo-lite0", "concurrency",
    }  # fmt: skip


def test_a_quota_below_the_maps_concurrency_is_noted() -> None:
    found = find(Aws(get_account_settings={"AccountLimit": {"ConcurrentExecutions": 10}}))["concurrency"]
    assert (found.state, found.said) == (NOTE, "Lambda's quota is 10, MapConcurrency 100")
    assert "Service Quotas" in found.advice


def test_a_model_that_a_parameter_names_and_the_lake_lacks_is_told_with_the_command_that_puts_it_there() -> None:
    found = find(Aws(head_object="404"))["model photo-lite0"]
    assert (found.state, "sync" in found.advice) == (BAD, True)


def test_expired_credentials_end_the_look_with_what_to_do() -> None:
    (found,) = find(Aws(get_caller_identity="ExpiredToken")).values()
    assert (found.state, found.said) == (BAD, "the credentials have expired")
    assert "Log in again" in found.advice


def test_a_stack_of_another_template_lacks_outputs() -> None:
    found = find(Aws(describe_stacks={"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}))["stack"]
    assert (found.state, "UploadsBucket" in found.said) == (BAD, True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), "there are no credentials"),
        (NoRegionError(), "no region is set"),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "HeadBucket"), "denied"),
        (ClientError({"Error": {"Code": "InvalidClientTokenId", "Message": "no"}}, "X"), "does not take the cred"),
        (
            ClientError({"Error": {"Code": "PermanentRedirect", "Region": "eu-west-1"}}, "X"),
            "another region, eu-west-1",
        ),
        (ClientError({"Error": {"Code": "NoSuchBucket"}}, "X"), "no such bucket"),
        (ClientError({"Error": {"Code": "ValidationError", "Message": "s does not exist"}}, "X"), "does not exist"),
    ],
)
def test_what_aws_refuses_comes_with_what_to_do(error: Exception, said: str) -> None:
    words, advice = explain(error)
    assert said in words
    assert advice


def test_the_machine_is_told_with_versions_and_the_decoders_confinement() -> None:
    found = {finding.subject: finding for finding in look_at_machine()}
    assert set(found) == {"Pixlake", "packages", "ONNX Runtime", "decoders", "Docker"}
    assert "CPUExecutionProvider" in found["ONNX Runtime"].said
    assert found["decoders"].state in (OK, NOTE)


def test_a_lake_that_lost_a_table_says_how_to_get_it_back(tmp_path: Path) -> None:
    lake = Lake.at(str(tmp_path))
    assert [finding.state for finding in look_at_lake(lake)] == [NOTE], "it is not made yet"
    open_catalog(lake.uri, lake.catalog_uri).drop_table("pixlake.records")
    found = {finding.subject: finding for finding in look_at_lake(lake)}
    assert (found["tables"].state, "tables --register" in found["tables"].advice) == (BAD, True)
    assert found["models"].state == NOTE


def test_the_command_fails_only_where_something_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("a", OK, "good"), Finding("b", NOTE, "strange", "Look at it.")]
    monkeypatch.setattr(diagnosis, "look_at_machine", lambda: iter(found))
    done = run("doctor")
    assert (done.exit_code, done.stdout) == (0, "ok   a: good\nnote b: strange\n     Look at it.\n")
    found.append(Finding("c", BAD, "broken"))
    done = run("doctor", "--json")
    assert (done.exit_code, [each["state"] for each in json.loads(done.stdout)]) == (1, [OK, NOTE, BAD])
