"""The template as SAM's own source, and what the laptop engine makes of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from pixlake_cli.engine import template as engine_template
from tests.project import ROOT, invoking_states, read_definition, read_template, walk_states
from tests.template.intrinsics import IMAGE


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    return read_template()


@pytest.fixture(scope="session", params=["template.yaml", "api.yaml"])
def any_template(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The stack's, and that of the API, which is a stack of its own."""
    return read_template(ROOT / request.param)


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


@pytest.fixture(scope="session")
def machine() -> dict[str, Any]:
    return read_definition()


@pytest.fixture(scope="session")
def states(machine: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(walk_states(machine))


@pytest.fixture(scope="session")
def tasks(machine: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The states that invoke a function."""
    return invoking_states(machine)


@pytest.fixture(scope="session")
def function_of(tasks: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The logical name of the function that each Task invokes."""
    return {name: re.sub(r"[${}]", "", task["Parameters"]["FunctionName"]) for name, task in tasks.items()}
