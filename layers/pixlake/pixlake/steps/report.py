"""The step Report: the execution's row of `executions`, and one page that shows what it did, from the parts under
`work/`."""

from collections.abc import Iterator
from datetime import UTC, datetime

from pixlake import storage
from pixlake.bundles.demo import is_sample, write_notice
from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.executions import Ending, commit_ending
from pixlake.lake import Work, report_uri
from pixlake.messages import TOTALS, Effect, ReportAnswer, ReportRequest
from pixlake.report.contents import draw_plots, read_agreement, read_apart, read_sizes, read_tiles
from pixlake.report.gather import list_work, read_rejects
from pixlake.report.next_steps import write_changes_query, write_rejects_query, write_rows_query, write_serve_command
from pixlake.report.page import Page, render_page
from pixlake.report.tallies import count_reasons, group_rejects
from pixlake.report.timings import time_steps
from pixlake.report.unread import UnreadTables
from pixlake.schemas import EMBEDDINGS, RECORDS
from pixlake.settings import ReportSettings


def report(request: ReportRequest, settings: ReportSettings) -> ReportAnswer:
    """Commit the execution's row, write its page and answer its totals.

    A second run writes the same row and page in the same places, but for the moment that they say. The row comes first:
    a failure that is recorded late, after a redrive, finds it, and leaves the page alone.
    """
    run = request.run
    written_at = datetime.now(UTC)
    listing = list_work(Work(settings.lake_uri, run.execution_id))
    sample, uncertain = read_tiles(listing)
    sizes = read_sizes(listing)
    catalog = open_catalog(settings.lake_uri, settings.catalog_uri)
    unread = UnreadTables()
    rejects = group_rejects(unread.watch(read_rejects(listing)))
    page = Page(
        run=run,
        plan=request.plan,
        split=request.split,
        compact=request.compact,
        steps=time_steps(listing, datetime.fromisoformat(run.started_at), written_at),
        plots=draw_plots(listing, sizes),
        sizes=sizes,
        agreement=read_agreement(request, listing),
        sample=sample,
        least_certain=uncertain,
        rejects=rejects,
        unjoined=read_apart(request.split, request.compact.with_image, listing),
        rows_query=write_rows_query(run, request.split, catalog.name),
        rejects_query=write_rejects_query(run, catalog.name),
        changes_query=write_changes_query(run, request.compact, written_at, catalog.name),
        serve_command=write_serve_command(settings.lake_uri),
        warnings=(*unread.warnings(), *_replaced(request), *_strangers(request), *request.split.warnings),
        unpredicted=_unpredicted(request),
        written_at=written_at,
        notice=_notice(request),
        device=settings.device,
    )
    commit_ending(catalog, _ending(request))
    uri = report_uri(settings.lake_uri, run.execution_id)
    storage.write(uri, render_page(page).encode(), "text/html; charset=utf-8")
    return _answer(request, uri, page)


def _answer(request: ReportRequest, uri: str, page: Page) -> ReportAnswer:
    run, compact = request.run, request.compact
    return ReportAnswer(
        execution=run.execution_id,
        status="SUCCEEDED",
        experiment_id=run.experiment_id,
        images=compact.images,
        records=compact.records,
        embedded=compact.embedded,
        predicted=compact.predicted,
        rejected=compact.rejected,
        report_uri=uri,
        notice=page.notice,
        warnings=page.warnings,
        unpredicted=page.unpredicted,
        reasons=count_reasons(page.rejects),
        effects=compact.effects,
        uploaded_at=run.uploaded_at,
    )


def _replaced(request: ReportRequest) -> Iterator[str]:
    """A warning where records are replaced by what may be other things: by a guessed key, with new images."""
    split, nothing = request.split, Effect()
    replaced = request.compact.effects.get(RECORDS.name, nothing).replaced
    images = request.compact.effects.get(EMBEDDINGS.name, nothing).new
    if split.guessed and replaced and images:
        yield (
            f"{replaced:,} of {split.records:,} records replaced older ones of the same {split.id_column!r}, which"
            f" looks like no key, and {images:,} images are new. If these are other things, the older ones are gone"
            " from the tables: upload both to another experiment with id_column set"
        )


def _strangers(request: ReportRequest) -> Iterator[str]:
    """A warning where a table without images meets no record of the experiment: a correction would."""
    split, records = request.split, request.compact.effects.get(RECORDS.name, Effect())
    if split.known and not split.images and records.given and records.new == records.given:
        yield (
            f"None of the {records.new:,} records was in the experiment before. If they correct some that were, their"
            f" ids in {split.id_column!r} are written otherwise, as 17 is for 00017: both are in the tables now"
        )


def _unpredicted(request: ReportRequest) -> str:
    return "" if request.compact.predicted else request.split.unpredicted


def _notice(request: ReportRequest) -> str:
    run, split = request.run, request.split
    demo = {role: split.models[role] for role in split.demo}
    return write_notice(demo, on_sample=is_sample(run.experiment_id, run.upload_id))


def _ending(request: ReportRequest) -> Ending:
    run = request.run
    return Ending(
        execution_id=run.execution_id,
        experiment_id=run.experiment_id,
        upload_uri=run.upload_uri,
        status="SUCCEEDED",
        started_at=datetime.fromisoformat(run.started_at),
        finished_at=datetime.now(UTC),
        totals={name: getattr(request.compact, name) for name in TOTALS},
        models=request.split.models,
    )
