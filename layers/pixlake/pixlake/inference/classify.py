"""The step Classify: the records, or the orphan images, of one batch become one part of the table `predictions`.

A record whose images cannot be decoded is predicted without them where the model takes that, else it is a reject:
either way it is answered.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixlake import storage
from pixlake.errors import BadBundle, BadImage
from pixlake.inference.batches import SESSION_THREADS, infer_rows, write_answer
from pixlake.inference.bundles import load_classifier
from pixlake.inference.classifier import Classifier, Prediction
from pixlake.inference.encoders import Example
from pixlake.inference.manifest import ImageInput
from pixlake.inference.preprocessing import decode_for, tensor
from pixlake.messages import BatchAnswer, BatchRequest
from pixlake.rejects import Reject, Stage
from pixlake.schemas import PREDICTIONS
from pixlake.settings import InferenceSettings

_KINDS = {"image": "image_classifier", "image+tabular": "record_classifier", "tabular": "record_classifier"}


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
class _Prepared:
    """`example` is None where the model cannot answer without an image."""

    subject: _Subject
    example: Example | None
    rejected: tuple[Reject, ...] = ()


_Predicted = tuple[_Subject, Prediction]


def classify(request: BatchRequest, settings: InferenceSettings) -> BatchAnswer:
    """Predict each record or image of one batch; what cannot be predicted becomes a reject.

    Raises BadBundle for a model that is not as asked for, and MissingObject for an image that the lake has lost.
    """
    classifier = _classifier(request, settings)
    limit = classifier.image_input.max_images if classifier.image_input else 0
    predicted: list[_Predicted] = []
    rejected: list[Reject] = []
    read = functools.partial(_read, limit=limit)
    prepare = functools.partial(_prepare, classifier=classifier, max_pixels=settings.max_pixels)
    for group in infer_rows(request, settings, read, prepare, functools.partial(_predict, classifier=classifier)):
        rejected += [each for each in group if isinstance(each, Reject)]
        predicted += [each for each in group if not isinstance(each, Reject)]
    return write_answer(request, settings.lake_uri, PREDICTIONS, _columns(predicted), rejected)


def _classifier(request: BatchRequest, settings: InferenceSettings) -> Classifier:
    classifier = load_classifier(settings.lake_uri, request.batch.model, SESSION_THREADS)
    modality = request.batch.modality
    if _KINDS.get(modality) != classifier.kind:
        raise BadBundle(f"{classifier.model}: a {classifier.kind} cannot predict the modality {modality!r}")
    return classifier


def _read(row: dict[str, Any], *, limit: int) -> list[bytes]:
    """As many of a record's images as the model takes."""
    return [storage.read(uri) for uri in row["image_uris"][:limit]]


def _prepare(row: dict[str, Any], read: list[bytes], *, classifier: Classifier, max_pixels: int) -> _Prepared:
    """Decode and preprocess one record's images."""
    record_id, paths = row["record_id"], row["image_paths"]
    subject = _Subject(record_id, None if record_id is not None else paths[0])
    declared = classifier.image_input
    images, rejected = _images(row, read, declared, max_pixels) if declared else ([], [])
    if declared and not images and classifier.needs_image:
        if record_id is not None:
            detail = f"{classifier.model} needs an image, and none of the record's {len(paths)} can be used"
            rejected.append(_reject(record_id, "missing_image", detail))
        return _Prepared(subject, None, tuple(rejected))
    return _Prepared(subject, Example(dict(row["attributes"]), images), tuple(rejected))


def _images(
    row: dict[str, Any], read: list[bytes], declared: ImageInput, max_pixels: int
) -> tuple[list[NDArray[np.float32]], list[Reject]]:
    """The first images that can be used, as many as the model takes; a later one stands in for a broken one."""
    images: list[NDArray[np.float32]] = []
    rejected: list[Reject] = []
    for index, (path, uri) in enumerate(zip(row["image_paths"], row["image_uris"], strict=True)):
        if len(images) == declared.max_images:
            break
        try:
            data = read[index] if index < len(read) else storage.read(uri)
            picture = decode_for(data, declared.preprocessing, max_pixels)
            images.append(tensor(picture.pixels, declared.preprocessing))
        except BadImage as error:
            rejected.append(_reject(path, error.reason, error.detail))
    return images, rejected


def _predict(group: list[_Prepared], *, classifier: Classifier) -> list[_Predicted | Reject]:
    outcomes: list[_Predicted | Reject] = [reject for each in group for reject in each.rejected]
    possible = [(each.subject, each.example) for each in group if each.example is not None]
    predictions = classifier.predict([example for _, example in possible])
    for (subject, _), prediction in zip(possible, predictions, strict=True):
        if prediction is None:
            outcomes.append(_reject(subject.name, "bad_prediction", f"{classifier.model} answered with no number"))
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
