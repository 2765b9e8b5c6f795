"""The step RecordFailure: a failed execution gets its page, its row and its reject, whatever its input looked like."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog

from pixlake import schemas, storage
from pixlake.catalog import commit_rows, open_catalog
from pixlake.errors import BadRequest
from pixlake.failures import MAP_FAILED, read_note
from pixlake.lake import Work, check_identifier, report_uri
from pixlake.messages import FailureAnswer, FailureRequest, StateError
from pixlake.report.causes import Cause, explain
from pixlake.report.gather import Listing, count_shards, list_work
from pixlake.report.page import FailurePage, render_failure
from pixlake.settings import ReportSettings

# No experiment can have this name, for one starts with a letter or a digit.
UNKNOWN_EXPERIMENT = "_unknown"
_IN_UPLOADS = re.compile(r"/uploads/([^/]+)/")
_MAX_DETAIL = 2_000  # characters; a stack trace is on the page


@dataclass(frozen=True)
class _Ingest:
    """What can be read of an input that may be what is wrong."""

    upload_uri: str
    experiment_id: str
    uploaded_at: datetime


def record_failure(request: FailureRequest, settings: ReportSettings) -> FailureAnswer:
    """Write the page, then a row of `executions` and one of `rejects`; a second run writes the same rows.

    The page comes first: where the catalog is what fails, it still says why.
    """
    ingest = _read_ingest(request)
    cause = _find_cause(request, settings)
    uri = report_uri(settings.lake_uri, request.execution_id)
    storage.write(uri, render_failure(_page(request, ingest, cause)).encode(), "text/html; charset=utf-8")
    catalog = open_catalog(settings.lake_uri, settings.catalog_uri)
    _commit_execution(catalog, request, ingest)
    _commit_reject(catalog, request, ingest, cause)
    return FailureAnswer(request.execution_id, "FAILED", cause.error, cause.message[:_MAX_DETAIL], uri)


def _read_ingest(request: FailureRequest) -> _Ingest:
    fields: dict[str, Any] = request.ingest if isinstance(request.ingest, dict) else {}
    upload_uri = fields.get("upload_uri")
    upload_uri = upload_uri if isinstance(upload_uri, str) else ""
    in_uploads = _IN_UPLOADS.search(upload_uri)
    experiment_id = fields.get("experiment_id") or (in_uploads[1] if in_uploads else None)
    return _Ingest(upload_uri, _identifier(experiment_id), _moment(fields.get("uploaded_at")) or _started_at(request))


def _identifier(value: object) -> str:
    try:
        return check_identifier("experiment_id", value) if isinstance(value, str) else UNKNOWN_EXPERIMENT
    except BadRequest:
        return UNKNOWN_EXPERIMENT


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _started_at(request: FailureRequest) -> datetime:
    """Set by the state machine, so it is there; the beginning of time would say that it was not."""
    return _moment(request.started_at) or datetime.fromtimestamp(0, UTC)


def _find_cause(request: FailureRequest, settings: ReportSettings) -> Cause:
    work = Work(settings.lake_uri, request.execution_id)
    listing = list_work(work)
    return explain(_behind(request.error, listing), listing, count_shards(work, listing))


def _behind(error: StateError, listing: Listing) -> StateError:
    """A Map that failed says nothing of why; the first of its children that left a note does."""
    notes = listing.under("failures/")
    return read_note(notes[0].uri) if error.error == MAP_FAILED and notes else error


def _page(request: FailureRequest, ingest: _Ingest, cause: Cause) -> FailurePage:
    return FailurePage(
        execution_id=request.execution_id,
        experiment_id=ingest.experiment_id,
        upload_uri=ingest.upload_uri,
        started_at=_started_at(request),
        recorded_at=datetime.now(UTC),
        cause=cause,
    )


def _commit_execution(catalog: Catalog, request: FailureRequest, ingest: _Ingest) -> None:
    """Nothing counts, for nothing of a failed execution is promised to be in the tables."""
    row = {
        "execution_id": request.execution_id,
        "experiment_id": ingest.experiment_id,
        "upload_uri": ingest.upload_uri,
        "status": "FAILED",
        "started_at": _started_at(request),
        "finished_at": datetime.now(UTC),
        "models": {},
    } | dict.fromkeys(("images", "records", "embedded", "predicted", "rejected"), 0)
    _commit(catalog, schemas.EXECUTIONS, request, row)


def _commit_reject(catalog: Catalog, request: FailureRequest, ingest: _Ingest, cause: Cause) -> None:
    row = {
        "experiment_id": ingest.experiment_id,
        "source": ingest.upload_uri,
        "stage": cause.step.lower(),
        "reason": cause.reason,
        "detail": cause.message[:_MAX_DETAIL],
        "uploaded_at": ingest.uploaded_at,
        "processed_at": _started_at(request),
    }
    _commit(catalog, schemas.REJECTS, request, row)


def _commit(catalog: Catalog, table: schemas.TableSchema, request: FailureRequest, row: dict[str, object]) -> None:
    rows = pa.Table.from_pylist([row], schema=table.columns)
    commit_rows(catalog, table.name, rows, f"failure-{request.execution_id}")
