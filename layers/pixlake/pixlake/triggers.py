"""The inputs that start an execution: S3's event of a new object, as EventBridge delivers it, or one that a person
wrote, for an upload, for a retry (`{"retry": "<execution>"}`) or for images that are in the lake
(`{"from_lake": "<experiment>", "options": {…}}`). The event is passed whole, never through a text template, so a key
may hold any character: EventBridge does not encode keys, unlike S3's older notifications.
"""

import re
from typing import Any

import msgspec

from pixlake.errors import BadRequest
from pixlake.messages import FromLakeRequest, Ingest, Options, PlanRequest, RetryRequest, parse

_KEY = re.compile(r"uploads/([^/]+)/")


class _Bucket(msgspec.Struct, frozen=True):
    name: str


class _Object(msgspec.Struct, frozen=True, rename={"version_id": "version-id"}):
    """`version_id` is missing or "null" where the bucket is not versioned."""

    key: str
    version_id: str | None = None


class _Detail(msgspec.Struct, frozen=True):
    bucket: _Bucket
    object: _Object


class ObjectCreated(msgspec.Struct, frozen=True):
    """The fields that are read of EventBridge's event "Object Created". `time` is the end of the upload."""

    time: str
    detail: _Detail


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The input by which a person has an earlier execution's lost batches run again: its name."""

    retry: str


class FromLake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The input by which the images of an experiment are given to other models: its name, and theirs."""

    from_lake: str
    options: Options = Options()


class _Started(msgspec.Struct, frozen=True):
    """Plan's event: `ingest` is the execution's unparsed input."""

    execution_id: str
    started_at: str
    ingest: Any


def read_request(event: Any) -> PlanRequest | RetryRequest | FromLakeRequest:
    """Plan's event; BadRequest says which field does not fit."""
    started = parse(event, _Started)
    if retried := read_retry(started.ingest):
        return RetryRequest(started.execution_id, started.started_at, retried)
    if isinstance(started.ingest, dict) and "from_lake" in started.ingest:
        given = parse(started.ingest, FromLake)
        return FromLakeRequest(started.execution_id, started.started_at, given.from_lake, given.options)
    return PlanRequest(started.execution_id, started.started_at, read_ingest(started.ingest))


def read_retry(given: Any) -> str:
    """The execution that an input asks to retry, empty for any other input; BadRequest where more is asked for."""
    return parse(given, Retry).retry if isinstance(given, dict) and "retry" in given else ""


def read_ingest(given: Any) -> Ingest:
    """The ingest of an execution's input; BadRequest where it is neither an event nor an `Ingest`."""
    if isinstance(given, dict) and "detail-type" in given:
        return _of_event(parse(given, ObjectCreated))
    return parse(given, Ingest)


def _of_event(event: ObjectCreated) -> Ingest:
    bucket, key, version_id = event.detail.bucket.name, event.detail.object.key, event.detail.object.version_id
    found = _KEY.match(key)
    if not found:
        raise BadRequest(f"{key!r} is no upload: put it under uploads/<experiment_id>/")
    return Ingest(
        upload_uri=f"s3://{bucket}/{key}",
        experiment_id=found[1],
        uploaded_at=event.time,
        upload_version=None if version_id == "null" else version_id,
    )
