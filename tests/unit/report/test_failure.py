import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pixlake import storage
from pixlake.catalog import load_table, open_catalog
from pixlake.errors import BadUpload
from pixlake.messages import FailureAnswer, FailureRequest, StateError, parse
from pixlake.report.failure import UNKNOWN_EXPERIMENT, record_failure
from pixlake.settings import ReportSettings

UPLOAD = "file:///in/uploads/pets/pets.zip"


class Lake:
    def __init__(self, folder: Path) -> None:
        self.settings = ReportSettings(f"file://{folder}", f"sqlite:///{folder}/catalog.db")

    def record(self, ingest: object, error: StateError) -> FailureAnswer:
        return record_failure(FailureRequest("run-1", "2026-11-20T09:00:00Z", ingest, error), self.settings)

    def rows(self, table: str) -> list[dict[str, object]]:
        catalog = open_catalog(self.settings.lake_uri, self.settings.catalog_uri)
        rows: list[dict[str, object]] = load_table(catalog, table).scan().to_arrow().to_pylist()
        return rows


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def raised(error: Exception, module: str = "pixlake/unzip/plan.py") -> StateError:
    """As Lambda tells Step Functions of an exception."""
    cause = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": [f'  File "/opt/python/{module}", line 1, in plan\n    refuse()\n'],
    }
    return StateError(type(error).__name__, json.dumps(cause))


def test_a_refused_upload_has_its_row_its_reject_and_its_page(lake) -> None:
    answer = lake.record({"upload_uri": UPLOAD}, raised(BadUpload("absolute_path", "'/etc/passwd' is no place")))
    assert (answer.status, answer.error) == ("FAILED", "BadUpload")
    (execution,) = lake.rows("executions")
    assert (execution["execution_id"], execution["experiment_id"], execution["status"]) == ("run-1", "pets", "FAILED")
    assert execution["started_at"] == datetime(2026, 11, 20, 9, tzinfo=UTC)
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
