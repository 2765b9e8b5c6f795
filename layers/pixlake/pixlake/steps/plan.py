"""The state Plan: what an upload holds, refused or cut into work. Nothing is written before the whole of it is judged.

Runs where only the standard library, obstore and msgspec are at hand, and in memory that the upload's size does not
change.
"""

from datetime import UTC, datetime

from msgspec.structs import replace

from pixlake.errors import BadRequest, BadUpload
from pixlake.lake import Work, check_identifier, experiment_of, is_gathered, make_upload_id, stored_uri
from pixlake.messages import (
    Classifiers,
    FromLakeRequest,
    Ingest,
    ItemList,
    Options,
    PlanAnswer,
    PlanRequest,
    RetryRequest,
    Run,
)
from pixlake.options import merge_options
from pixlake.retries import read_finished
from pixlake.settings import PlanSettings
from pixlake.zips.inventory import EMPTY, Inventory, open_inventory
from pixlake.zips.outputs import read_options, write_no_shards, write_rejects, write_shards, write_tables
from pixlake.zips.sources import open_source


def plan(request: PlanRequest | RetryRequest | FromLakeRequest, settings: PlanSettings) -> PlanAnswer:
    """Plan one upload: its tables go to `Work.tables`, its images into shards, what is left out to `Work.rejects`.

    Of a retry there is nothing to plan: the earlier execution's run and options, without shards; nor of images that are
    in the lake. Raises BadUpload where the upload is refused, BadRequest where the request does not say what it must.
    """
    if isinstance(request, FromLakeRequest):
        return _plan_from_lake(request, settings)
    if isinstance(request, RetryRequest):
        return _plan_retry(request, settings)
    ingest = request.ingest
    experiment_id = _experiment_id(ingest)
    check_identifier("execution_id", request.execution_id)
    source = open_source(ingest.upload_uri, ingest.upload_version)
    with open_inventory() as inventory:
        inventory.fill(source.entries(), settings)
        run = Run(
            execution_id=request.execution_id,
            experiment_id=experiment_id,
            upload_uri=ingest.upload_uri,
            upload_id=make_upload_id(experiment_id, inventory.fingerprint),
            uploaded_at=_utc("uploaded_at", ingest.uploaded_at or source.modified.isoformat()),
            started_at=_utc("started_at", request.started_at),
            upload_version=source.version.id,
            upload_etag=source.version.etag,
        )
        found = read_options(ingest.upload_uri, inventory.options(), source.version)
        options = merge_options(ingest.options, found, settings)
        if is_gathered(ingest.upload_uri):
            # what a few events gathered is no complete upload
            options = replace(options, complete=None)
        return _write(run, options, inventory, settings)


def _plan_retry(request: RetryRequest, settings: PlanSettings) -> PlanAnswer:
    check_identifier("execution_id", request.execution_id)
    earlier = read_finished(settings.lake_uri, request.retry).request
    run = replace(
        earlier.run,
        execution_id=request.execution_id,
        started_at=_utc("started_at", request.started_at),
        retry_of=request.retry,
    )
    # the rows of a few batches are no complete upload
    options = replace(earlier.options, complete=None)
    work = Work(settings.lake_uri, run.execution_id)
    write_no_shards(work)
    return PlanAnswer(run, options, ItemList(work.key(work.shards), 0), images=0, tables=0, rejected=0)


def _plan_from_lake(request: FromLakeRequest, settings: PlanSettings) -> PlanAnswer:
    """The models are those asked for, and none of the stack's."""
    experiment_id = check_identifier("from_lake", request.from_lake)
    check_identifier("execution_id", request.execution_id)
    options = merge_options(request.options, Options(), PlanSettings(settings.lake_uri))
    taken = Options(embedder=options.embedder, classifier=Classifiers(orphan=options.classifier.orphan))
    if taken == Options() or options != taken:
        raise BadRequest(
            "from_lake takes the options embedder and classifier.orphan, one of them at least: the images of the lake"
            " are embedded, and those without a record classified; records are predicted when they are uploaded"
        )
    started_at = _utc("started_at", request.started_at)
    run = Run(
        execution_id=request.execution_id,
        experiment_id=experiment_id,
        upload_uri=stored_uri(settings.lake_uri, experiment_id),
        upload_id=make_upload_id(experiment_id, f"from the lake by {request.execution_id}"),
        uploaded_at=started_at,
        started_at=started_at,
        from_lake=True,
    )
    work = Work(settings.lake_uri, run.execution_id)
    write_no_shards(work)
    return PlanAnswer(run, options, ItemList(work.key(work.shards), 0), images=0, tables=0, rejected=0)


def _write(run: Run, options: Options, inventory: Inventory, settings: PlanSettings) -> PlanAnswer:
    if not _holds_anything(inventory) and not is_gathered(run.upload_uri):
        raise BadUpload("empty_upload", f"{run.upload_uri} holds no image and no table")
    work = Work(settings.lake_uri, run.execution_id)
    tables = write_tables(run, work, inventory)
    rejected = write_rejects(work, inventory)
    cutter = write_shards(run, work, inventory, settings)
    return PlanAnswer(
        run=run,
        options=options,
        shards=ItemList(work.key(work.shards), len(cutter.shards)),
        images=cutter.members,
        tables=tables,
        rejected=rejected,
    )


def _holds_anything(inventory: Inventory) -> bool:
    """An image or a table; an image without bytes is one, for it is to be a row of `rejects`."""
    found = next(inventory.images(), None) or next(inventory.tables(), None)
    return found is not None or any(reject.reason == EMPTY for reject in inventory.rejects())


def _experiment_id(ingest: Ingest) -> str:
    if ingest.experiment_id is not None:
        return check_identifier("experiment_id", ingest.experiment_id)
    found = experiment_of(ingest.upload_uri)
    if not found:
        raise BadRequest(f"{ingest.upload_uri}: give an experiment_id, or upload to uploads/<experiment_id>/")
    return check_identifier("experiment_id", found)


def _utc(field: str, time: str) -> str:
    """ISO 8601 in UTC with microseconds; a time without a zone is taken as UTC."""
    try:
        parsed = datetime.fromisoformat(time)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{field} {time!r} is not an ISO 8601 time") from error
