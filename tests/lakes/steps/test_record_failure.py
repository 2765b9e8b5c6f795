import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from pyiceberg.catalog import Catalog

from pixlake import storage
from pixlake.errors import BadUpload
from pixlake.failures import MAP_FAILED
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.executions import Ending, commit_ending
from pixlake.lake import Work
from pixlake.messages import TOTALS, ChildFailure, Ended, FailureAnswer, FailureRequest, StateError, parse
from pixlake.report.ingests import UNKNOWN_EXPERIMENT
from pixlake.settings import ReportSettings
from pixlake.steps.record_failure import record_failure
from tests.project import read_event

UPLOAD = "file:///in/uploads/pets/pets.zip"
STARTED = datetime(2026, 11, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ended(text: str | None, status: str = "FAILED", after: timedelta = MINUTE, **told: str | None) -> Ended:
    """The end of an execution with this input, so long after its start."""
    start, stop = (round(moment.timestamp() * 1000) for moment in (STARTED, STARTED + after))
    return Ended("run-1", status, start, stop, text, **told)


class FailureLake:
    def __init__(self, folder: Path) -> None:
        self.settings = ReportSettings(f"file://{folder}", f"sqlite:///{folder}/catalog.db")

    def record(self, ingest: object, error: StateError) -> FailureAnswer:
        return self.hear(ended(json.dumps(ingest), error=error.error, cause=error.cause))

    def hear(self, detail: Ended) -> FailureAnswer:
        return record_failure(FailureRequest(detail), self.settings)

    def catalog(self) -> Catalog:
        return open_catalog(self.settings.lake_uri, self.settings.catalog_uri)

    def rows(self, table: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = load_table(self.catalog(), table).scan().to_arrow().to_pylist()
        return rows


@pytest.fixture
def failure_lake(tmp_path: Path) -> FailureLake:
    return FailureLake(tmp_path)


def raised(error: Exception) -> StateError:
    """As Lambda tells Step Functions of an exception."""
    cause = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": ['  File "/opt/python/pixlake/steps/plan.py", line 1, in plan\n    refuse()\n'],
    }
    return StateError(type(error).__name__, json.dumps(cause))


def test_a_refused_upload_has_its_row_its_reject_and_its_page(failure_lake: FailureLake) -> None:
    answer = failure_lake.record(
        {"upload_uri": UPLOAD}, raised(BadUpload("absolute_path", "'/etc/passwd' is no place"))
    )
    assert (answer.status, answer.error) == ("FAILED", "BadUpload")
    (execution,) = failure_lake.rows("executions")
    assert (execution["execution_id"], execution["experiment_id"], execution["status"]) == ("run-1", "pets", "FAILED")
    assert (execution["started_at"], execution["finished_at"]) == (STARTED, STARTED + MINUTE)
    assert (execution["rejected"], execution["images"]) == (1, 0)
    (reject,) = failure_lake.rows("rejects")
    assert (reject["source"], reject["stage"], reject["reason"]) == (UPLOAD, "plan", "absolute_path")
    page = storage.read(answer.report_uri).decode()
    assert "in the step Plan" in page
    assert "/etc/passwd" in page
    assert "Put right what the message names" in page


def test_a_second_run_adds_nothing(failure_lake: FailureLake) -> None:
    for _ in range(2):
        failure_lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    assert len(failure_lake.rows("executions")) == len(failure_lake.rows("rejects")) == 1


@pytest.mark.parametrize(
    "ingest",
    [
        None,
        [],
        "text",
        {},
        {"upload_uri": 7, "experiment_id": {"a": 1}, "uploaded_at": "yesterday"},
        {"experiment_id": "../../x"},
        {"upload_uri": "s3://bucket/uploads/..%2f/x.zip"},
    ],
)
def test_a_broken_input_is_recorded_too(failure_lake: FailureLake, ingest: object) -> None:
    answer = failure_lake.record(ingest, StateError("BadRequest", '{"errorMessage": "upload_uri is missing"}'))
    assert failure_lake.rows("executions")[0]["experiment_id"] == UNKNOWN_EXPERIMENT
    assert failure_lake.rows("rejects")[0]["reason"] == "BadRequest"
    assert b"upload_uri is missing" in storage.read(answer.report_uri)


@pytest.mark.parametrize("text", [None, "", "no json", "{" * 100_000])
def test_an_input_that_is_no_json_or_too_long_for_an_event_is_recorded_too(
    failure_lake: FailureLake, text: str | None
) -> None:
    failure_lake.hear(ended(text, error="States.Runtime"))
    assert failure_lake.rows("executions")[0]["experiment_id"] == UNKNOWN_EXPERIMENT


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_an_end_without_an_error_is_named_by_its_status(failure_lake: FailureLake, status: str) -> None:
    answer = failure_lake.hear(ended(json.dumps({"upload_uri": UPLOAD}), status))
    assert (answer.status, answer.error) == (status, status)
    assert failure_lake.rows("executions")[0]["status"] == status
    assert failure_lake.rows("rejects")[0]["reason"] == status
    assert "redrive the execution or upload again" in storage.read(answer.report_uri).decode()


def good_end(failure_lake: FailureLake, after: timedelta) -> None:
    times = (STARTED, STARTED + after)
    totals = dict.fromkeys(TOTALS, 7)
    commit_ending(failure_lake.catalog(), Ending("run-1", "pets", UPLOAD, "SUCCEEDED", *times, totals, {}))


def test_a_redriven_execution_that_succeeds_replaces_its_failure(failure_lake: FailureLake) -> None:
    failure_lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    good_end(failure_lake, 2 * MINUTE)
    (row,) = failure_lake.rows("executions")
    assert (row["status"], row["images"], row["finished_at"]) == ("SUCCEEDED", 7, STARTED + 2 * MINUTE)


def test_a_failure_event_after_a_later_success_changes_nothing(failure_lake: FailureLake) -> None:
    good_end(failure_lake, 2 * MINUTE)
    storage.write(f"{failure_lake.settings.lake_uri}/reports/run-1.html", b"good")
    before = failure_lake.rows("executions")
    answer = failure_lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    assert answer.status == "SUCCEEDED"
    assert failure_lake.rows("executions") == before
    assert failure_lake.rows("rejects") == []
    assert storage.read(answer.report_uri) == b"good"


def test_an_execution_that_fails_after_its_row_was_written_has_failed(failure_lake: FailureLake) -> None:
    good_end(failure_lake, MINUTE / 2)
    failure_lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    assert [row["status"] for row in failure_lake.rows("executions")] == ["FAILED"]


def test_the_last_failed_redrive_is_the_row_in_any_order_of_events(failure_lake: FailureLake) -> None:
    first, second = (ended(None, after=after, error="CatalogError") for after in (MINUTE, 2 * MINUTE))
    for detail in (first, second, first, second):
        failure_lake.hear(detail)
        (row,) = failure_lake.rows("executions")
    assert row["finished_at"] == STARTED + 2 * MINUTE
    good_end(failure_lake, 3 * MINUTE)
    failure_lake.hear(second)
    assert [row["status"] for row in failure_lake.rows("executions")] == ["SUCCEEDED"]


def test_a_map_is_explained_by_the_child_that_failed_last(failure_lake: FailureLake, tmp_path: Path) -> None:
    work = Work(failure_lake.settings.lake_uri, "run-1")
    for age, child in enumerate(("extract-000003", "extract-000001")):
        note = ChildFailure("Extract", "BadUpload", str(BadUpload("damaged", child)))
        storage.write(work.failure(child), msgspec.json.encode(note))
        then = (STARTED - age * MINUTE).timestamp()
        os.utime(tmp_path / "work" / "run-1" / "failures" / f"{child}.json", (then, then))
    answer = failure_lake.record({"upload_uri": UPLOAD}, StateError(MAP_FAILED))
    assert answer.cause == "damaged: extract-000003"
    assert failure_lake.rows("rejects")[0]["stage"] == "extract"


@pytest.mark.parametrize("cause", ["", "not json", "[1, 2]", '"text"', '{"stackTrace": 3}', "{" * 5000])
def test_any_cause_is_shown(failure_lake: FailureLake, cause: str) -> None:
    answer = failure_lake.record({"upload_uri": UPLOAD}, StateError("States.Runtime", cause))
    page = storage.read(answer.report_uri).decode()
    assert "States.Runtime" in page
    assert "Pixlake does not raise this on purpose" in page


def test_the_errors_message_is_escaped_and_bounded(failure_lake: FailureLake) -> None:
    message = "<script>alert(1)</script>" + "x" * 5_000_000
    answer = failure_lake.record({"upload_uri": UPLOAD}, StateError("KeyError", json.dumps({"errorMessage": message})))
    page = storage.read(answer.report_uri)
    assert b"<script" not in page
    assert len(page) < 50_000
    assert len(str(failure_lake.rows("rejects")[0]["detail"])) <= 2_000


def test_the_page_is_written_even_when_the_catalog_fails(failure_lake: FailureLake, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database" * 100)
    with pytest.raises(Exception, match="catalog"):
        failure_lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    assert storage.exists(f"{failure_lake.settings.lake_uri}/reports/run-1.html")


def test_the_event_file_is_recorded(failure_lake: FailureLake) -> None:
    event = read_event("record_failure")
    answer = record_failure(parse(event, FailureRequest), failure_lake.settings)
    assert answer.status == "FAILED"
