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

UPLOAD = "file:///in/uploads/pets/pets.zip"
STARTED = datetime(2026, 11, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ended(text: str | None, status: str = "FAILED", after: timedelta = MINUTE, **told: str | None) -> Ended:
    """The end of an execution with this input, so long after its start."""
    start, stop = (round(moment.timestamp() * 1000) for moment in (STARTED, STARTED + after))
    return Ended("run-1", status, start, stop, text, **told)


class Lake:
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
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def raised(error: Exception) -> StateError:
    """As Lambda tells Step Functions of an exception."""
    cause = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": ['  File "/opt/python/pixlake/steps/plan.py", line 1, in plan\n    refuse()\n'],
    }
    return StateError(type(error).__name__, json.dumps(cause))


def test_a_refused_upload_has_its_row_its_reject_and_its_page(lake) -> None:
    answer = lake.record({"upload_uri": UPLOAD}, raised(BadUpload("absolute_path", "'/etc/passwd' is no place")))
    assert (answer.status, answer.error) == ("FAILED", "BadUpload")
    (execution,) = lake.rows("executions")
    assert (execution["execution_id"], execution["experiment_id"], execution["status"]) == ("run-1", "pets", "FAILED")
    assert (execution["started_at"], execution["finished_at"]) == (STARTED, STARTED + MINUTE)
    assert (execution["rejected"], execution["images"]) == (1, 0)
    (reject,) = lake.rows("rejects")
    assert (reject["source"], reject["stage"], reject["reason"]) == (UPLOAD, "plan", "absolute_path")
    page = storage.read(answer.report_uri).decode()
    assert "in the step Plan" in page
    assert "/etc/passwd" in page
    assert "Put right what the message names" in page


def test_a_second_run_adds_nothing(lake) -> None:
    for _ in range(2):
        lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    assert len(lake.rows("executions")) == len(lake.rows("rejects")) == 1


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
def test_a_broken_input_is_recorded_too(lake, ingest: object) -> None:
    answer = lake.record(ingest, StateError("BadRequest", '{"errorMessage": "upload_uri is missing"}'))
    assert lake.rows("executions")[0]["experiment_id"] == UNKNOWN_EXPERIMENT
    assert lake.rows("rejects")[0]["reason"] == "BadRequest"
    assert b"upload_uri is missing" in storage.read(answer.report_uri)


@pytest.mark.parametrize("text", [None, "", "no json", "{" * 100_000])
def test_an_input_that_is_no_json_or_too_long_for_an_event_is_recorded_too(lake, text: str | None) -> None:
    lake.hear(ended(text, error="States.Runtime"))
    assert lake.rows("executions")[0]["experiment_id"] == UNKNOWN_EXPERIMENT


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_an_end_without_an_error_is_named_by_its_status(lake, status: str) -> None:
    answer = lake.hear(ended(json.dumps({"upload_uri": UPLOAD}), status))
    assert (answer.status, answer.error) == (status, status)
    assert lake.rows("executions")[0]["status"] == status
    assert lake.rows("rejects")[0]["reason"] == status
    assert "redrive the execution or upload again" in storage.read(answer.report_uri).decode()


def good_end(lake, after: timedelta) -> None:
    times = (STARTED, STARTED + after)
    totals = dict.fromkeys(TOTALS, 7)
    commit_ending(lake.catalog(), Ending("run-1", "pets", UPLOAD, "SUCCEEDED", *times, totals, {}))


def test_a_redriven_execution_that_succeeds_replaces_its_failure(lake) -> None:
    lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    good_end(lake, 2 * MINUTE)
    (row,) = lake.rows("executions")
    assert (row["status"], row["images"], row["finished_at"]) == ("SUCCEEDED", 7, STARTED + 2 * MINUTE)


def test_a_failure_heard_of_after_a_later_success_changes_nothing(lake) -> None:
    good_end(lake, 2 * MINUTE)
    storage.write(f"{lake.settings.lake_uri}/reports/run-1.html", b"good")
    before = lake.rows("executions")
    answer = lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    assert answer.status == "SUCCEEDED"
    assert lake.rows("executions") == before
    assert lake.rows("rejects") == []
    assert storage.read(answer.report_uri) == b"good"


def test_an_execution_that_fails_after_its_row_was_written_has_failed(lake) -> None:
    good_end(lake, MINUTE / 2)
    lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    assert [row["status"] for row in lake.rows("executions")] == ["FAILED"]


def test_each_redrive_that_fails_is_the_row_whichever_is_heard_of_first(lake) -> None:
    first, second = (ended(None, after=after, error="CatalogError") for after in (MINUTE, 2 * MINUTE))
    for detail in (first, second, first, second):
        lake.hear(detail)
        (row,) = lake.rows("executions")
    assert row["finished_at"] == STARTED + 2 * MINUTE
    good_end(lake, 3 * MINUTE)
    lake.hear(second)
    assert [row["status"] for row in lake.rows("executions")] == ["SUCCEEDED"]


def test_a_map_is_explained_by_the_child_that_failed_last(lake, tmp_path: Path) -> None:
    work = Work(lake.settings.lake_uri, "run-1")
    for age, child in enumerate(("extract-000003", "extract-000001")):
        note = ChildFailure("Extract", "BadUpload", str(BadUpload("damaged", child)))
        storage.write(work.failure(child), msgspec.json.encode(note))
        then = (STARTED - age * MINUTE).timestamp()
        os.utime(tmp_path / "work" / "run-1" / "failures" / f"{child}.json", (then, then))
    answer = lake.record({"upload_uri": UPLOAD}, StateError(MAP_FAILED))
    assert answer.cause == "damaged: extract-000003"
    assert lake.rows("rejects")[0]["stage"] == "extract"


@pytest.mark.parametrize("cause", ["", "not json", "[1, 2]", '"text"', '{"stackTrace": 3}', "{" * 5000])
def test_any_cause_is_shown(lake, cause: str) -> None:
    answer = lake.record({"upload_uri": UPLOAD}, StateError("States.Runtime", cause))
    page = storage.read(answer.report_uri).decode()
    assert "States.Runtime" in page
    assert "Pixlake does not raise this on purpose" in page


def test_what_the_error_says_is_text_and_bounded(lake) -> None:
    message = "<script>alert(1)</script>" + "x" * 5_000_000
    answer = lake.record({"upload_uri": UPLOAD}, StateError("KeyError", json.dumps({"errorMessage": message})))
    page = storage.read(answer.report_uri)
    assert b"<script" not in page
    assert len(page) < 50_000
    assert len(str(lake.rows("rejects")[0]["detail"])) <= 2_000


def test_the_page_is_written_even_when_the_catalog_fails(lake, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database" * 100)
    with pytest.raises(Exception, match="catalog"):
        lake.record({"upload_uri": UPLOAD}, raised(BadUpload("encrypted", "x")))
    assert storage.exists(f"{lake.settings.lake_uri}/reports/run-1.html")


def test_a_failure_that_is_an_event_for_sam(lake) -> None:
    event = json.loads((Path(__file__).parents[3] / "events/record_failure.json").read_text())
    answer = record_failure(parse(event, FailureRequest), lake.settings)
    assert answer.status == "FAILED"
