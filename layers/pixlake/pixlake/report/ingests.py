"""The input of a failed execution, read as far as possible: the input may be at fault."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from pixlake.errors import BadRequest
from pixlake.lake import check_identifier, experiment_of, stored_uri
from pixlake.messages import Ended, plain
from pixlake.retries import read_finished
from pixlake.triggers import read_ingest as read_given
from pixlake.triggers import read_retry

# No experiment can have this name, for one starts with a letter or a digit.
UNKNOWN_EXPERIMENT = "_unknown"


@dataclass(frozen=True)
class FailedIngest:
    """The readable part of an input that may be at fault."""

    upload_uri: str
    experiment_id: str
    uploaded_at: datetime


def read_ingest(ended: Ended, lake: str) -> FailedIngest:
    """The upload that the input names, as far as it can be read; UNKNOWN_EXPERIMENT where it names none. That of a
    retry is in the files of the earlier execution in the lake."""
    fields = _fields(ended.input)
    if "from_lake" in fields:
        fields = _stored(fields["from_lake"], lake)
    else:
        fields = _retried(fields, lake) if "retry" in fields else _upload_fields(fields)
    upload_uri = fields.get("upload_uri")
    upload_uri = upload_uri if isinstance(upload_uri, str) else ""
    experiment_id = fields.get("experiment_id") or experiment_of(upload_uri)
    uploaded_at = _read_moment(fields.get("uploaded_at")) or moment_of(ended.start_date)
    return FailedIngest(upload_uri, _identifier(experiment_id), uploaded_at)


def _fields(text: str | None) -> dict[str, Any]:
    """The input's JSON object; empty for anything else."""
    try:
        return msgspec.json.decode(text or "", type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return {}


def _retried(fields: dict[str, Any], lake: str) -> dict[str, Any]:
    try:
        return plain(read_finished(lake, read_retry(fields)).request.run)
    except BadRequest:
        return {}


def _stored(experiment_id: object, lake: str) -> dict[str, Any]:
    known = isinstance(experiment_id, str) and _identifier(experiment_id) == experiment_id
    return {"experiment_id": experiment_id, "upload_uri": stored_uri(lake, str(experiment_id))} if known else {}


def _upload_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The upload's fields of an event of S3; other input, which may be at fault, as it is."""
    if "detail-type" not in fields:
        return fields
    try:
        return plain(read_given(fields))
    except BadRequest:
        return {}


def _identifier(value: object) -> str:
    try:
        return check_identifier("experiment_id", value) if isinstance(value, str) else UNKNOWN_EXPERIMENT
    except BadRequest:
        return UNKNOWN_EXPERIMENT


def _read_moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def moment_of(milliseconds: int) -> datetime:
    """A time of an event, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
