"""The definitions and the template name no partition: a stack in China or GovCloud has ARNs of its own."""

import json

import pytest

from pixlake_cli.engine import definition
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
