"""The API's own stack: made only where it is wanted, never open, bounded, watched, and allowed to read alone."""

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import pytest

from pixlake.handler import NAMESPACE, SERVICE
from pixlake.settings import ApiSettings
from pixlake_cli.engine.template import Resolver
from tests.project import ROOT, read_template
from tests.template.intrinsics import if_so

PASSED = "ApiApplication"
Resolve = Callable[..., Any]


@pytest.fixture(scope="module")
def nested() -> dict[str, Any]:
    return read_template(ROOT / "api.yaml")


@pytest.fixture(scope="module")
def function(nested: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = nested["Resources"]["ApiFunction"]["Properties"]
    return properties


@pytest.fixture(scope="module")
def resolve(nested: dict[str, Any]) -> Resolve:
    """Properties of a resource, with these parameters."""

    def resolve(name: str, **parameters: str) -> Any:
        needed = {"LakeBucket": "lake", "DatabaseName": "pets", "FunctionsLogGroup": "log", "AlarmTopic": "topic"}
        names = {"AWS::Region": "here", "AWS::URLSuffix": "amazonaws.com"}
        resolver = Resolver(nested, needed | parameters, names)
        return resolver.resolve(nested["Resources"][name]["Properties"])

    return resolve


def test_there_is_none_unless_a_parameter_says_who_may_ask(template: dict[str, Any]) -> None:
    parameter, resource = template["Parameters"]["Api"], template["Resources"][PASSED]
    assert (parameter["Default"], parameter["AllowedValues"]) == ("false", ["false", "iam", "jwt"])
    assert resource["Condition"] == template["Outputs"]["ApiUrl"]["Condition"] == "HasApi"
    assert template["Conditions"]["HasApi"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Api"}, "false"]}]}
    assert resource["Properties"]["Location"] == "api.yaml"


def test_the_stack_passes_each_parameter_with_the_same_bounds(template: dict[str, Any], nested: dict[str, Any]) -> None:
    passed = template["Resources"][PASSED]["Properties"]["Parameters"]
    assert passed.keys() == nested["Parameters"].keys()
    for name, value in passed.items():
        ours, theirs = template["Parameters"].get(value["Ref"]), nested["Parameters"][name]
        if ours is None or name == "Authorization":
            continue
        for key in ("Type", "MinValue", "MaxValue", "AllowedValues"):
            assert theirs.get(key, ours.get(key)) == ours.get(key), (name, key)
        assert theirs.get("Default", ours["Default"]) == ours["Default"], name


@pytest.mark.parametrize("way", ["iam", "jwt"])
def test_every_route_asks_who_calls(resolve: Resolve, way: str) -> None:
    jwt = {"JwtIssuer": "https://issuer", "JwtAudience": "us"}
    body = resolve("HttpApi", Authorization=way, **jwt)["DefinitionBody"]
    routes = [method for path in body["paths"].values() for method in path.values()]
    assert [route["security"] for route in routes] == [[{way: []}]]
    schemes = body["components"]["securitySchemes"]
    assert schemes["iam"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    if way == "jwt":
        configured = schemes["jwt"]["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
        assert configured == {"issuer": "https://issuer", "audience": ["us"]}
    else:
        assert "jwt" not in schemes


def test_a_jwt_without_issuer_or_audience_makes_no_stack(nested: dict[str, Any]) -> None:
    rule = nested["Rules"]["JwtsAreChecked"]
    assert rule["RuleCondition"] == nested["Conditions"]["TakesJwt"]
    asserted = [it["Assert"] for it in rule["Assertions"]]
    assert asserted == [{"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]} for name in ("JwtIssuer", "JwtAudience")]


def test_pages_of_one_named_origin_may_ask_and_by_default_none(resolve: Resolve) -> None:
    cors = "x-amazon-apigateway-cors"
    assert cors not in resolve("HttpApi")["DefinitionBody"]
    allowed = resolve("HttpApi", CorsOrigin="https://a.example")["DefinitionBody"][cors]
    assert allowed["allowOrigins"] == ["https://a.example"]
    assert "*" not in json.dumps(allowed)


def test_requests_are_bounded_by_rate_and_at_once(resolve: Resolve) -> None:
    limits = resolve("HttpApi", Rate="7")["DefaultRouteSettings"]
    assert limits == {"ThrottlingRateLimit": "7", "ThrottlingBurstLimit": "7"}
    assert resolve("ApiFunction", Concurrency="3")["ReservedConcurrentExecutions"] == "3"
    assert "ReservedConcurrentExecutions" not in resolve("ApiFunction", Concurrency="0")


def test_the_function_is_asked_in_the_version_that_is_deployed(resolve: Resolve, function: dict[str, Any]) -> None:
    (route,) = resolve("HttpApi")["DefinitionBody"]["paths"]["$default"].values()
    integration = route["x-amazon-apigateway-integration"]
    assert integration["uri"].endswith(f"ApiFunction:{function['AutoPublishAlias']}/invocations")
    assert integration["payloadFormatVersion"] == "2.0"
    permission = resolve("HttpApiPermission")
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"].endswith(":HttpApi/*")


def test_it_is_built_as_the_other_containers_are(nested: dict[str, Any]) -> None:
    metadata = nested["Resources"]["ApiFunction"]["Metadata"]
    assert metadata["DockerBuildArgs"] == {"FUNCTION": "api", "PACKAGES": "api"}
    assert (ROOT / metadata["Dockerfile"]).is_file()
    assert (ROOT / "functions/api/requirements.txt").is_file()


def test_its_variables_are_settings_and_none_without_default_is_missing(function: dict[str, Any]) -> None:
    variables = function["Environment"]["Variables"]
    needed = {field.name.upper() for field in fields(ApiSettings) if field.default is MISSING}
    assert needed <= variables.keys() <= {field.name.upper() for field in fields(ApiSettings)}
    assert [name for name, value in variables.items() if not isinstance(value, dict)] == ["INFERENCE_THREADS"]


def test_it_reads_models_images_and_tables_and_writes_indexes_alone(resolve: Resolve) -> None:
    (policy,) = resolve("ApiFunction")["Policies"]
    given: dict[str, set[str]] = {}
    for statement in policy["Statement"]:
        for action in listed(statement["Action"]):
            found = {resource.rpartition(":::")[2].rpartition(":")[2] for resource in listed(statement["Resource"])}
            given[action] = given.get(action, set()) | found
    assert given == {
        "s3:GetObject": {"lake/images/*", "lake/indexes/*", "lake/models/*", "lake/warehouse/*"},
        "s3:PutObject": {"lake/indexes/*"},
        "s3:AbortMultipartUpload": {"lake/indexes/*"},
        "s3:ListBucket": {"lake"},
        "glue:GetTable": {"catalog", "database/pets", "table/pets/*"},
    }
    prefixes = [it["Condition"]["StringLike"] for it in policy["Statement"] if it["Action"] == "s3:ListBucket"]
    assert prefixes == [{"s3:prefix": ["models/*", "indexes/*"]}]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_with_a_key_it_may_use_it(nested: dict[str, Any]) -> None:
    policy = nested["Resources"]["KmsKeyPolicy"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (policy["Condition"], statement["Action"]) == ("HasKmsKey", ["kms:Decrypt", "kms:GenerateDataKey"])


def test_logs_are_those_of_all_functions_and_of_access_and_expire(
    nested: dict[str, Any], function: dict[str, Any], resolve: Resolve
) -> None:
    assert function["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": "FunctionsLogGroup"}}
    group = nested["Resources"]["AccessLogGroup"]["Properties"]
    assert group["RetentionInDays"] == {"Ref": "LogDays"}
    assert if_so(group["KmsKeyId"]) == {"Ref": "KmsKeyArn"}
    line = json.loads(resolve("HttpApi")["AccessLogSettings"]["Format"])
    assert line["request_id"] == "$context.requestId"


def test_every_alarm_notifies_the_topic_and_ignores_missing_data(nested: dict[str, Any]) -> None:
    alarms = {name: it["Properties"] for name, it in nested["Resources"].items() if it["Type"].endswith("::Alarm")}
    assert alarms.keys() == {"FaultsAlarm", "ThrottlesAlarm", "DurationAlarm"}
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmDescription"], name


def test_an_alarm_comes_before_api_gateway_stops_waiting(resolve: Resolve, function: dict[str, Any]) -> None:
    (route,) = resolve("HttpApi")["DefinitionBody"]["paths"]["$default"].values()
    waits = route["x-amazon-apigateway-integration"]["timeoutInMillis"]
    assert resolve("DurationAlarm")["Threshold"] == 0.9 * waits
    assert function["Timeout"] * 1000 > waits, "what is begun is finished"


def test_the_dashboard_shows_what_the_handler_counts(resolve: Resolve) -> None:
    widgets = json.loads(resolve("WatchingDashboard")["DashboardBody"])["widgets"]
    text = json.dumps(widgets)
    assert f'["{NAMESPACE}", "requests", "function", "ApiFunction", "service", "{SERVICE}"]' in text
    areas = [(it["x"], it["y"]) for it in widgets]
    assert len(areas) == len(set(areas))
