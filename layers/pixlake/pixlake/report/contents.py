"""The content of a successful execution's page, read from the parts under `work/`."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from pixlake.messages import ReportRequest, SplitAnswer
from pixlake.report import plots
from pixlake.report.agreement import Agreement, compare_labels
from pixlake.report.gather import MAX_PARTS, Listing, read_columns, spread
from pixlake.report.page import Plot
from pixlake.report.sheet import Tile, choose_pictures, least_certain, make_tiles, predictions_of
from pixlake.report.tallies import PredictionTally, SizeTally
from pixlake.report.unjoined import Unjoined, read_unjoined

_PREDICTION = ("record_id", "image_path", "label", "score", "value", "modality")
_IMAGE = ("image_path", "image_uri", "record_id")


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


def read_tiles(listing: Listing) -> tuple[list[Tile], list[Tile]]:
    """The sample and the least certain predictions, with their pictures."""
    uncertain = least_certain(_predictions(listing))
    sample, named = choose_pictures(_images(listing), {prediction.key for prediction in uncertain})
    captions = predictions_of({picture.key for picture in sample}, _predictions(listing))
    captions |= {prediction.key: prediction for prediction in uncertain}
    doubtful = [named[prediction.key] for prediction in uncertain if prediction.key in named]
    tiles = make_tiles([*sample, *doubtful], captions)
    return tiles[: len(sample)], tiles[len(sample) :]


def read_agreement(request: ReportRequest, listing: Listing) -> Agreement | None:
    column = request.plan.options.label_column
    if column is None or not listing.under("parts/predictions/"):
        return None
    records = read_columns(spread(listing.under("parts/records/")), ("record_id", "attributes"))
    return compare_labels(column, request.compact.records, _predictions(listing), records)


def read_apart(split: SplitAnswer, with_image: int | None, listing: Listing) -> Unjoined:
    """What of images and records has nothing of the other, where there are both."""
    both = split.images > 0 and split.records > 0
    records = listing.under("parts/records/") if both and (with_image is None or with_image < split.records) else []
    return read_unjoined(
        _images(listing) if both and split.orphans else (), read_columns(spread(records), ("record_id", "has_image"))
    )


def read_sizes(listing: Listing) -> SizeTally:
    sizes = SizeTally()
    for batch in read_columns(spread(listing.under("parts/embeddings/")), ("width", "height")):
        sizes.add(batch)
    return sizes


def draw_plots(listing: Listing, sizes: SizeTally) -> list[Plot]:
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
