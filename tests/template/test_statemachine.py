"""The state machine and the code agree on names."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixlake import errors

ROOT = Path(__file__).parents[2]
DEFINITION = yaml.safe_load((ROOT / "statemachine" / "ingest.asl.yaml").read_text())
SERVICES = ("Lambda.", "Runtime.", "Sandbox.", "States.")


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


TASKS = {name: state for name, state in states(DEFINITION) if state.get("Resource", "").endswith(":lambda:invoke")}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_every_passing_trouble_is_retried_and_nothing_else_of_ours(task: dict[str, Any]) -> None:
    named = {error for retry in task["Retry"] for error in retry["ErrorEquals"]}
    ours = {error for error in named if not error.startswith(SERVICES)}
    passing = {
        kind.__name__
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.TransientError) and kind is not errors.TransientError
    }
    assert ours == passing


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_every_task_says_what_happens_when_it_fails(task: dict[str, Any]) -> None:
    assert task["TimeoutSeconds"] <= 900
    assert all(retry["JitterStrategy"] == "FULL" and retry["BackoffRate"] > 1 for retry in task["Retry"])


def test_nothing_catches_a_failure_so_that_a_redrive_goes_on_where_it_happened() -> None:
    for name, state in states(DEFINITION):
        assert "Catch" not in state, name
        assert state["Type"] in ("Task", "Map", "Choice"), name


def test_every_state_says_what_it_is_for() -> None:
    assert [name for name, state in states(DEFINITION) if not state.get("Comment")] == []
