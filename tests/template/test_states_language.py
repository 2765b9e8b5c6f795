"""Templates and state machines by the rules of others: cfn-lint's, and asl-validator's of Amazon's States Language."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pixlake_cli.engine import definition
from pixlake_cli.engine.template import ACCOUNT, MACHINE, REGION, Resolver, machine_arn
from tests.project import ROOT, read_template

LINTER = Path(sys.executable).with_name("cfn-lint")
TEMPLATES = [path for path in sorted(ROOT.glob("*.yaml")) if "AWSTemplateFormatVersion" in path.read_text()]
VALIDATOR = ROOT / ".asl/node_modules/.bin/asl-validator"


def definitions() -> dict[str, dict[str, Any]]:
    """As they are deployed, by logical name."""
    template = read_template()
    machines = {name: it["Properties"] for name, it in template["Resources"].items() if it["Type"] == MACHINE}
    resolver = Resolver(template, {}, {"LakeBucket": "lake", **{name: machine_arn(name) for name in machines}})
    return {
        name: definition.load(ROOT / it["DefinitionUri"], resolver.resolve(it["DefinitionSubstitutions"]))
        for name, it in machines.items()
    }


DEFINITIONS = definitions()
by_machine = pytest.mark.parametrize("machine", DEFINITIONS)


def spoiled(machine: str) -> dict[str, Any]:
    """With a field that no state has."""
    changed = copy.deepcopy(DEFINITIONS[machine])
    next(iter(changed["States"].values()))["Retries"] = []
    return changed


def wrap(machine: dict[str, Any]) -> str:
    """A template of this machine alone."""
    properties = {"Definition": machine, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/states"}
    return json.dumps(
        {"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    )


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """cfn-lint's findings by file: one run, for it takes seconds to start. Machines are files as they are named, and
    spoiled ones."""
    folder = tmp_path_factory.mktemp("machines")
    for name, machine in DEFINITIONS.items():
        (folder / name).with_suffix(".json").write_text(wrap(machine))
        (folder / name).with_suffix(".spoiled.json").write_text(wrap(spoiled(name)))
    files = [*TEMPLATES, *sorted(folder.iterdir())]
    command: list[str | Path] = [LINTER, "--format", "json", "--regions", REGION, "--", *files]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not ended.stderr
    found = json.loads(ended.stdout)
    return {file.name: [each for each in found if each["Filename"] == str(file)] for file in files}


def validate(machine: dict[str, Any], folder: Path) -> "subprocess.CompletedProcess[str]":
    """asl-validator, which looks into paths and at states that lead nowhere, too."""
    if not VALIDATOR.exists():
        pytest.skip("NOT RUN: asl-validator is not here; `make lint-template` fetches it where there is npm")
    (folder / "machine.json").write_text(json.dumps(machine))
    command: list[str | Path] = [VALIDATOR, "--json-path", folder / "machine.json"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", [*(path.name for path in TEMPLATES), *(f"{name}.json" for name in DEFINITIONS)])
def test_cfn_lint_reports_nothing(linted: dict[str, list[dict[str, Any]]], file: str) -> None:
    assert linted[file] == []


@by_machine
def test_cfn_lint_reports_a_field_that_no_state_has(linted: dict[str, list[dict[str, Any]]], machine: str) -> None:
    (found,) = linted[f"{machine}.spoiled.json"]
    assert found["Rule"]["Id"] == "E3601"
    assert "Retries" in found["Message"]


@by_machine
def test_asl_validator_reports_nothing(machine: str, tmp_path: Path) -> None:
    validated = validate(DEFINITIONS[machine], tmp_path)
    assert validated.returncode == 0, validated.stdout + validated.stderr


@by_machine
def test_asl_validator_reports_a_field_that_no_state_has(machine: str, tmp_path: Path) -> None:
    assert validate(spoiled(machine), tmp_path).returncode == 1
