"""What starts an execution: S3's event as EventBridge delivers it, whatever is in the key, or a person's own input."""

import json
from typing import Any

import pytest

from pixlake.errors import BadRequest
from pixlake.messages import FromLakeRequest, Ingest, Options, PlanRequest, RetryRequest, plain
from pixlake.triggers import read_ingest, read_request

TIME = "2026-11-21T10:00:00Z"
FORGED = 'uploads/mine/x","upload_uri":"s3://up/uploads/theirs/secret.zip","experiment_id":"theirs","z":".zip'
KEYS = [
    "uploads/pets/a.zip",
    "uploads/pets/my pets (1).zip",
    "uploads/pets/1+1.zip",
    "uploads/pets/100%25.zip",
    "uploads/pets/Ünï 日本 🐈.zip",
    'uploads/pets/"quoted".zip',
    "uploads/pets/back\\slash\\.zip",
    "uploads/pets/new\nline\ttab\x00null.zip",
    "uploads/pets/deep/er/a.zip",
    "uploads/pets/<key>.zip",
    "uploads/pets/a?versionId=b#c.zip",
]


def created(key: str, **object_fields: Any) -> dict[str, Any]:
    """The event of AWS's documentation, for this key."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "111122223333",
        "time": TIME,
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::up"],
        "detail": {
            "version": "0",
            "bucket": {"name": "up"},
            "object": {
                "key": key,
                "size": 5,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                "sequencer": "617f08299329d189",
                **object_fields,
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "1.2.3.4",
            "reason": "PutObject",
        },
    }


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_taken_as_it_is(key: str) -> None:
    event = json.loads(json.dumps(created(key)))
    assert read_ingest(event) == Ingest(
        upload_uri=f"s3://up/{key}",
        experiment_id="pets",
        uploaded_at=TIME,
        upload_version="IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
    )


def test_a_key_forges_nothing() -> None:
    ingest = read_ingest(created(FORGED))
    assert (ingest.upload_uri, ingest.experiment_id, ingest.options) == (f"s3://up/{FORGED}", "mine", Options())


def test_a_bucket_without_versions() -> None:
    event = created("uploads/pets/a.zip")
    del event["detail"]["object"]["version-id"]
    assert read_ingest(event).upload_version is None
    assert read_ingest(created("uploads/pets/a.zip", **{"version-id": "null"})).upload_version is None


@pytest.mark.parametrize("key", ["a.zip", "elsewhere/uploads/pets/a.zip", "uploads/a.zip", "uploads//a.zip"])
def test_a_key_elsewhere_names_no_experiment(key: str) -> None:
    with pytest.raises(BadRequest, match="uploads/<experiment_id>/"):
        read_ingest(created(key))


@pytest.mark.parametrize("missing", ["bucket", "object"])
def test_an_event_that_is_not_whole_is_named(missing: str) -> None:
    event = created("uploads/pets/a.zip")
    del event["detail"][missing]
    with pytest.raises(BadRequest, match=missing):
        read_ingest(event)


def test_a_person_says_what_they_want() -> None:
    wanted = Ingest("s3://up/a.zip", "pets", TIME, Options(embedder="clip"), upload_version="v")
    assert read_ingest(plain(wanted)) == wanted


@pytest.mark.parametrize("given", [{}, {"upload_uri": 7}, {"experiment_id": "pets"}, [], "text", None])
def test_an_input_that_is_neither_is_refused(given: Any) -> None:
    with pytest.raises(BadRequest, match="Ingest: "):
        read_ingest(given)


def test_a_person_asks_for_a_retry() -> None:
    request = read_request({"execution_id": "e", "started_at": TIME, "ingest": {"retry": "earlier"}})
    assert request == RetryRequest("e", TIME, "earlier")


@pytest.mark.parametrize("given", [{"retry": 7}, {"retry": "earlier", "upload_uri": "s3://up/a.zip"}])
def test_a_retry_that_asks_for_more_is_refused(given: Any) -> None:
    with pytest.raises(BadRequest, match="Retry: "):
        read_request({"execution_id": "e", "started_at": TIME, "ingest": given})


def test_a_person_names_models_for_the_images_of_the_lake() -> None:
    given = {"from_lake": "pets", "options": {"embedder": "clip"}}
    request = read_request({"execution_id": "e", "started_at": TIME, "ingest": given})
    assert request == FromLakeRequest("e", TIME, "pets", Options(embedder="clip"))


@pytest.mark.parametrize("given", [{"from_lake": 7}, {"from_lake": "pets", "upload_uri": "s3://up/a.zip"}])
def test_images_of_the_lake_are_no_upload_too(given: Any) -> None:
    with pytest.raises(BadRequest, match="FromLake: "):
        read_request({"execution_id": "e", "started_at": TIME, "ingest": given})


def test_plans_event_holds_the_input_as_it_was_given() -> None:
    request = read_request({"execution_id": "e", "started_at": TIME, "ingest": created("uploads/pets/a.zip")})
    assert (request.execution_id, request.started_at) == ("e", TIME)
    assert isinstance(request, PlanRequest)
    assert request.ingest.experiment_id == "pets"
    with pytest.raises(BadRequest, match="started_at"):
        read_request({"execution_id": "e", "ingest": {}})
