"""The roles of both state machines allow what their definitions ask for, and nothing that they do not.

What each service integration needs is written here once, as AWS documents it for Step Functions; which integrations a
machine has is read from its definition. Resources are as the template spells them.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.project import ROOT, read_definition, walk_states
from tests.template.policies import statements_of

Grant = tuple[str, str]
ARN = "arn:${AWS::Partition}"
HERE = "${AWS::Region}:${AWS::AccountId}"
RULE = f"{ARN}:events:{HERE}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
LOGS = (
    *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"),
    *("PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"),
)
# what a statement asks of Glue and S3 by the rights of who sent it, besides Athena itself
TABLES = ("GetDatabase", "GetTable", "GetTables", "CreateTable", "UpdateTable")
FILES = ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts")
WRITTEN = ("PutObject", "GetObject", "ListMultipartUploadParts", "AbortMultipartUpload")


def named(substitution: str) -> str:
    """The resource that stands behind `${Name}` in a definition."""
    return substitution.strip("${}")


def grants(service: str, actions: tuple[str, ...], *resources: str) -> Iterator[Grant]:
    yield from ((f"{service}:{action}", resource) for action in actions for resource in resources)


def invoked(state: dict[str, Any], _: str) -> Iterator[Grant]:
    yield "lambda:InvokeFunction", named(state["Parameters"]["FunctionName"])


def started(state: dict[str, Any], _: str) -> Iterator[Grant]:
    other = named(state["Parameters"]["StateMachineArn"])
    yield "states:StartExecution", other
    executions = f"{ARN}:states:{HERE}:execution:${{{other}.Name}}:*"
    yield from grants("states", ("DescribeExecution", "StopExecution"), executions)
    yield from grants("events", ("PutTargets", "PutRule", "DescribeRule"), RULE)


def queried(state: dict[str, Any], _: str) -> Iterator[Grant]:
    group = f"{ARN}:athena:{HERE}:workgroup/${{CompactionWorkGroup}}"
    assert named(state["Parameters"]["WorkGroup"]) == "WorkGroup"
    yield from grants("athena", ("StartQueryExecution", "GetQueryExecution", "StopQueryExecution"), group)
    yield "athena:GetDataCatalog", f"{ARN}:athena:{HERE}:datacatalog/AwsDataCatalog"
    places = ("catalog", "database/${DatabaseName}", "table/${DatabaseName}/*")
    yield from grants("glue", TABLES, *(f"{ARN}:glue:{HERE}:{place}" for place in places))
    # mandatory for every query, says Athena's guide on access to Glue
    yield "glue:GetDatabase", f"{ARN}:glue:{HERE}:database/default"
    yield "s3:GetBucketLocation", "LakeBucket"
    # Hive's DDL looks for objects named as the folders above a table's location
    yield from grants("s3", ("ListBucket",), "work", "work/*", "warehouse/*", "athena/*")
    yield from grants("s3", ("GetObject",), "${LakeBucket.Arn}/work", "${LakeBucket.Arn}/work/*")
    yield from grants("s3", FILES, "${LakeBucket.Arn}/warehouse/*")
    yield from grants("s3", WRITTEN, "${LakeBucket.Arn}/athena/*")


def mapped(state: dict[str, Any], machine: str) -> Iterator[Grant]:
    """A Distributed Map: items from S3, children of the machine itself, results to S3; and all of it redriven."""
    if state["ItemProcessor"]["ProcessorConfig"]["Mode"] != "DISTRIBUTED":
        return
    assert state["ItemReader"]["Resource"].endswith(":s3:getObject")
    yield "s3:GetObject", "${LakeBucket.Arn}/work/*"
    prefix = state["ResultWriter"]["Parameters"]["Prefix"]
    yield from grants("s3", WRITTEN, f"${{LakeBucket.Arn}}/{prefix}/*")
    yield "states:StartExecution", machine
    children = f"{ARN}:states:{HERE}:execution:${{{machine}.Name}}*"
    yield from grants("states", ("DescribeExecution", "StopExecution", "RedriveExecution"), children)


INTEGRATIONS: dict[str, Callable[[dict[str, Any], str], Iterator[Grant]]] = {
    "arn:${Partition}:states:::lambda:invoke": invoked,
    "arn:${Partition}:states:::states:startExecution.sync:2": started,
    "arn:${Partition}:states:::athena:startQueryExecution.sync": queried,
}


def needed(name: str, properties: dict[str, Any]) -> Iterator[Grant]:
    for _, state in walk_states(read_definition(ROOT / properties["DefinitionUri"])):
        match state["Type"]:
            case "Task":
                yield from INTEGRATIONS[state["Resource"]](state, name)
            case "Map":
                yield from mapped(state, name)
    assert properties["Logging"]["Level"] != "OFF"
    yield from grants("logs", LOGS, "*")


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def spelled(resource: Any) -> Iterator[str]:
    """A resource as text, whichever of the template's ways to name it is used."""
    if isinstance(resource, str):
        yield resource
        return
    ((way, value),) = resource.items()
    match way:
        case "Fn::GetAtt":
            yield value.removesuffix(".Arn")
        case "Fn::If":
            for each in value[1:]:
                yield from spelled(each)
        case _ if value != "AWS::NoValue":
            # a function in any version
            yield re.sub(r"^\$\{(\w+Function)\.Arn\}:\*$", r"\1", value)


def allowed(statement: dict[str, Any]) -> Iterator[Grant]:
    assert statement["Effect"] == "Allow"
    narrowed = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
    resources = [text for resource in listed(narrowed or statement["Resource"]) for text in spelled(resource)]
    yield from ((action, resource) for action in listed(statement["Action"]) for resource in resources)


@pytest.mark.parametrize("name", ["IngestStateMachine", "CompactAthenaStateMachine"])
def test_a_machines_role_allows_exactly_what_its_definition_needs(template: dict[str, Any], name: str) -> None:
    resources = template["Resources"]
    statements = statements_of(template, name)
    for resource in resources.values():
        # policies that stand apart from the role
        if resource["Type"] == "AWS::IAM::Policy" and resource["Properties"]["Roles"] == [{"Ref": f"{name}Role"}]:
            statements += resource["Properties"]["PolicyDocument"]["Statement"]
    given = {grant for statement in statements for grant in allowed(statement)}
    wanted = set(needed(name, resources[name]["Properties"]))
    assert (sorted(wanted - given), sorted(given - wanted)) == ([], [])


def test_the_role_that_starts_executions_may_do_nothing_else(template: dict[str, Any]) -> None:
    (policy,) = template["Resources"]["UploadedRole"]["Properties"]["Policies"]
    given = {grant for statement in policy["PolicyDocument"]["Statement"] for grant in allowed(statement)}
    assert given == {("states:StartExecution", "IngestStateMachine")}
