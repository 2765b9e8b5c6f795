"""The step Classify: the records, or the orphan images, of one batch become one part of the table `predictions`.

A record whose images cannot be decoded is predicted without them where the model takes that, else it is a reject:
either way it is answered.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixlake import storage
from pixlake.errors import BadBundle, BadImage
from pixlake.inference.batches import grouped, read_rows, write_answer
from pixlake.inference.bundles import load_classifier
from pixlake.inference.classifier import Classifier, Prediction
from pixlake.inference.encoders import Example
from pixlake.inference.graphs import available_threads
from pixlake.inference.manifest import ImageInput
from pixlake.inference.preprocessing import decode_for, tensor
from pixlake.inference.readahead import prepared
from pixlake.messages import BatchAnswer, BatchRequest
from pixlake.rejects import Reject, Stage
from pixlake.schemas import PREDICTIONS
from pixlake.settings import InferenceSettings

_READERS = 32
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


def classify(request: BatchRequest, settings: InferenceSettings) -> BatchAnswer:
    """Predict each record or image of one batch; what cannot be predicted becomes a reject.

    Raises BadBundle for a model that is not as asked for, and MissingObject for an image that the lake has lost.
    """
    classifier = _classifier(request, settings)
    predicted: list[tuple[_Subject, Prediction]] = []
    rejected: list[Reject] = []
    for group in grouped(_prepared(request, classifier, settings), settings.inference_batch):
        rejected += [reject for each in group for reject in each.rejected]
        for subject, prediction in _predicted(group, classifier):
            if prediction is None:
                rejected.append(_reject(subject.name, "bad_prediction", f"{classifier.model} answered with no number"))
            else:
                predicted.append((subject, prediction))
    return write_answer(request, settings.lake_uri, PREDICTIONS, _columns(predicted), rejected)


def _classifier(request: BatchRequest, settings: InferenceSettings) -> Classifier:
    classifier = load_classifier(settings.lake_uri, request.batch.model, settings.inference_threads)
    modality = request.batch.modality
    if _KINDS.get(modality) != classifier.kind:
        raise BadBundle(f"{classifier.model}: a {classifier.kind} cannot predict the modality {modality!r}")
    return classifier


def _prepared(request: BatchRequest, classifier: Classifier, settings: InferenceSettings) -> Iterator[_Prepared]:
    """The rows of the batch, made ready ahead of the model; a model that takes no images has none read."""
    limit = classifier.image_input.max_images if classifier.image_input else 0
    return prepared(
        read_rows(request, settings.lake_uri),
        lambda row: [storage.read(uri) for uri in row["image_uris"][:limit]],
        functools.partial(_prepare, classifier=classifier, max_pixels=settings.max_pixels),
        readers=_READERS,
        workers=settings.inference_threads or available_threads(),
        ahead=2 * settings.inference_batch,
    )


def _prepare(row: dict[str, Any], read: list[bytes], *, classifier: Classifier, max_pixels: int) -> _Prepared:
    """Decode and preprocess one record's images, in a worker's thread."""
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


def _predicted(group: list[_Prepared], classifier: Classifier) -> Iterator[tuple[_Subject, Prediction | None]]:
    possible = [(each.subject, each.example) for each in group if each.example is not None]
    predictions = classifier.predict([example for _, example in possible])
    return ((subject, prediction) for (subject, _), prediction in zip(possible, predictions, strict=True))


def _reject(source: str, reason: str, detail: str) -> Reject:
    return Reject(source=source, stage=Stage.CLASSIFY, reason=reason, detail=detail)


def _columns(predicted: list[tuple[_Subject, Prediction]]) -> dict[str, Any]:
    subjects, predictions = [subject for subject, _ in predicted], [prediction for _, prediction in predicted]
    return {
        "record_id": [each.record_id for each in subjects],
        "image_path": [each.image_path for each in subjects],
        "label": [each.label for each in predictions],
        "score": [each.score for each in predictions],
        "probabilities": [each.probabilities and list(each.probabilities.items()) for each in predictions],
        "value": [each.value for each in predictions],
    }
