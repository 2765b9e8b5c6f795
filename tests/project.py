"""The project's own files, as the tests read them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pixlake_cli.engine.template import TemplateLoader, parse_yaml

ROOT = Path(__file__).resolve().parents[1]
INGEST = ROOT / "statemachine/ingest.asl.yaml"


def read_template(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """The template, its tags (`!Ref`) as the functions that they stand for."""
    template: dict[str, Any] = yaml.load(path.read_text(), TemplateLoader)
    return template


def read_definition(path: Path = INGEST) -> dict[str, Any]:
    """A state machine, its `${substitutions}` as they are written."""
    machine: dict[str, Any] = parse_yaml(path.read_text())
    return machine


def walk_states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state with its name, those inside Maps too."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from walk_states(state["ItemProcessor"])


def invoking_states(machine: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The states that invoke a function, by name."""
    return {name: it for name, it in walk_states(machine) if it.get("Resource", "").endswith(":lambda:invoke")}


def read_event(step: str) -> Any:
    """The event with which a function is tried by hand."""
    return json.loads((ROOT / "events" / f"{step}.json").read_text())


def saved_queries(template: dict[str, Any]) -> dict[str, str]:
    """The SQL that the template saves in Athena, by logical name."""
    resources = template["Resources"].items()
    return {name: it["Properties"]["QueryString"] for name, it in resources if it["Type"] == "AWS::Athena::NamedQuery"}
