"""The stack as CloudFormation makes it: the template as SAM translates it, created by moto."""

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from pixlake_cli.engine.template import REGION
from tests.project import ROOT, read_definition, read_template

NAME, CODE = "pixlake", "code-of-the-stack"
ALIAS = "Aliaslive"
APPLICATION = "AWS::Serverless::Application"
# What `sam build` and `sam package` put in place of the folders.
_PACKAGED = {
    "AWS::Serverless::Function": {"CodeUri": f"s3://{CODE}/code.zip"},
    "AWS::Serverless::LayerVersion": {"ContentUri": f"s3://{CODE}/code.zip"},
    "AWS::Serverless::Application": {"Location": f"https://{CODE}.s3.amazonaws.com/api.yaml"},
}
_IMAGE = {"ImageUri": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/pixlake:1"}


def translate(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """The template that CloudFormation gets, with its defaults, as SAM makes it of ours."""
    template = _spelled_out(read_template(path))
    # moto has no stack of a template that lies in no bucket
    template["Resources"] = {
        name: it for name, it in template["Resources"].items() if it["Type"] != APPLICATION or "Condition" in it
    }
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties["Definition"] = read_definition(ROOT / properties.pop("DefinitionUri"))
        properties.update(_IMAGE if properties.get("PackageType") == "Image" else _PACKAGED.get(resource["Type"], {}))
    defaults = {name: str(it.get("Default", "")) for name, it in template["Parameters"].items()}
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    translated: dict[str, Any] = translator.translate(template, parameter_values=defaults)
    return translated


def without_aliases(value: Any) -> Any:
    """moto makes no aliases of functions: the function in the place of each."""
    if isinstance(value, list):
        return [without_aliases(item) for item in value]
    if not isinstance(value, dict):
        return value
    if str(name := value.get("Ref")).endswith(ALIAS):
        return {"Fn::GetAtt": [str(name).removesuffix(ALIAS), "Arn"]}
    return {key: without_aliases(item) for key, item in value.items()}


def create_stack(s3: Any, template: Mapping[str, Any]) -> dict[str, str]:
    """Create it in moto; the physical names of its resources, of those that moto makes, by logical name."""
    s3.create_bucket(Bucket=CODE)
    s3.put_object(Bucket=CODE, Key="code.zip", Body=empty_code())
    client = boto3.client("cloudformation", region_name=REGION)
    with warnings.catch_warnings():
        # it says which types it knows nothing of
        warnings.simplefilter("ignore", UserWarning)
        body = json.dumps(without_aliases(template))
        client.create_stack(StackName=NAME, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        (stack,) = client.describe_stacks(StackName=NAME)["Stacks"]
        made = client.list_stack_resources(StackName=NAME)["StackResourceSummaries"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in made if it.get("PhysicalResourceId")}


def empty_code() -> bytes:
    """In the place of each function's and layer's code."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("app.py", "")
    return archive.getvalue()


def _spelled_out(value: Any) -> Any:
    """`!GetAtt A.B` is a list in JSON."""
    if isinstance(value, list):
        return [_spelled_out(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(path := value.get("Fn::GetAtt"), str):
        return {"Fn::GetAtt": path.split(".", 1)}
    return {key: _spelled_out(item) for key, item in value.items()}
