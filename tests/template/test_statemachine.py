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
def test_every_transient_error_is_retried_and_no_bad_input(task: dict[str, Any]) -> None:
    named = {error for retry in task["Retry"] for error in retry["ErrorEquals"]}
    ours = {error for error in named if not error.startswith(SERVICES)}
    passing = {
        kind.__name__
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.TransientError) and kind is not errors.TransientError
    }
    assert ours == passing


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_every_task_has_a_timeout_and_retries_with_backoff_and_jitter(task: dict[str, Any]) -> None:
    assert task["TimeoutSeconds"] <= 900
    assert all(retry["JitterStrategy"] == "FULL" and retry["BackoffRate"] > 1 for retry in task["Retry"])


def test_no_state_catches_errors_so_that_a_redrive_resumes_at_the_failed_state() -> None:
    for name, state in walk_states(DEFINITION):
        assert "Catch" not in state, name
        assert state["Type"] in ("Task", "Map", "Choice", "Pass", "Succeed"), name


def test_every_state_has_a_comment() -> None:
    assert [name for name, state in walk_states(DEFINITION) if not state.get("Comment")] == []
