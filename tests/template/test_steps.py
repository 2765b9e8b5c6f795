"""A step has one name: its state, its function's folder, its module in `pixlake.steps`, the test of that, its event."""

import ast
import re
from typing import Any

import pytest

from pixlake_cli.engine.template import Deployment
from tests.builders.collecting import read_application
from tests.project import ROOT, invoking_states, read_definition, read_event

# what no state stands for: API Gateway asks it, one request at a time
API = "api"
FOLDERS = sorted({path.parent.name for path in ROOT.glob("functions/*/app.py")} - {API})
# deployed by applications within the template, and invoked by a queue (test_collect) and a rule (test_vectors)
NESTED = ["collect", "mirror"]
MODULES = {path.stem for path in (ROOT / "layers/pixlake/pixlake/steps").glob("[a-z]*.py")}


def step_of(folder: str) -> str:
    """The step whose module the handler in this folder calls."""
    tree = ast.parse((ROOT / "functions" / folder / "app.py").read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    (step,) = [module.removeprefix("pixlake.steps.") for module in modules if module.startswith("pixlake.steps.")]
    return step


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def folder_of(state: str, around: str | None) -> str:
    """The folder of the function that a state invokes, the Map around it given.

    A definition's names are unique, so a Map that carries its step's name has a state named for what one item is:
    `ExtractShard` in `Extract`.
    """
    return snake(around if around and state.startswith(around) else state)


def folders_of(machine: dict[str, Any], around: str | None = None) -> dict[str, str]:
    """The folder that each state stands for, by the logical name of the function that it invokes."""
    found: dict[str, str] = {}
    for name, state in machine["States"].items():
        if "ItemProcessor" in state:
            found |= folders_of(state["ItemProcessor"], name)
        elif "FunctionName" in state.get("Parameters", {}):
            found[state["Parameters"]["FunctionName"].strip("${}")] = folder_of(name, around)
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_function_is_named_as_its_step(folder: str) -> None:
    """A second build of a step has the step's name and one that says what is different: `classify_autogluon`."""
    step = step_of(folder)
    assert folder == step or folder.startswith(f"{step}_")
    assert step in FOLDERS


def test_every_step_has_a_function_and_a_test() -> None:
    assert {step_of(folder) for folder in FOLDERS} == MODULES
    tests = [path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("*/steps/test_*.py")]
    assert sorted(tests) == sorted(MODULES)


def test_every_function_has_an_event_that_is_an_object() -> None:
    events = {path.stem for path in ROOT.glob("events/*.json")}
    assert sorted(event for event in events if not event.startswith(f"{API}_")) == FOLDERS
    assert events - set(FOLDERS), "the API has one for each kind of request"
    assert all(isinstance(read_event(event), dict) for event in events)


def test_a_function_is_deployed_under_the_name_of_its_folder(deployment: Deployment) -> None:
    assert read_application({}).function.folder.name in NESTED
    assert sorted([*(function.folder.name for function in deployment.functions.values()), *NESTED]) == FOLDERS
    for name, function in deployment.functions.items():
        assert (snake(name.removesuffix("Function")), function.handler) == (function.folder.name, "app.handler")


def test_a_state_invokes_the_function_of_its_name(deployment: Deployment) -> None:
    machine = read_definition()
    found = folders_of(machine)
    assert len(found) == len(invoking_states(machine))
    assert found == {name: deployment.functions[name].folder.name for name in found}


def test_a_function_without_a_state_is_invoked_by_a_rule_or_a_schedule(
    template: dict[str, Any], deployment: Deployment
) -> None:
    by_rule = {name for rule in deployment.rules for name in rule.functions}
    by_schedule = {
        name
        for name in deployment.functions
        for event in template["Resources"][name]["Properties"].get("Events", {}).values()
        if event["Type"] == "ScheduleV2"
    }
    assert deployment.functions.keys() - folders_of(read_definition()) == by_rule | by_schedule
