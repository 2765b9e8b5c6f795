import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pixlake import errors
from pixlake.failures import MAP_FAILED, record_child_failure
from pixlake.lake import Work
from pixlake.messages import StateError
from pixlake.report.causes import explain, find_step
from pixlake.report.gather import Listing, list_work
from pixlake.storage import ObjectInfo


def listing(*paths: str) -> Listing:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    return Listing("file:///w", tuple(ObjectInfo(f"file:///w/{path}", 1, moment, None) for path in paths))


PLANNED = ("shards.json", "members.jsonl")
SPLIT = (*PLANNED, "extracted/000000.jsonl", "batches.json", "batches/a.parquet", "batches/b.parquet")


@pytest.mark.parametrize(
    ("paths", "shards", "step"),
    [
        ((), 0, "Plan"),
        (PLANNED, 2, "Extract"),
        ((*PLANNED, "extracted/000000.jsonl"), 2, "Extract"),
        ((*PLANNED, "extracted/000000.jsonl"), 1, "Split"),
        (PLANNED, 0, "Split"),
        ((*SPLIT, "parts/embeddings/a.parquet"), 1, "Infer"),
        ((*SPLIT, "parts/embeddings/a.parquet", "parts/predictions/b.parquet"), 1, "Compact"),
        ((*SPLIT, "parts/embeddings/a.parquet", "parts/predictions/b.parquet", "compacted.json"), 1, "Report"),
        ((*SPLIT, "parts/embeddings/a.parquet", "compacted.json"), 1, "Report"),
    ],
)
def test_the_failed_step_is_the_first_whose_output_is_incomplete(
    paths: tuple[str, ...], shards: int, step: str
) -> None:
    assert find_step(listing(*paths), shards) == step


def test_a_map_is_explained_by_the_last_note_of_a_child(tmp_path: Path) -> None:
    work = Work(f"file://{tmp_path}", "run-1")
    for step, child in (("Embed", "embed-000001"), ("Classify", "classify-000002")):
        with suppress(errors.BadBundle), record_child_failure(work, step, child):
            raise errors.BadBundle(f"of {step}")
        then = {"Embed": 2_000, "Classify": 1_000}[step]
        os.utime(work.failure(child).removeprefix("file://"), (then, then))
    cause = explain(StateError(MAP_FAILED), list_work(work), 0)
    assert (cause.step, cause.error, cause.message) == ("Embed", "BadBundle", "of Embed")


def of_athena(error: str, message: str) -> StateError:
    """A failed merge as the outer execution reports it: the inner one as JSON, whose cause is Athena's own JSON."""
    status = {"State": "FAILED", "StateChangeReason": message, "AthenaError": {"ErrorType": 210, "Retryable": False}}
    inner = {"Status": "FAILED", "Error": error, "Cause": json.dumps({"QueryExecution": {"Status": status}})}
    return StateError("States.TaskFailed", json.dumps({"StateMachineArn": "arn", **inner}))


@pytest.mark.parametrize(
    ("error", "says"), [("TableNotMerged", "DML query timeout"), ("TableNotKept", "in the tables")]
)
def test_a_failure_of_athena_is_told_in_its_words_with_advice(error: str, says: str) -> None:
    cause = explain(of_athena(error, "Query timeout"), listing(*SPLIT, "compacted.json"), 1)
    assert (cause.step, cause.error, cause.message) == ("CompactOnAthena", error, "Query timeout")
    assert says in cause.advice
    assert "redrive" in cause.advice


def test_a_merge_that_ended_without_an_error_is_told_by_its_status() -> None:
    aborted = StateError("States.TaskFailed", json.dumps({"StateMachineArn": "arn", "Status": "ABORTED"}))
    cause = explain(aborted, listing(*SPLIT, "compacted.json"), 1)
    assert (cause.step, cause.error) == ("CompactOnAthena", "TableNotMerged")
    assert "ABORTED" in cause.message


@pytest.mark.parametrize(
    "error", ["BadUpload", "BadTable", "ModelTimeout", "TooManyLost", "CatalogError", "States.Timeout"]
)
def test_an_expected_error_has_advice_and_no_stack(error: str) -> None:
    cause = explain(StateError(error, json.dumps({"errorMessage": "m", "stackTrace": ["line"]})), listing(), 0)
    assert "on purpose" not in cause.advice
    assert cause.trace == []


REJECTED_OR_MAKING = (errors.BadImage, errors.BadMember, errors.NotServable)
"""What becomes a reject, or is raised only where models are made: no state fails with it."""


def test_every_error_that_fails_a_state_has_advice() -> None:
    leaves = [
        leaf
        for branch in (errors.BadInput, errors.TransientError)
        for leaf in branch.__subclasses__()
        if leaf.__module__ == errors.__name__ and leaf not in REJECTED_OR_MAKING
    ]
    assert leaves
    for leaf in leaves:
        assert "on purpose" not in explain(StateError(leaf.__name__), listing(), 0).advice, leaf


def test_a_refused_upload_is_grouped_by_its_code() -> None:
    cause = json.dumps({"errorMessage": str(errors.BadUpload("zip_bomb", "ratio 900: too much"))})
    assert explain(StateError("BadUpload", cause), listing(), 0).reason == "zip_bomb"
    assert explain(StateError("KeyError", '{"errorMessage": "abc: d"}'), listing(), 0).reason == "KeyError"
