"""What the engine makes of a template."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pixlake.errors import BadRequest
from pixlake_cli.engine.template import ABSENT, Resolver, load
from tests.project import ROOT

TEMPLATE: dict[str, Any] = {
    "Parameters": {"Size": {"Default": 7}, "Name": {"Default": ""}},
    "Mappings": {"M": {"a": {"b": "mapped"}}},
    "Conditions": {"Named": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, ""]}]}},
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Size"}, "7"),
        ({"Ref": "Bucket"}, "lake"),
        ({"Ref": "SomeTable"}, "SomeTable"),
        ({"Fn::Sub": "s3://${Bucket}/${Size}"}, "s3://lake/7"),
        ({"Fn::Sub": ["${a}-${Name}", {"a": {"Ref": "Size"}}]}, "7-pets"),
        ({"Fn::GetAtt": "PlanFunction.Arn"}, "arn:aws:lambda:us-east-1:123456789012:function:PlanFunction"),
        ({"Fn::GetAtt": ["PlanFunction", "Arn"]}, "arn:aws:lambda:us-east-1:123456789012:function:PlanFunction"),
        ({"Fn::Join": ["/", ["a", {"Ref": "Size"}]]}, "a/7"),
        ({"Fn::FindInMap": ["M", "a", "b"]}, "mapped"),
        ({"Fn::If": ["Named", "yes", "no"]}, "yes"),
        ({"Fn::And": [{"Condition": "Named"}, {"Fn::Or": [False, True]}]}, True),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
    ],
)
def test_intrinsic_functions_are_resolved(value: Any, expected: Any) -> None:
    assert Resolver(TEMPLATE, {"Name": "pets"}, {"Bucket": "lake"}).resolve(value) == expected


def test_aws_no_value_removes_the_key() -> None:
    assert Resolver(TEMPLATE, {}, {}).resolve({"Fn::If": ["Named", "x", {"Ref": "AWS::NoValue"}]}) is ABSENT


def test_an_unknown_reference_or_function_is_refused() -> None:
    with pytest.raises(BadRequest, match="Fn::Cidr"):
        Resolver(TEMPLATE, {}, {}).resolve({"Fn::Cidr": ["10.0.0.0/16", 1]})
    with pytest.raises(BadRequest, match="no parameter Colour"):
        Resolver(TEMPLATE, {"Colour": "red"}, {})


def test_globals_fill_in_what_a_function_leaves_out(tmp_path: Path) -> None:
    template = {
        "Globals": {"Function": {"Timeout": 900, "Environment": {"Variables": {"A": "1", "B": "1"}}}},
        "Resources": {
            "RecordFailureFunction": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"MemorySize": 256, "Environment": {"Variables": {"B": 2}}},
            },
            "Machine": {
                "Type": "AWS::Serverless::StateMachine",
                "Properties": {"DefinitionUri": "asl.yaml", "DefinitionSubstitutions": {}},
            },
        },
    }
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(template))
    function = load(tmp_path / "template.yaml", {}, {}).functions["RecordFailureFunction"]
    assert function.folder == tmp_path / "functions" / "record_failure"
    assert (function.timeout, function.memory, function.handler) == (900, 256, "app.handler")
    assert function.environment == {"A": "1", "B": "2"}


def test_a_missing_template_is_refused_plainly(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="install Pixlake again"):
        load(tmp_path / "template.yaml", {}, {})


def test_a_conditional_function_exists_where_its_condition_holds() -> None:
    without = load(ROOT / "template.yaml", {}, {})
    image = load(ROOT / "template.yaml", {"AutoGluonImage": "/usr/bin/python3"}, {})
    assert "ClassifyAutogluonFunction" not in without.functions
    assert without.functions["SplitFunction"].environment["AUTOGLUON_IMAGE"] == ""
    assert without.substitutions["ClassifyAutogluonFunction"] == without.functions["ClassifyFunction"].arn
    function = image.functions["ClassifyAutogluonFunction"]
    assert function.image == image.functions["SplitFunction"].environment["AUTOGLUON_IMAGE"] == "/usr/bin/python3"
    assert image.substitutions["ClassifyAutogluonFunction"] == function.arn
    assert {each.image for name, each in image.functions.items() if name != function.name} == {""}


def test_the_projects_template_names_existing_function_folders() -> None:
    deployment = load(ROOT / "template.yaml", {"Embedder": "mine"}, {"LakeBucket": "lake"})
    assert all((function.folder / "app.py").is_file() for function in deployment.functions.values())
    assert deployment.functions["PlanFunction"].environment["EMBEDDER"] == "mine"
    assert deployment.functions["PlanFunction"].environment["LAKE_URI"] == "s3://lake"
    assert deployment.substitutions["LakeBucket"] == "lake"
