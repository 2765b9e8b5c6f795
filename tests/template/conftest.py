"""The template as SAM's own source, and what the laptop engine makes of it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixlake_cli.engine import template as engine_template

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "000000000000.dkr.ecr.eu-central-1.amazonaws.com/autogluon:1"


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), engine_template.TemplateLoader)
    return loaded


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """The properties of all resources of one type, by logical name."""

    def of_type(kind: str) -> dict[str, Any]:
        return {name: it["Properties"] for name, it in template["Resources"].items() if it["Type"] == kind}

    return of_type


@pytest.fixture(scope="session")
def deployment() -> engine_template.Deployment:
    """With every function that a stack can have."""
    return engine_template.load(ROOT / "template.yaml", {"AutoGluonImage": IMAGE}, {"LakeBucket": "lake"})


def if_so(value: Any) -> Any:
    """What `!If` yields where its condition holds."""
    return value["Fn::If"][1] if isinstance(value, dict) and "Fn::If" in value else value


@pytest.fixture(scope="session")
def machine() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "statemachine/ingest.asl.yaml").read_text())
    return loaded


def states_of(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state, those inside Maps too."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states_of(state["ItemProcessor"])


@pytest.fixture(scope="session")
def states(machine: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(states_of(machine))


@pytest.fixture(scope="session")
def tasks(states: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The states that invoke a function."""
    return {name: state for name, state in states.items() if state.get("Resource", "").endswith(":lambda:invoke")}


@pytest.fixture(scope="session")
def function_of(tasks: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The logical name of the function that each Task invokes."""
    return {name: re.sub(r"[${}]", "", task["Parameters"]["FunctionName"]) for name, task in tasks.items()}
