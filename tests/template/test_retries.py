"""Each kind of error is retried for as long as it lasts, with the definition's own numbers."""

from random import Random
from typing import Any

import pytest

from pixlake.settings import PlanSettings, SplitSettings
from tests.template.throttles import Outcome, simulate, wait

THROTTLED = "Lambda.TooManyRequestsException"
ASLEEP = (
    "Lambda.CodeArtifactUserPendingException",
    "Lambda.ResourceConflictException",
    "Lambda.ClientExecutionTimeoutException",
)
SAME_AGAIN = ("States.Timeout", "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory")
# what others saw an image function take that nobody had called for weeks
WAKES_IN = (40, 106)
LARGEST = PlanSettings.max_members // SplitSettings.batch_rows


def retrier(task: dict[str, Any], error: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [retry for retry in task["Retry"] if error in retry["ErrorEquals"]]
    assert len(found) == 1, f"{error} is named by {len(found)} Retriers"
    return found[0]


@pytest.fixture
def task(tasks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One of them; they are all alike (test_definition)."""
    return tasks["Embed"]


def test_an_error_has_one_retrier(task: dict[str, Any]) -> None:
    named = [error for retry in task["Retry"] for error in retry["ErrorEquals"]]
    assert len(named) == len(set(named))


def test_throttling_has_a_long_retrier_of_its_own(task: dict[str, Any]) -> None:
    retry = retrier(task, THROTTLED)
    assert retry["ErrorEquals"] == [THROTTLED]
    assert (retry["IntervalSeconds"], retry["BackoffRate"], retry["MaxDelaySeconds"]) == (5, 2, 60)
    assert retry["MaxAttempts"] >= 60


@pytest.mark.parametrize(
    ("uploads", "concurrency", "slots"),
    [
        pytest.param(1, 100, 10, id="a new account with the template's defaults"),
        pytest.param(2, 10, 10, id="two uploads, each as large as the account"),
        pytest.param(11, 100, 1_000, id="eleven uploads of 100 on an account of 1,000"),
    ],
)
@pytest.mark.parametrize("batches", [100, LARGEST], ids=["100,000 images", "the largest upload"])
def test_uploads_beyond_the_concurrency_end_without_loss(
    task: dict[str, Any], uploads: int, concurrency: int, slots: int, batches: int
) -> None:
    for seed in range(3):
        outcome: Outcome = simulate(uploads, concurrency, slots, batches, retrier(task, THROTTLED), seed)
        assert outcome.lost == (0,) * uploads, (seed, outcome)


@pytest.mark.parametrize("error", ASLEEP)
def test_an_inactive_function_has_time_to_become_active(task: dict[str, Any], error: str) -> None:
    retry = retrier(task, error)
    assert set(retry["ErrorEquals"]) == set(ASLEEP)
    random = Random(0)
    waits = [sum(wait(retry, n, random) for n in range(retry["MaxAttempts"])) for _ in range(2_000)]
    assert min(waits) > 2 * max(WAKES_IN)
    assert sum(waited >= 300 for waited in waits) > 0.99 * len(waits)


@pytest.mark.parametrize("error", SAME_AGAIN)
def test_errors_that_mostly_repeat_are_retried_once(task: dict[str, Any], error: str) -> None:
    assert retrier(task, error)["MaxAttempts"] == 1
