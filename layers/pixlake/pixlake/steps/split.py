"""The step Split: the upload's tables and images, joined by record id, become records and batches to infer."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from pixlake.bundles.available import explain_missing_columns, explain_unpredicted
from pixlake.bundles.roles import EMBEDDER, ORPHAN, WITH_IMAGE, WITHOUT_IMAGE, Model, resolve_models
from pixlake.errors import BadTable
from pixlake.experiments import read_experiment
from pixlake.lake import Work, is_gathered
from pixlake.matching.advice import advise
from pixlake.matching.extracted import read_images, with_stored
from pixlake.matching.join import Join, join
from pixlake.matching.joined import Joined
from pixlake.matching.keyed import Keyed
from pixlake.matching.outputs import (
    Group,
    Limits,
    write_batch_list,
    write_classify_batches,
    write_embed_batches,
    write_records,
    write_rejects,
)
from pixlake.matching.retried import write_retried
from pixlake.matching.stored import write_stored
from pixlake.messages import Batch, ItemList, SplitAnswer, SplitRequest
from pixlake.rejects import Reject
from pixlake.retries import read_finished
from pixlake.settings import SplitSettings
from pixlake.tables.parquetfile import ParquetTables
from pixlake.tables.union import UNREADABLE_TABLE, read_tables


def split(request: SplitRequest, settings: SplitSettings) -> SplitAnswer:
    """Join the upload's tables with its images; write records, rejects and batches below the execution's work.

    Of a retry, write as batches what the earlier execution lost; the rest of its answer holds. Of images that are in
    the lake, write those that the models have not answered yet. A table among loose objects is joined with the images
    that the experiment has, too; those are not embedded again.

    Raises BadTable if no table can be read (of a complete upload, if one cannot) or no id column be found, BadUpload
    where the experiment is keyed by another column, BadBundle for a model that cannot be used, and MissingObject where
    a shard of images is not there.
    """
    if request.run.retry_of is not None:
        return _split_retry(request, request.run.retry_of, settings)
    if request.run.from_lake:
        return _split_from_lake(request, settings)
    work = Work(settings.lake_uri, request.run.execution_id)
    models = resolve_models(settings.lake_uri, request.options, autogluon=bool(settings.autogluon_image))
    found, left_out = join_upload(request, settings)
    own = found.joined.own
    orphans = own & (found.joined.matches.record_of_image < 0)
    rejected = write_rejects(work, chain(left_out, found.rejects()))
    write_records(work, request.run, found.joined)
    batches = _write_batches(work, models, found.joined, _limits(settings))
    return SplitAnswer(
        batches=ItemList(work.key(work.batches), len(batches)),
        images=int(own.sum()),
        records=len(found.joined.ids),
        with_image=int((found.joined.matches.counts > 0).sum()),
        orphans=int(orphans.sum()),
        rejected=rejected,
        models={role: model.name for role, model in models.items()},
        id_column=found.id_column,
        id_column_why=found.id_column_why,
        demo=tuple(role for role, model in models.items() if model.demo),
        warnings=(*advise(found), *_missing_columns(models, found.joined)),
        unpredicted="" if any(map(_predicts, batches)) else explain_unpredicted(settings.lake_uri, models),
        guessed=found.doubtful,
        known=found.known,
    )


def join_upload(request: SplitRequest, settings: SplitSettings) -> tuple[Join, list[Reject]]:
    """The upload's tables joined with its images, and the tables that are left out; raises as `split`."""
    work = Work(settings.lake_uri, request.run.execution_id)
    images = read_images(work, request.shards.count)
    parquet = ParquetTables(settings.parquet_memory, settings.parquet_seconds)
    tables, left_out = read_tables(work, settings.table_memory, parquet)
    unreadable = [reject for reject in left_out if reject.reason == UNREADABLE_TABLE]
    if request.options.complete and unreadable:
        raise BadTable(f"{unreadable[0].detail}; the records of a complete upload would be gone from the lake")
    if tables.files and settings.catalog_uri and is_gathered(request.run.upload_uri):
        images = with_stored(images, _read_stored(request, settings))
    return join(images, tables, request.options, _keyed(request, settings)), left_out


def _read_stored(request: SplitRequest, settings: SplitSettings) -> pa.Table:
    # Iceberg takes half a second to import
    from pixlake.iceberg.stored import read_stored

    return read_stored(settings.lake_uri, settings.catalog_uri, request.run.experiment_id)


def _split_retry(request: SplitRequest, retry_of: str, settings: SplitSettings) -> SplitAnswer:
    finished = read_finished(settings.lake_uri, retry_of)
    work, earlier = Work(settings.lake_uri, request.run.execution_id), Work(settings.lake_uri, retry_of)
    batches = write_retried(work, earlier, finished, _limits(settings))
    write_batch_list(work, batches)
    nothing = f"{retry_of} lost nothing and rejected nothing that may pass now: there is nothing to run again"
    return replace(
        finished.request.split,
        batches=ItemList(work.key(work.batches), len(batches)),
        images=sum(batch.count for batch in batches if batch.task == "embed"),
        records=0,
        with_image=0,
        orphans=0,
        rejected=0,
        warnings=() if batches else (nothing,),
        unpredicted="",
    )


def _split_from_lake(request: SplitRequest, settings: SplitSettings) -> SplitAnswer:
    # Iceberg takes half a second to import
    from pixlake.iceberg.stored import find_unanswered

    work, experiment_id = Work(settings.lake_uri, request.run.execution_id), request.run.experiment_id
    models = resolve_models(settings.lake_uri, request.options, autogluon=bool(settings.autogluon_image))
    names = (models[role].name if role in models else None for role in (EMBEDDER, ORPHAN))
    left = find_unanswered(settings.lake_uri, settings.catalog_uri, experiment_id, *names)
    images = dict(zip((EMBEDDER, ORPHAN), left, strict=True))
    batches = write_stored(work, models, images, _limits(settings))
    write_batch_list(work, batches)
    named = ", ".join(model.name for model in models.values())
    nothing = f"{named}: every image of {experiment_id} that is in the lake has its answer: there is nothing to run"
    return SplitAnswer(
        batches=ItemList(work.key(work.batches), len(batches)),
        images=sum(batch.count for batch in batches if batch.task == "embed"),
        records=0,
        with_image=0,
        orphans=sum(batch.count for batch in batches if batch.task != "embed"),
        rejected=0,
        models={role: model.name for role, model in models.items()},
        id_column=None,
        id_column_why="",
        demo=tuple(role for role, model in models.items() if model.demo),
        warnings=() if batches else (nothing,),
    )


def _limits(settings: SplitSettings) -> Limits:
    return Limits(settings.batch_rows, settings.batch_bytes, settings.batch_seconds, settings.inference_memory)


def _missing_columns(models: dict[str, Model], joined: Joined) -> tuple[str, ...]:
    return tuple(explain_missing_columns(models, joined.columns.column_names)) if len(joined.ids) else ()


def _predicts(batch: Batch) -> bool:
    return batch.task != "embed"


def _keyed(request: SplitRequest, settings: SplitSettings) -> Keyed | None:
    experiment = read_experiment(settings.lake_uri, request.run.experiment_id)
    return Keyed(request.run.experiment_id, experiment) if experiment else None


def _write_batches(work: Work, models: dict[str, Model], joined: Joined, limits: Limits) -> list[Batch]:
    batches: list[Batch] = []
    if EMBEDDER in models:
        batches += write_embed_batches(work, models[EMBEDDER], joined, limits)
    batches += write_classify_batches(work, _groups(models, joined), joined, limits)
    write_batch_list(work, batches)
    return batches


def _groups(models: dict[str, Model], joined: Joined) -> Iterator[Group]:
    """What is classified by which model. A record with images whose model is not named is still predicted from the
    table, if there is a model for that: less is known then, but nothing is lost."""
    illustrated = joined.matches.counts > 0
    if WITH_IMAGE in models:
        yield Group("image+tabular", models[WITH_IMAGE], np.flatnonzero(illustrated))
    if WITHOUT_IMAGE in models:
        plain = ~illustrated if WITH_IMAGE in models else np.ones_like(illustrated)
        yield Group("tabular", models[WITHOUT_IMAGE], np.flatnonzero(plain))
    if ORPHAN in models:
        yield Group("image", models[ORPHAN], np.flatnonzero(joined.own & (joined.matches.record_of_image < 0)))
