"""The step Classify: the records, or the orphan images, of one batch become one part of the table `predictions`.

A record whose images cannot be decoded is predicted without them where the model takes that, else it is a reject:
either way it is answered.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pixlake import storage
from pixlake.errors import BadBundle, BadImage
from pixlake.inference.batches import SESSION_THREADS, infer_rows, write_answer
from pixlake.inference.classifier import Prediction
from pixlake.inference.loaded import load_classifier
from pixlake.messages import BatchAnswer, BatchRequest
from pixlake.rejects import Reject, Stage
from pixlake.schemas import PREDICTIONS
from pixlake.settings import InferenceSettings

ImageT = TypeVar("ImageT")
ExampleT = TypeVar("ExampleT")


class Model(Protocol[ImageT, ExampleT]):
    """What predicts: a graph (`classifier.Classifier`), or AutoGluon (`predictor.Predictor`).

    `ExampleT` is one example. `at_once` says that it wants a batch whole.
    """

    model: str
    at_once: bool

    @property
    def most_images(self) -> int: ...

    @property
    def needs_image(self) -> bool: ...

    def answers(self, modality: str) -> bool: ...

    def prepare_image(self, data: bytes, max_pixels: int) -> ImageT: ...

    def make_example(self, attributes: Mapping[str, str | None], images: Sequence[ImageT]) -> ExampleT: ...

    def predict(self, examples: Sequence[ExampleT]) -> list[Prediction | None]: ...


Load = Callable[[str, str], Model[Any, Any]]
"""A model by the lake's URI and its name."""


@dataclass(frozen=True)
class _Subject:
    """What is predicted: a record, or an image that no record names."""

    record_id: str | None
    image_path: str | None

    @property
    def name(self) -> str:
        """What a reject calls it."""
        return self.record_id or self.image_path or ""


@dataclass(frozen=True)
class _Prepared(Generic[ExampleT]):
    """`example` is None where the model cannot answer without an image."""

    subject: _Subject
    example: ExampleT | None
    rejected: tuple[Reject, ...] = ()


_Predicted = tuple[_Subject, Prediction]


def load_graphs(lake_uri: str, model: str) -> Model[Any, Any]:
    """A bundle of graphs."""
    return load_classifier(lake_uri, model, SESSION_THREADS)


def classify(request: BatchRequest, settings: InferenceSettings, load: Load = load_graphs) -> BatchAnswer:
    """Predict each record or image of one batch; what cannot be predicted becomes a reject.

    Raises BadBundle for a model that is not as asked for, and MissingObject for an image that the lake has lost.
    """
    model = load(settings.lake_uri, request.batch.model)
    if not model.answers(request.batch.modality):
        raise BadBundle(f"{model.model} cannot predict the modality {request.batch.modality!r}")
    predicted: list[_Predicted] = []
    rejected: list[Reject] = []
    read = functools.partial(_read, limit=model.most_images)
    prepare = functools.partial(_prepare, model=model, max_pixels=settings.max_pixels)
    predict = functools.partial(_predict, model=model)
    for group in infer_rows(request, settings, read, prepare, predict, at_once=model.at_once):
        rejected += [each for each in group if isinstance(each, Reject)]
        predicted += [each for each in group if not isinstance(each, Reject)]
    return write_answer(request, settings.lake_uri, PREDICTIONS, _columns(predicted), rejected)


def _read(row: dict[str, Any], *, limit: int) -> list[bytes]:
    """As many of a record's images as the model takes."""
    return [storage.read(uri) for uri in row["image_uris"][:limit]]


def _prepare(
    row: dict[str, Any], read: list[bytes], *, model: Model[ImageT, ExampleT], max_pixels: int
) -> _Prepared[ExampleT]:
    """One record, its images decoded and preprocessed."""
    record_id, paths = row["record_id"], row["image_paths"]
    subject = _Subject(record_id, None if record_id is not None else paths[0])
    images, rejected = _images(row, read, model, max_pixels)
    if not images and model.needs_image:
        if record_id is not None:
            detail = f"{model.model} needs an image, and none of the record's {len(paths)} can be used"
            rejected.append(_reject(record_id, "missing_image", detail))
        return _Prepared(subject, None, tuple(rejected))
    return _Prepared(subject, model.make_example(dict(row["attributes"]), images), tuple(rejected))


def _images(
    row: dict[str, Any], read: list[bytes], model: Model[ImageT, ExampleT], max_pixels: int
) -> tuple[list[ImageT], list[Reject]]:
    """The first images that can be used, as many as the model takes; a later one stands in for a broken one."""
    images: list[ImageT] = []
    rejected: list[Reject] = []
    for index, (path, uri) in enumerate(zip(row["image_paths"], row["image_uris"], strict=True)):
        if len(images) == model.most_images:
            break
        try:
            images.append(model.prepare_image(read[index] if index < len(read) else storage.read(uri), max_pixels))
        except BadImage as error:
            rejected.append(_reject(path, error.reason, error.detail))
    return images, rejected


def _predict(group: list[_Prepared[ExampleT]], *, model: Model[ImageT, ExampleT]) -> list[_Predicted | Reject]:
    outcomes: list[_Predicted | Reject] = [reject for each in group for reject in each.rejected]
    possible = [(each.subject, each.example) for each in group if each.example is not None]
    predictions = model.predict([example for _, example in possible])
    for (subject, _), prediction in zip(possible, predictions, strict=True):
        if prediction is None:
            outcomes.append(_reject(subject.name, "bad_prediction", f"{model.model} answered with no number"))
        else:
            outcomes.append((subject, prediction))
    return outcomes


def _reject(source: str, reason: str, detail: str) -> Reject:
    return Reject(source=source, stage=Stage.CLASSIFY, reason=reason, detail=detail)


def _columns(predicted: list[_Predicted]) -> dict[str, Any]:
    subjects, predictions = [subject for subject, _ in predicted], [prediction for _, prediction in predicted]
    return {
        "record_id": [each.record_id for each in subjects],
        "image_path": [each.image_path for each in subjects],
        "label": [each.label for each in predictions],
        "score": [each.score for each in predictions],
        "probabilities": [each.probabilities and list(each.probabilities.items()) for each in predictions],
        "value": [each.value for each in predictions],
    }
