"""The step Classify: the records, or the orphan images, of one batch become one part of the table `predictions`."""

import functools
from collections.abc import Callable
from math import inf
from typing import Any

from pixlake.concurrency import Admit
from pixlake.errors import BadBundle
from pixlake.images.processes import shared_processes
from pixlake.inference.batches import SESSION_THREADS, infer_rows, write_answer
from pixlake.inference.encoded import Encoded, ImageSource
from pixlake.inference.limits import limits_of
from pixlake.inference.loaded import load_classifier, loaded_bytes
from pixlake.inference.memory import divide
from pixlake.inference.pace import Pace
from pixlake.inference.subjects import Model, Predicted, predict_group, prepare_example
from pixlake.messages import BatchAnswer, BatchRequest
from pixlake.rejects import Reject
from pixlake.schemas import PREDICTIONS
from pixlake.settings import InferenceSettings

Load = Callable[[str, str], Model[Any, Any]]
"""A model by the lake's URI and its name."""


def classify(
    request: BatchRequest, settings: InferenceSettings, load: Load | None = None, seconds: float = inf
) -> BatchAnswer:
    """Predict each record or image of one batch; what cannot be predicted becomes a reject. `load` loads a bundle of
    graphs unless it is given.

    Those for which the `seconds` do not last, but for the first group, are left to the answer's `rest`. Raises
    BadBundle for a model that is not as asked for, and MissingObject for an image that the lake has lost.
    """
    if request.batch.modality != "tabular":
        shared_processes().start()
    load = load or functools.partial(load_classifier, threads=SESSION_THREADS, limits=limits_of(settings))
    model = load(settings.lake_uri, request.batch.model)
    if not model.answers(request.batch.modality):
        raise BadBundle(f"{model.model} cannot predict the modality {request.batch.modality!r}")
    shares = divide(settings, loaded_bytes())
    source = ImageSource(settings, shares)
    predicted: list[Predicted] = []
    rejected: list[Reject] = []
    read = functools.partial(_read, limit=model.most_images, source=source)
    prepare = functools.partial(prepare_example, model=model, source=source)
    predict = functools.partial(predict_group, model=model)
    pace = Pace(min(seconds, settings.work_seconds))
    groups = infer_rows(
        request,
        settings,
        shares,
        read,
        prepare,
        predict,
        pace,
        example_bytes=model.example_bytes,
        at_once=model.at_once,
    )
    for group in groups:
        rejected += [each for each in group if isinstance(each, Reject)]
        predicted += [each for each in group if not isinstance(each, Reject)]
    return write_answer(
        request, settings.lake_uri, PREDICTIONS, _columns(predicted, request.batch.modality), rejected, pace.rows
    )


def _read(row: dict[str, Any], admit: Admit, *, limit: int, source: ImageSource) -> list[Encoded]:
    """As many of a record's images as the model takes."""
    return source.read_ahead(row["image_uris"][:limit], admit)


def _columns(predicted: list[Predicted], modality: str) -> dict[str, Any]:
    subjects, predictions = [subject for subject, _ in predicted], [prediction for _, prediction in predicted]
    times = [each.uploaded_at for each in subjects]
    return {
        **({} if None in times else {"uploaded_at": times}),
        "record_id": [each.record_id for each in subjects],
        "image_path": [each.image_path for each in subjects],
        "modality": [modality if each.by_image else "tabular" for each in subjects],
        "label": [each.label for each in predictions],
        "score": [each.score for each in predictions],
        "probabilities": [each.probabilities and list(each.probabilities.items()) for each in predictions],
        "value": [each.value for each in predictions],
    }
