"""What is predicted: a record or an orphan image, made into a model's example and answered by a prediction or a reject.

A record whose images cannot be decoded is predicted without them where the model takes that, else it is a reject:
either way it is answered.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders
from pixlake.inference.classifier import Prediction
from pixlake.inference.encoded import Encoded, ImageSource, unwrap
from pixlake.rejects import Reject, Stage

ImageT = TypeVar("ImageT")
ExampleT = TypeVar("ExampleT")


class Model(Protocol[ImageT, ExampleT]):
    """What predicts: a graph (`classifier.Classifier`), or AutoGluon (`predictor.Predictor`).

    `ExampleT` is one example, whose images take `example_bytes`. `at_once` says that it wants many together.
    """

    model: str
    at_once: bool

    @property
    def most_images(self) -> int: ...

    @property
    def example_bytes(self) -> int: ...

    @property
    def needs_image(self) -> bool: ...

    def answers(self, modality: str) -> bool: ...

    def prepare_image(self, data: bytes, decoders: Decoders) -> ImageT: ...

    def make_example(self, attributes: Mapping[str, str | None], images: Sequence[ImageT]) -> ExampleT: ...

    def predict(self, examples: Sequence[ExampleT]) -> list[Prediction | None]: ...


@dataclass(frozen=True)
class Subject:
    """What is predicted: a record, or an image that no record names."""

    record_id: str | None
    image_path: str | None
    by_image: bool = True
    """Whether any image could be used."""
    uploaded_at: datetime | None = None
    """None for the upload's own time."""

    @property
    def name(self) -> str:
        """What a reject calls it."""
        return self.record_id or self.image_path or ""


@dataclass(frozen=True)
class Prepared(Generic[ExampleT]):
    """`example` is None where the model cannot answer without an image."""

    subject: Subject
    example: ExampleT | None
    rejected: tuple[Reject, ...] = ()


Predicted = tuple[Subject, Prediction]


def prepare_example(
    row: dict[str, Any], read: list[Encoded], *, model: Model[ImageT, ExampleT], source: ImageSource
) -> Prepared[ExampleT]:
    """One record or orphan image as the model takes it, its images decoded and preprocessed."""
    record_id, paths = row["record_id"], row["image_paths"]
    images, rejected = _images(row, read, model, source)
    subject = Subject(record_id, None if record_id is not None else paths[0], bool(images), row.get("uploaded_at"))
    if not images and model.needs_image:
        if record_id is not None:
            detail = f"{model.model} needs an image, and none of the record's {len(paths)} can be used"
            rejected.append(_reject(record_id, "missing_image", detail))
        return Prepared(subject, None, tuple(rejected))
    return Prepared(subject, model.make_example(dict(row["attributes"]), images), tuple(rejected))


def _images(
    row: dict[str, Any], read: list[Encoded], model: Model[ImageT, ExampleT], source: ImageSource
) -> tuple[list[ImageT], list[Reject]]:
    """The first images that can be used, as many as the model takes; a later one stands in for a broken one."""
    images: list[ImageT] = []
    rejected: list[Reject] = []
    for index, (path, uri) in enumerate(zip(row["image_paths"], row["image_uris"], strict=True)):
        if len(images) == model.most_images:
            break
        try:
            with nullcontext(read[index]) if index < len(read) else source.read_alone(uri) as encoded:
                images.append(model.prepare_image(unwrap(encoded), source.decoders))
        except BadImage as error:
            rejected.append(_reject(path, error.reason, error.detail))
    return images, rejected


def predict_group(group: list[Prepared[ExampleT]], *, model: Model[ImageT, ExampleT]) -> list[Predicted | Reject]:
    """The predictions of a group, and rejects for what has none."""
    outcomes: list[Predicted | Reject] = [reject for each in group for reject in each.rejected]
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
