"""A stack is deleted and deployed again: what it kept is there, and the new one can use the database."""

import json
import warnings
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from pixlake_cli.engine.template import REGION, Resolver
from tests.deployment.deployments import create_stack, translate, without_aliases
from tests.project import read_template


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


def makes_database(existing: str) -> object:
    return Resolver(read_template(), {"ExistingDatabase": existing}, {}).resolve({"Condition": "MakesDatabase"})


@pytest.mark.usefixtures("account")
def test_a_new_stack_uses_the_database_that_a_deleted_one_kept() -> None:
    """moto's CloudFormation makes no databases: whether ours would be made is read from its condition."""
    template = translate()
    database = template["Resources"]["TablesDatabase"]
    assert (database["Condition"], database["DeletionPolicy"]) == ("MakesDatabase", "RetainExceptOnCreate")
    assert (makes_database("false"), makes_database("true")) == (True, False)
    client = boto3.client("cloudformation", region_name=REGION)
    create_stack(boto3.client("s3", region_name=REGION), template)
    existing = {"ParameterKey": "ExistingDatabase", "ParameterValue": "true"}
    with warnings.catch_warnings():
        # it says which types it knows nothing of
        warnings.simplefilter("ignore", UserWarning)
        client.delete_stack(StackName="pixlake")
        client.create_stack(
            StackName="again",
            TemplateBody=json.dumps(without_aliases(template)),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[existing, {"ParameterKey": "DatabaseName", "ParameterValue": "kept"}],
        )
        (stack,) = client.describe_stacks(StackName="again")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {it["OutputKey"]: it["OutputValue"] for it in stack["Outputs"]}["Database"] == "kept"
    functions = boto3.client("lambda", region_name=REGION).list_functions()["Functions"]
    catalogs = {it["Environment"]["Variables"].get("CATALOG_URI") for it in functions}
    assert catalogs == {None, "glue://kept"}
