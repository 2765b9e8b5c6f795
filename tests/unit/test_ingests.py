"""What is said of the upload of an execution that failed, where an event of S3 began it."""

import json
from datetime import UTC, datetime

import pytest

from pixlake.messages import Ended
from pixlake.report.ingests import UNKNOWN_EXPERIMENT, FailedIngest, read_ingest
from tests.unit.test_triggers import TIME, created

LAKE = "file:///no-such-lake"
STARTED = datetime(2026, 11, 21, 11, tzinfo=UTC)


def read(given: object) -> FailedIngest:
    milliseconds = round(STARTED.timestamp() * 1000)
    return read_ingest(Ended("run-1", "FAILED", milliseconds, milliseconds, json.dumps(given)), LAKE)


@pytest.mark.parametrize("name", ["a.zip", '"a" b+c\\d.zip', "new\nline.zip", "日本.zip"])
def test_an_upload_that_an_event_named(name: str) -> None:
    found = read(created(f"uploads/pets/{name}"))
    assert found == FailedIngest(f"s3://up/uploads/pets/{name}", "pets", datetime.fromisoformat(TIME))


def test_an_experiment_whose_images_were_asked_for() -> None:
    found = read({"from_lake": "pets", "options": {"embedder": "clip"}})
    assert found == FailedIngest(f"{LAKE}/images/pets/", "pets", STARTED)
    assert read({"from_lake": "../pets"}) == FailedIngest("", UNKNOWN_EXPERIMENT, STARTED)


def test_an_experiment_that_cannot_be_one() -> None:
    found = read(created("uploads/.hidden/a.zip"))
    assert (found.upload_uri, found.experiment_id) == ("s3://up/uploads/.hidden/a.zip", UNKNOWN_EXPERIMENT)


@pytest.mark.parametrize("key", ["elsewhere/a.zip", None, 7])
def test_an_event_that_names_no_upload(key: object) -> None:
    assert read(created(key)) == FailedIngest("", UNKNOWN_EXPERIMENT, STARTED)  # type: ignore[arg-type]
