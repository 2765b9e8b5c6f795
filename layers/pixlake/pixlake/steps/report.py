"""The step Report: the execution's row of `executions`, and one page that shows what it did, from the parts under
`work/`."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pyarrow as pa

from pixlake import storage
from pixlake.bundles.demo import is_sample, write_notice
from pixlake.iceberg.catalog import open_catalog
from pixlake.lake import Work, report_uri
from pixlake.messages import TOTALS, ReportAnswer, ReportRequest
from pixlake.report import plots
from pixlake.report.agreement import Agreement, compare_labels
from pixlake.report.endings import Ending, commit_ending
from pixlake.report.gather import MAX_PARTS, Listing, list_work, read_columns, read_rejects, spread
from pixlake.report.page import Page, Plot, render_page
from pixlake.report.sheet import Tile, choose_pictures, least_certain, make_tiles, predictions_of
from pixlake.report.tallies import PredictionTally, SizeTally, group_rejects
from pixlake.report.timings import time_steps
from pixlake.settings import ReportSettings

_PREDICTION = ("record_id", "image_path", "label", "score", "value", "modality")
_IMAGE = ("image_path", "image_uri", "record_id")


def report(request: ReportRequest, settings: ReportSettings) -> ReportAnswer:
    """Commit the execution's row, write its page and answer its totals.

    A second run writes the same row and page in the same places, but for the moment that they say. The row comes first:
    a failure that is recorded late, after a redrive, finds it, and leaves the page alone.
    """
    run, compact = request.run, request.compact
    written_at = datetime.now(UTC)
    listing = list_work(Work(settings.lake_uri, run.execution_id))
    sample, uncertain = _tiles(listing)
    sizes = _sizes(listing)
    notice = _notice(request)
    page = Page(
        run=run,
        plan=request.plan,
        split=request.split,
        compact=compact,
        steps=time_steps(listing, datetime.fromisoformat(run.started_at), written_at),
        plots=_plots(listing, sizes),
        sizes=sizes,
        agreement=_agreement(request, listing),
        sample=sample,
        least_certain=uncertain,
        rejects=group_rejects(read_rejects(listing)),
        written_at=written_at,
        notice=notice,
    )
    commit_ending(open_catalog(settings.lake_uri, settings.catalog_uri), _ending(request))
    uri = report_uri(settings.lake_uri, run.execution_id)
    storage.write(uri, render_page(page).encode(), "text/html; charset=utf-8")
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
        notice=notice,
    )


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


def _predictions(listing: Listing) -> Iterator[pa.RecordBatch]:
    return read_columns(spread(listing.under("parts/predictions/")), _PREDICTION)


def _images(listing: Listing) -> Iterator[pa.RecordBatch]:
    """The images that could be decoded; without an embedder, those that were to be classified."""
    embeddings = listing.under("parts/embeddings/")
    if embeddings:
        return read_columns(spread(embeddings), _IMAGE)
    batches = spread(listing.under("batches/"))
    return map(_flatten, read_columns(batches, ("record_id", "image_paths", "image_uris")))


def _flatten(batch: pa.RecordBatch) -> pa.RecordBatch:
    """One row an image, from a batch to classify."""
    paths = batch.column("image_paths")
    record_ids = batch.column("record_id").take(paths.value_parent_indices())
    columns = [paths.flatten(), batch.column("image_uris").flatten(), record_ids]
    return pa.RecordBatch.from_arrays(columns, list(_IMAGE))


def _tiles(listing: Listing) -> tuple[list[Tile], list[Tile]]:
    """The sample and the least certain predictions, with their pictures."""
    uncertain = least_certain(_predictions(listing))
    sample, named = choose_pictures(_images(listing), {prediction.key for prediction in uncertain})
    captions = predictions_of({picture.key for picture in sample}, _predictions(listing))
    captions |= {prediction.key: prediction for prediction in uncertain}
    doubtful = [named[prediction.key] for prediction in uncertain if prediction.key in named]
    tiles = make_tiles([*sample, *doubtful], captions)
    return tiles[: len(sample)], tiles[len(sample) :]


def _agreement(request: ReportRequest, listing: Listing) -> Agreement | None:
    column = request.plan.options.label_column
    if column is None or not listing.under("parts/predictions/"):
        return None
    records = read_columns(spread(listing.under("parts/records/")), ("record_id", "attributes"))
    return compare_labels(column, request.compact.records, _predictions(listing), records)


def _sizes(listing: Listing) -> SizeTally:
    sizes = SizeTally()
    for batch in read_columns(spread(listing.under("parts/embeddings/")), ("width", "height")):
        sizes.add(batch)
    return sizes


def _plots(listing: Listing, sizes: SizeTally) -> list[Plot]:
    predictions = PredictionTally()
    for batch in _predictions(listing):
        predictions.add(batch)
    return list(_drawn(predictions, sizes, _sampled(listing)))


def _drawn(predictions: PredictionTally, sizes: SizeTally, note: str) -> Iterable[Plot]:
    if predictions.labels:
        others = len(predictions.labels) - plots.TOP_LABELS
        more = f"And {others:,} other labels. " if others > 0 else ""
        yield Plot("Predicted labels", plots.plot_labels(predictions), more + note)
    if any(counts.any() for counts in predictions.scores.values()):
        yield Plot("Scores", plots.plot_scores(predictions), note)
    if predictions.values:
        yield Plot("Predicted values", plots.plot_values(predictions), note)
    if len(sizes.cells) > 1:
        yield Plot("Image sizes", plots.plot_sizes(sizes), note)


def _sampled(listing: Listing) -> str:
    most = max(len(listing.under(f"parts/{table}/")) for table in ("embeddings", "predictions"))
    return f"From {MAX_PARTS:,} of {most:,} parts, evenly spread." if most > MAX_PARTS else ""
