"""The state machine and the code agree on names."""

import inspect
from typing import Any

import pytest

from pixlake import errors
from tests.project import invoking_states, read_definition, walk_states

DEFINITION = read_definition()
SERVICES = ("Lambda.", "Runtime.", "Sandbox.", "States.")


TASKS = invoking_states(DEFINITION)


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
    for name, state in walk_states(DEFINITION):
        assert "Catch" not in state, name
        assert state["Type"] in ("Task", "Map", "Choice"), name


def test_every_state_says_what_it_is_for() -> None:
    assert [name for name, state in walk_states(DEFINITION) if not state.get("Comment")] == []
