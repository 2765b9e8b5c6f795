"""Messages between states survive the way through JSON, and say what does not fit."""

import json

import pytest

from pixlake.errors import BadRequest
from pixlake.messages import Classifiers, Ingest, Options, PlanRequest, parse, plain

REQUEST = PlanRequest(
    execution_id="e1",
    started_at="2026-11-21T00:00:00Z",
    ingest=Ingest(
        upload_uri="s3://uploads/uploads/pets/a.zip",
        options=Options(id_column="PetID", classifier=Classifiers(orphan="what")),
    ),
)


def test_a_message_survives_json() -> None:
    assert parse(json.loads(json.dumps(plain(REQUEST))), PlanRequest) == REQUEST


def test_a_missing_field_is_named() -> None:
    event = plain(REQUEST)
    del event["ingest"]["upload_uri"]
    with pytest.raises(BadRequest, match=r"PlanRequest: .*upload_uri.*\$\.ingest"):
        parse(event, PlanRequest)


def test_an_unknown_option_is_refused() -> None:
    event = plain(REQUEST)
    event["ingest"]["options"]["id_colum"] = "PetID"
    with pytest.raises(BadRequest, match="id_colum"):
        parse(event, PlanRequest)
