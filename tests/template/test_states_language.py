"""Both state machines as Amazon's States Language has them, by the rules of others: cfn-lint and asl-validator."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pixlake_cli.engine import definition
from pixlake_cli.engine.template import ACCOUNT, MACHINE, REGION, Resolver, machine_arn
from tests.project import ROOT, read_template
from tests.template.test_template import LINTER

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


def lint(machine: dict[str, Any], folder: Path) -> "subprocess.CompletedProcess[str]":
    """cfn-lint, of a template of this machine alone."""
    properties = {"Definition": machine, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/states"}
    resources = {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}
    template = folder / "template.json"
    template.write_text(json.dumps({"Resources": resources}))
    command: list[str | Path] = [LINTER, "--regions", REGION, "--", template]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def validate(machine: dict[str, Any], folder: Path) -> "subprocess.CompletedProcess[str]":
    """asl-validator, which looks into paths and at states that lead nowhere, too."""
    if not VALIDATOR.exists():
        pytest.skip("NOT RUN: asl-validator is not here; `make lint-template` fetches it where there is npm")
    (folder / "machine.json").write_text(json.dumps(machine))
    command: list[str | Path] = [VALIDATOR, "--json-path", folder / "machine.json"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@by_machine
def test_cfn_lint_reports_nothing(machine: str, tmp_path: Path) -> None:
    linted = lint(DEFINITIONS[machine], tmp_path)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


@by_machine
def test_cfn_lint_reports_a_field_that_no_state_has(machine: str, tmp_path: Path) -> None:
    linted = lint(spoiled(machine), tmp_path)
    assert "E3601" in linted.stdout
    assert "Retries" in linted.stdout


@by_machine
def test_asl_validator_reports_nothing(machine: str, tmp_path: Path) -> None:
    validated = validate(DEFINITIONS[machine], tmp_path)
    assert validated.returncode == 0, validated.stdout + validated.stderr


@by_machine
def test_asl_validator_reports_a_field_that_no_state_has(machine: str, tmp_path: Path) -> None:
    assert validate(spoiled(machine), tmp_path).returncode == 1
