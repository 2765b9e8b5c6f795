"""The state machine under faults: what is retried, what is caught, what may be lost, and that failure is always red."""

import json
import os
import signal
import threading
import time

import pytest

from tests.workflow.stacks import Stack

EVERY_STEP = {"Plan", "Extract-0", "Extract-1", "Split", "Infer-0", "Infer-1", "Compact", "Report"}


def test_a_run_without_failure_visits_every_state_once(stack: Stack) -> None:
    outcome = stack.run()
    assert (outcome.status, outcome.output["embedded"]) == ("SUCCEEDED", 1)
    assert stack.attempts(outcome) == dict.fromkeys(sorted(EVERY_STEP), 1)
    assert list(outcome.timings) == ["Plan", "Extract", "Split", "Infer", "Compact", "Report"]


def test_an_upload_of_tables_alone_skips_the_maps(stack: Stack) -> None:
    outcome = stack.run(shards=0, batches=0)
    assert outcome.status == "SUCCEEDED"
    assert set(stack.attempts(outcome)) == {"Plan", "Split", "Compact", "Report"}


def test_a_transient_error_is_retried_in_every_state(stack: Stack) -> None:
    script = {
        "Plan": ["StorageError"],
        "Extract-1": ["StorageError"],
        "Split": ["StorageError"],
        "Infer-0": ["StorageError"],
        "Infer-1": ["StorageError"],
        "Compact": ["CommitConflict", "CatalogError"],
        "Report": ["StorageError"],
    }
    outcome = stack.run(script)
    assert outcome.status == "SUCCEEDED"
    assert stack.attempts(outcome) == {step: 1 + len(script.get(step, [])) for step in sorted(EVERY_STEP)}


def test_a_lasting_transient_error_fails_the_run_after_all_retries(stack: Stack) -> None:
    outcome = stack.run({"Compact": ["CatalogError"] * 9})
    assert (outcome.status, outcome.error, outcome.state) == ("FAILED", "CatalogError", "Compact")
    assert stack.attempts(outcome)["Compact"] == 5


@pytest.mark.parametrize(
    ("state", "error"),
    [("Plan", "BadUpload"), ("Split", "BadRequest"), ("Compact", "TooManyLost"), ("Report", "ValueError")],
)
def test_bad_input_is_not_retried_and_fails_the_run_by_its_name(stack: Stack, state: str, error: str) -> None:
    outcome = stack.run({state: [error]})
    assert (outcome.status, outcome.error, outcome.state) == ("FAILED", error, state)
    assert json.loads(outcome.cause)["errorMessage"].endswith("as told")
    assert stack.attempts(outcome)[state] == 1
    recorded = stack.failure(outcome)
    assert (recorded["status"], recorded["error"], recorded["cause"]) == ("FAILED", error, outcome.cause)


def test_a_run_whose_failure_cannot_be_recorded_still_fails(stack: Stack) -> None:
    outcome = stack.run({"Split": ["BadTable"], "RecordFailure": ["BadRequest"] * 9})
    assert (outcome.status, outcome.error, outcome.state) == ("FAILED", "BadTable", "Split")
    assert stack.attempts(outcome)["RecordFailure"] == 3


def test_a_transient_error_of_record_failure_is_retried(stack: Stack) -> None:
    outcome = stack.run({"Plan": ["BadUpload"], "RecordFailure": ["StorageError", "die"]})
    assert stack.attempts(outcome)["RecordFailure"] == 3
    assert stack.failure(outcome)["error"] == "BadUpload"


def test_record_failure_is_not_invoked_after_success(stack: Stack) -> None:
    assert "RecordFailure" not in stack.attempts(stack.run())


def test_one_lost_shard_fails_the_run(stack: Stack) -> None:
    outcome = stack.run({"Extract-1": ["BadUpload"]}, shards=30)
    assert (outcome.status, outcome.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert stack.failure(outcome)["error"] == outcome.error
    assert stack.progress.failures["Extract"]["errorType"] == "BadUpload"
    assert "Split" not in stack.attempts(outcome)


def test_lost_batches_within_tolerance_reach_compact(stack: Stack) -> None:
    outcome = stack.run({"Infer-7": ["ValueError"]}, batches=20)
    assert outcome.status == "SUCCEEDED"
    assert stack.attempts(outcome)["Compact"] == 1


def test_more_lost_batches_than_tolerated_fail_the_run(stack: Stack) -> None:
    outcome = stack.run({"Infer-7": ["ValueError"], "Infer-8": ["ValueError"]}, batches=20)
    assert (outcome.status, outcome.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert "Compact" not in stack.attempts(outcome)


@pytest.mark.parametrize("step", ["Plan", "Extract-0", "Infer-1", "Compact"])
def test_a_worker_that_exits_is_replaced_and_its_invocation_retried(stack: Stack, step: str) -> None:
    outcome = stack.run({step: ["die"]})
    assert outcome.status == "SUCCEEDED"
    assert stack.attempts(outcome)[step] == 2


def test_a_worker_killed_during_an_invocation_is_replaced_and_the_invocation_retried(stack: Stack) -> None:
    killed = []

    def kill_when_busy() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until and not list((stack.lake / "attempts").glob("*/Split.0")):
            time.sleep(0.02)
        killed.extend(stack.engine.workers()["SplitFunction"])
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    for old in (stack.lake / "attempts").glob("*/Split.0"):
        old.unlink()
    killer = threading.Thread(target=kill_when_busy)
    killer.start()
    outcome = stack.run({"Split": ["hang"]})
    killer.join()
    assert len(killed) == 1
    assert outcome.status == "SUCCEEDED"
    assert stack.attempts(outcome)["Split"] == 2


def test_a_function_past_its_timeout_is_killed_and_retried(stack: Stack) -> None:
    begun = time.monotonic()
    outcome = stack.run({"Extract-0": ["hang"]})
    assert outcome.status == "SUCCEEDED"
    assert stack.attempts(outcome)["Extract-0"] == 2
    assert stack.progress.failures["Extract"]["errorType"] == "Sandbox.Timedout"
    assert time.monotonic() - begun < 20


def test_a_function_over_its_memory_is_killed_and_retried(stack: Stack) -> None:
    outcome = stack.run({"Extract-0": ["eat"]})
    assert outcome.status == "SUCCEEDED"
    assert stack.attempts(outcome)["Extract-0"] == 2
    assert "memory size 256 MB" in stack.progress.failures["Extract"]["errorMessage"]


def test_workers_are_reused_between_executions(stack: Stack) -> None:
    before = stack.engine.workers()
    assert stack.run().status == "SUCCEEDED"
    assert stack.engine.workers()["CompactFunction"] == before["CompactFunction"]
