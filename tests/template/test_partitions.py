"""The definitions and the template name no partition: a stack in China or GovCloud has ARNs of its own."""

import json

import pytest

from pixlake_cli.engine import definition
from pixlake_cli.engine.template import Resolver
from tests.project import ROOT

FILES = ("template.yaml", "statemachine/ingest.asl.yaml", "statemachine/compact_athena.asl.yaml")


@pytest.mark.parametrize("name", FILES)
def test_no_partition_is_written_out(name: str) -> None:
    assert "arn:aws:" not in (ROOT / name).read_text()


@pytest.mark.parametrize("machine", ["IngestStateMachine", "CompactAthenaStateMachine"])
def test_the_partition_is_the_stacks(template: dict[str, object], machine: str) -> None:
    properties = template["Resources"][machine]["Properties"]  # type: ignore[index]
    given = properties["DefinitionSubstitutions"]
    assert given["Partition"] == {"Ref": "AWS::Partition"}
    text = json.dumps(
        definition.load(ROOT / properties["DefinitionUri"], dict.fromkeys(given, "x") | {"Partition": "aws-cn"})
    )
    assert "arn:aws-cn:states:::" in text


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_the_dashboards_address_is_that_of_the_partitions_console(
    template: dict[str, object], partition: str, host: str
) -> None:
    names = {"AWS::Partition": partition, "AWS::Region": "here", "WatchingDashboard": "mine"}
    address = Resolver(template, {}, names).resolve(template["Outputs"]["Dashboard"]["Value"])  # type: ignore[index]
    assert address == f"https://{host}/cloudwatch/home?region=here#dashboards:name=mine"


def test_no_console_is_written_out_but_in_the_map_of_them(template: dict[str, object]) -> None:
    rest = {name: part for name, part in template.items() if name != "Mappings"}
    assert ".amazon.com" not in json.dumps(rest)
