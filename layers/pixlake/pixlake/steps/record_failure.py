"""RecordFailure: an execution that did not succeed gets its page, its row and its reject, whatever its input was."""

import pyarrow as pa
from pyiceberg.catalog import Catalog

from pixlake import schemas, storage
from pixlake.errors import PixlakeError
from pixlake.iceberg.catalog import commit_rows, open_catalog
from pixlake.iceberg.executions import Ending, commit_ending, find_later
from pixlake.lake import Work, report_uri
from pixlake.messages import TOTALS, Ended, FailureAnswer, FailureRequest, StateError
from pixlake.report.causes import Cause, explain
from pixlake.report.gather import count_shards, list_work
from pixlake.report.ingests import FailedIngest, moment_of, read_ingest
from pixlake.report.page import FailurePage, render_failure
from pixlake.settings import ReportSettings

_MAX_DETAIL = 2_000  # characters; a stack trace is on the page


def record_failure(request: FailureRequest, settings: ReportSettings) -> FailureAnswer:
    """Write the page, then a row of `executions` and one of `rejects`; a second run writes the same.

    Nothing is written where the execution ended again since, as a redrive lets it. The page comes first: where the
    catalog is what fails, it still says why.
    """
    ended = request.detail
    ingest, cause = read_ingest(ended, settings.lake_uri), _find_cause(ended, settings)
    uri = report_uri(settings.lake_uri, ended.name)
    page = render_failure(_page(ended, ingest, cause)).encode()
    try:
        catalog = open_catalog(settings.lake_uri, settings.catalog_uri)
        status = find_later(catalog, ended.name, moment_of(ended.stop_date))
    except PixlakeError:
        _write(uri, page)
        raise
    if status is None:
        _write(uri, page)
        commit_ending(catalog, _ending(ended, ingest))
        _commit_reject(catalog, ended, ingest, cause)
    return FailureAnswer(ended.name, status or ended.status, cause.error, cause.message[:_MAX_DETAIL], uri)


def _write(uri: str, page: bytes) -> None:
    storage.write(uri, page, "text/html; charset=utf-8")


def _find_cause(ended: Ended, settings: ReportSettings) -> Cause:
    work = Work(settings.lake_uri, ended.name)
    listing = list_work(work)
    # an abort has a status, and only perhaps an error
    error = StateError(ended.error or ended.status, ended.cause or "")
    return explain(error, listing, count_shards(work, listing))


def _page(ended: Ended, ingest: FailedIngest, cause: Cause) -> FailurePage:
    return FailurePage(
        execution_id=ended.name,
        experiment_id=ingest.experiment_id,
        upload_uri=ingest.upload_uri,
        started_at=moment_of(ended.start_date),
        ended_at=moment_of(ended.stop_date),
        cause=cause,
    )


def _ending(ended: Ended, ingest: FailedIngest) -> Ending:
    """Of its own rows the reject alone is sure to be in the tables; of the rest nothing is promised."""
    return Ending(
        execution_id=ended.name,
        experiment_id=ingest.experiment_id,
        upload_uri=ingest.upload_uri,
        status=ended.status,
        started_at=moment_of(ended.start_date),
        finished_at=moment_of(ended.stop_date),
        totals=dict.fromkeys(TOTALS, 0) | {"rejected": 1},
        models={},
    )


def _commit_reject(catalog: Catalog, ended: Ended, ingest: FailedIngest, cause: Cause) -> None:
    row = {
        "experiment_id": ingest.experiment_id,
        "source": ingest.upload_uri,
        "stage": cause.step.lower(),
        "reason": cause.reason,
        "detail": cause.message[:_MAX_DETAIL],
        "uploaded_at": ingest.uploaded_at,
        "processed_at": moment_of(ended.start_date),
    }
    rows = pa.Table.from_pylist([row], schema=schemas.REJECTS.columns)
    commit_rows(catalog, schemas.REJECTS.name, rows, f"{ended.name} {ended.status} {ended.stop_date}")
