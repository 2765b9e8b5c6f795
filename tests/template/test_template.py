"""The template keeps what it promises: it lints, functions get what they read, and nobody may do more than needed."""

import ast
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixlake import settings
from pixlake.bundles.demo import PHOTO_MODELS
from pixlake.settings import PlanSettings, from_environment
from pixlake_cli.engine.pool import WHOLE_MACHINE
from pixlake_cli.engine.template import Deployment
from tests.project import ROOT, read_template
from tests.template.intrinsics import IMAGE
from tests.template.policies import MANAGED, statements_of

FUNCTIONS = "AWS::Serverless::Function"
Resources = Callable[[str], dict[str, Any]]


def settings_class(folder: Path) -> Any:
    """The settings dataclass that a handler reads: `SETTINGS = from_environment(THIS)` in its app.py."""
    for node in ast.walk(ast.parse((folder / "app.py").read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "from_environment":
            (name,) = node.args
            assert isinstance(name, ast.Name)
            return getattr(settings, name.id)
    raise AssertionError(f"{folder}/app.py reads no settings")


def test_sections_are_in_the_order_of_the_data_flow() -> None:
    lines = (ROOT / "template.yaml").read_text().splitlines()
    sections = [line.strip("# -") for line in lines if line.strip().startswith("# ----")]
    assert sections == ["parameters", "globals", "ways in", "flow", "lake", "api", "watching", "outputs"]


def test_a_parameter_that_tables_lead_to_says_that_it_never_changes(resources: Resources) -> None:
    """The tables name their files by the bucket, and the catalog names the tables by the database."""
    (database,) = resources("AWS::Glue::Database").values()
    names = [resources("AWS::S3::Bucket")["LakeBucket"]["BucketName"], database["DatabaseInput"]["Name"]]
    found = {name for name in read_template()["Parameters"] if any(f"'{name}'" in str(each) for each in names)}
    assert found == {"LakeBucketName", "DatabaseName"}
    for name in found:
        assert "never change it once deployed" in read_template()["Parameters"][name]["Description"], name


def test_variables_are_settings_and_none_without_default_is_missing(deployment: Deployment) -> None:
    for name, function in deployment.functions.items():
        settings_of = fields(settings_class(function.folder))
        needed = {field.name.upper() for field in settings_of if field.default is MISSING}
        assert needed <= function.environment.keys() <= {field.name.upper() for field in settings_of}, name


def test_variables_with_fixed_values_are_left_to_the_code(resources: Resources) -> None:
    """Written out, a value would be the code's default another time, or contradict it."""
    for name, properties in resources(FUNCTIONS).items():
        variables = properties.get("Environment", {}).get("Variables", {})
        written = {variable for variable, value in variables.items() if not isinstance(value, dict)}
        assert written <= {WHOLE_MACHINE}, name


def test_defaults_of_template_and_code_agree(deployment: Deployment) -> None:
    for name, function in deployment.functions.items():
        kind = settings_class(function.folder)
        deployed = from_environment(kind, function.environment)
        places = {"lake_uri": deployed.lake_uri}
        if "CATALOG_URI" in function.environment:
            places["catalog_uri"] = deployed.catalog_uri
        if "AUTOGLUON_IMAGE" in function.environment:
            places["autogluon_image"] = IMAGE
        if kind is PlanSettings:
            places |= dict(zip(("embedder", "classifier_orphan"), PHOTO_MODELS, strict=True))
        assert deployed == kind(**places), name


def test_the_default_models_come_with_pixlake() -> None:
    assert [name for name in PHOTO_MODELS if not (ROOT / "bundles" / name / "bundle.json").exists()] == []


def test_parameters_are_described_and_used(any_template: dict[str, Any]) -> None:
    parameters = any_template["Parameters"]
    text = yaml.safe_dump({section: it for section, it in any_template.items() if section != "Parameters"})
    for name, parameter in parameters.items():
        assert parameter["Description"].endswith("."), name
        assert f"Ref: {name}\n" in text or f"${{{name}}}" in text, f"{name} is used nowhere"


def test_the_console_lists_each_parameter_once_in_the_order_of_sam(template: dict[str, Any]) -> None:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name for group in groups for name in group["Parameters"]] == list(template["Parameters"])
    assert all(group["Label"]["default"] for group in groups)


def test_functions_stay_within_lambda(template: dict[str, Any], deployment: Deployment) -> None:
    default = template["Globals"]["Function"]["Timeout"]
    assert default <= 900
    for name, function in deployment.functions.items():
        assert 0 < function.timeout <= 900, name
        assert 128 <= function.memory <= 10_240, name
        assert sum(len(key) + len(value) for key, value in function.environment.items()) < 4_096, name


def test_containers_name_their_folder(resources: Resources, template: dict[str, Any], deployment: Deployment) -> None:
    for name, properties in resources(FUNCTIONS).items():
        folder = deployment.functions[name].folder
        if "ImageUri" in properties:
            assert properties["ImageUri"] == {"Ref": "AutoGluonImage"}
            assert template["Resources"][name]["Condition"] == "HasAutoGluonImage"
            assert (folder / "Dockerfile").is_file()
            continue
        metadata = template["Resources"][name]["Metadata"]
        if properties.get("PackageType") == "Image":
            assert metadata["DockerBuildArgs"]["FUNCTION"] == folder.name
            assert (folder.parent / metadata["DockerBuildArgs"]["PACKAGES"] / "requirements.txt").is_file()
            assert (ROOT / metadata["DockerContext"] / metadata["Dockerfile"]).is_file()
        else:
            assert properties["CodeUri"] == f"functions/{folder.name}"
            assert metadata["BuildMethod"] == "makefile"
            assert f"build-{name}:" in (folder / "Makefile").read_text()


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy statement of the template, with the name of its resource."""

    def search(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if "Effect" in value:
                yield value
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from search(item)

    for name, resource in template["Resources"].items():
        for statement in search(resource):
            yield name, statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_policy_allows_every_action_or_resource(any_template: dict[str, Any]) -> None:
    allowing = [(name, it) for name, it in statements(any_template) if it["Effect"] == "Allow"]
    assert allowing
    for name, statement in allowing:
        assert not [action for action in listed(statement["Action"]) if "*" in action], name
        if "*" in listed(statement.get("Resource", [])):
            assert statement["Sid"] == "DeliverLogs", f"{name} has a statement for all resources"


def test_functions_reach_only_prefixes_of_the_buckets(resources: Resources, template: dict[str, Any]) -> None:
    for name in resources(FUNCTIONS):
        for statement in statements_of(template, name):
            actions = listed(statement["Action"])
            if actions == ["s3:ListBucket"]:
                assert "s3:prefix" in statement["Condition"]["StringLike"], name
            elif actions[0].startswith("s3:"):
                assert all(it["Fn::Sub"].split("/")[1] for it in listed(statement["Resource"])), name


def test_a_shared_policy_is_attached_only_where_it_is_named(resources: Resources, template: dict[str, Any]) -> None:
    """And it is attached to nobody else: what a role allows is said where the function or state machine is."""
    named = [it["Ref"] for resource in template["Resources"].values() for it in policies(resource) if "Ref" in it]
    for name, policy in resources(MANAGED).items():
        assert named.count(name) > 1, name
        assert policy.keys() == {"PolicyDocument"}, name


def policies(resource: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resource.get("Properties", {}).get("Policies", [])
    return found


def test_uploads_are_never_written_by_the_stack(template: dict[str, Any]) -> None:
    for name, statement in statements(template):
        if statement["Effect"] == "Allow" and "UploadsBucket" in yaml.safe_dump(statement.get("Resource", "")):
            assert set(listed(statement["Action"])) <= {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}, name


@pytest.mark.parametrize("bucket", ["UploadsBucket", "LakeBucket"])
def test_buckets_are_closed_and_kept(template: dict[str, Any], bucket: str) -> None:
    resource, policy = template["Resources"][bucket], template["Resources"][f"{bucket}Policy"]
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"
    properties = resource["Properties"]
    assert properties["BucketName"]["Fn::If"][0] == f"Has{bucket}Name"
    assert template["Parameters"][f"{bucket}Name"]["Default"] == ""
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    condition, with_key, without = encryption["Fn::If"]
    assert condition == "HasKmsKey"
    assert with_key["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == {"Ref": "KmsKeyArn"}
    assert without["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_physical_names_follow_the_stack(any_template: dict[str, Any]) -> None:
    names = (
        "FunctionName",
        "QueueName",
        "TopicName",
        "RoleName",
        "StateMachineName",
        "LayerName",
        "AlarmName",
        "DashboardName",
    )
    for name, resource in any_template["Resources"].items():
        properties = resource.get("Properties", {})
        assert not [key for key in names if "Ref" not in properties.get(key, {"Ref": ""})], name
        for key in ("LogGroupName", "Name"):
            if isinstance(value := properties.get(key), dict):
                assert "${AWS::StackName}" in value["Fn::Sub"], name
            else:
                assert value is None or resource["Type"] == "AWS::Athena::NamedQuery", name


@pytest.mark.parametrize("stage", ["default", "prod"])
def test_samconfig_sets_only_existing_parameters(template: dict[str, Any], stage: str) -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())[stage]["deploy"]["parameters"]
    given = dict(it.split("=", 1) for it in config["parameter_overrides"])
    assert given.keys() <= template["Parameters"].keys()
    for name, value in given.items():
        parameter = template["Parameters"][name]
        assert "AllowedValues" not in parameter or int(value) in parameter["AllowedValues"], name
        assert parameter["Type"] != "Number" or int(value) >= parameter.get("MinValue", 0), name


def test_work_and_query_results_are_not_kept_as_noncurrent_versions(template: dict[str, Any]) -> None:
    rules = template["Resources"]["LakeBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    days = {rule["Prefix"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in rules if "Prefix" in rule}
    assert days == {"work/": 1, "athena/": 1}


def test_old_uploads_move_only_where_days_are_given(template: dict[str, Any]) -> None:
    rules = {
        r["Id"]: r for r in template["Resources"]["UploadsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    }
    rule = rules["old-uploads"]
    assert rule["Status"] == {"Fn::If": ["HasUploadDays", "Enabled", "Disabled"]}
    assert rule["Prefix"] == "uploads/"
    assert rule["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": {"Ref": "UploadDays"}}]
    assert template["Parameters"]["UploadDays"]["Default"] == 0
