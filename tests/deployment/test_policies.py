"""The policies of docs/policies, which people copy: what an upload sends, what Athena's readers need, what the template
makes."""

import io
import json
import re
from fnmatch import fnmatchcase
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from moto import mock_aws

from pixlake.lake import Work
from tests.deployment.deployments import translate
from tests.project import ROOT, read_template

FOLDER = ROOT / "docs/policies"
# what CloudFormation calls to make and delete one of each type, by the service's own names
CALLS = {
    "AWS::ApiGatewayV2::Api": ["apigateway:POST", "apigateway:PUT", "apigateway:PATCH", "apigateway:DELETE"],
    "AWS::ApiGatewayV2::Stage": ["apigateway:POST", "apigateway:PATCH", "apigateway:TagResource"],
    "AWS::Athena::NamedQuery": ["athena:CreateNamedQuery", "athena:DeleteNamedQuery"],
    "AWS::Athena::WorkGroup": ["athena:CreateWorkGroup", "athena:UpdateWorkGroup", "athena:DeleteWorkGroup"],
    "AWS::CloudFormation::Stack": ["cloudformation:CreateStack", "cloudformation:UpdateStack"],
    "AWS::CloudWatch::Alarm": ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms"],
    "AWS::CloudWatch::Dashboard": ["cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"],
    "AWS::Events::Rule": ["events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:DeleteRule"],
    "AWS::Glue::Database": ["glue:CreateDatabase", "glue:UpdateDatabase", "glue:GetDatabase"],
    "AWS::IAM::ManagedPolicy": ["iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy"],
    "AWS::IAM::Policy": ["iam:PutRolePolicy", "iam:DeleteRolePolicy"],
    "AWS::IAM::Role": ["iam:CreateRole", "iam:AttachRolePolicy", "iam:PassRole", "iam:DeleteRole", "iam:TagRole"],
    "AWS::Lambda::Alias": ["lambda:CreateAlias", "lambda:UpdateAlias", "lambda:DeleteAlias"],
    "AWS::Lambda::EventSourceMapping": ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping"],
    "AWS::Lambda::EventInvokeConfig": ["lambda:PutFunctionEventInvokeConfig"],
    "AWS::Lambda::Function": ["lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:DeleteFunction"],
    "AWS::Lambda::LayerVersion": ["lambda:PublishLayerVersion", "lambda:DeleteLayerVersion"],
    "AWS::Lambda::Permission": ["lambda:AddPermission", "lambda:RemovePermission"],
    "AWS::Lambda::Version": ["lambda:PublishVersion", "lambda:ListVersionsByFunction"],
    "AWS::Logs::LogGroup": ["logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogGroup"],
    "AWS::S3::Bucket": ["s3:CreateBucket", "s3:PutLifecycleConfiguration", "s3:PutBucketNotification"],
    "AWS::S3::BucketPolicy": ["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
    "AWS::SNS::Subscription": ["sns:Subscribe", "sns:Unsubscribe"],
    "AWS::SNS::Topic": ["sns:CreateTopic", "sns:DeleteTopic"],
    "AWS::SNS::TopicPolicy": ["sns:SetTopicAttributes"],
    "AWS::SQS::Queue": ["sqs:CreateQueue", "sqs:DeleteQueue"],
    "AWS::SQS::QueuePolicy": ["sqs:SetQueueAttributes"],
    "AWS::Scheduler::Schedule": ["scheduler:CreateSchedule", "scheduler:DeleteSchedule"],
    "AWS::StepFunctions::StateMachine": ["states:CreateStateMachine", "states:DeleteStateMachine"],
}


def read_statements(name: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads((FOLDER / name).read_text())["Statement"]
    return statements


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allows(name: str, action: str, resource: str | None = None) -> bool:
    return any(
        any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and (resource is None or any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"])))
        for statement in read_statements(name)
    )


def test_an_upload_in_parts_asks_for_what_the_policy_allows() -> None:
    asked = []
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="uploads")
        client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
        parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
        client.upload_fileobj(io.BytesIO(bytes(11 << 20)), "uploads", "uploads/pets/pets.zip", Config=parts)
    actions = {"CreateMultipartUpload": "PutObject", "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject"}
    assert set(asked) == set(actions)
    for key in ("uploads/pets/pets.zip", "images/pets/1.jpg"):
        for action in actions.values():
            assert allows("upload.json", f"s3:{action}", f"arn:aws:s3:::UPLOADS_BUCKET/{key}")


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:DeleteObject", "s3:ListBucket"])
def test_who_uploads_reads_and_deletes_nothing(action: str) -> None:
    assert not allows("upload.json", action)


def test_who_queries_writes_results_alone_where_the_workgroup_puts_them() -> None:
    workgroup = read_template()["Resources"]["QueriesWorkGroup"]["Properties"]["WorkGroupConfiguration"]
    results = workgroup["ResultConfiguration"]["OutputLocation"]["Fn::Sub"].removeprefix("s3://${LakeBucket}/")
    assert allows("query.json", "s3:PutObject", f"arn:aws:s3:::LAKE_BUCKET/{results}1.csv")
    for folder in ("warehouse", "images", "reports", "models", "work"):
        assert not allows("query.json", "s3:PutObject", f"arn:aws:s3:::LAKE_BUCKET/{folder}/x")
    assert not allows("query.json", "s3:DeleteObject")
    assert not allows("query.json", "glue:UpdateTable")


@pytest.mark.parametrize("folder", ["warehouse", "images", "reports"])
def test_who_queries_reads_tables_images_and_reports(folder: str) -> None:
    assert allows("query.json", "s3:GetObject", f"arn:aws:s3:::LAKE_BUCKET/{folder}/x")
    assert not allows("query.json", "s3:GetObject", Work("arn:aws:s3:::LAKE_BUCKET", "1").uri + "/x")


def test_the_deployment_may_make_each_type_of_the_stack() -> None:
    templates = [translate(ROOT / name) for name in ("template.yaml", "api.yaml", "collect.yaml", "vectors.yaml")]
    types = {resource["Type"] for template in templates for resource in template["Resources"].values()}
    assert types <= set(CALLS)
    for kind in sorted(types):
        for action in CALLS[kind]:
            assert allows("deploy.json", action), f"{kind}: {action}"


def test_the_deployment_is_allowed_no_service_that_the_stack_lacks() -> None:
    needed = {action.partition(":")[0] for actions in CALLS.values() for action in actions}
    granted = {action.partition(":")[0] for each in read_statements("deploy.json") for action in listed(each["Action"])}
    # besides what is made: the stack itself, and the images of the functions
    assert granted == needed | {"cloudformation", "ecr"}


def test_roles_are_those_of_the_stack() -> None:
    (roles,) = [each for each in read_statements("deploy.json") if each["Sid"] == "Roles"]
    assert all(re.search(r":(role|policy)/STACK-\*$", resource) for resource in roles["Resource"])


def test_who_follows_an_upload_asks_for_executions_and_starts_none() -> None:
    for action in ("DescribeExecution", "GetExecutionHistory", "DescribeMapRun", "ListExecutions"):
        assert allows("follow.json", f"states:{action}")
    for action in ("states:StartExecution", "states:RedriveExecution", "s3:PutObject", "s3:DeleteObject"):
        assert not allows("follow.json", action)


def test_who_uploads_finds_what_was_interrupted() -> None:
    assert allows("upload.json", "s3:ListBucketMultipartUploads", "arn:aws:s3:::UPLOADS_BUCKET")
    assert allows("upload.json", "s3:ListMultipartUploadParts", "arn:aws:s3:::UPLOADS_BUCKET/uploads/pets/pets.zip")
