"""What a classifier says of single images, outside of any upload."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pixlake.concurrency import map_bounded
from pixlake.cores import available_cores
from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders
from pixlake.inference.batches import grouped
from pixlake.inference.classifier import Classifier, Prediction
from pixlake.inference.encoders import Example

_GROUP = 32


@dataclass(frozen=True)
class Class:
    """A label with its probability and its place among the model's labels; `label_id` is its id in the vocabulary that
    it is of, such as WordNet's, where that is known."""

    label: str
    score: float
    class_id: int
    label_id: str | None = None

    def describe(self) -> dict[str, Any]:
        """For JSON: `label_id` only where it is known."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Answer:
    """What a model says of one image: its most probable classes, best first, or the value of a regression.

    `error` is why it says nothing, else None.
    """

    image: str
    model: str
    classes: tuple[Class, ...] = ()
    value: float | None = None
    error: BadImage | None = None


def classify_images(
    classifier: Classifier, images: Iterable[tuple[str, bytes]], top: int, decoders: Decoders
) -> Iterator[Answer]:
    """One answer for each named image, in order; by a model that reads columns, too, as from empty cells.

    An image that cannot be decoded is answered by its error.
    """

    def prepare(image: tuple[str, bytes]) -> tuple[str, Example | BadImage]:
        name, data = image
        try:
            return name, classifier.make_example({}, [classifier.prepare_image(data, decoders)])
        except BadImage as error:
            return name, error

    for group in grouped(map_bounded(prepare, images, available_cores(), in_flight=_GROUP), _GROUP):
        yield from _answer(classifier, group, top)


def _answer(classifier: Classifier, group: Sequence[tuple[str, Example | BadImage]], top: int) -> Iterator[Answer]:
    predictions = iter(classifier.predict([each for _, each in group if isinstance(each, Example)]))
    for name, each in group:
        if isinstance(each, BadImage):
            yield Answer(name, classifier.model, error=each)
        elif prediction := next(predictions):
            yield Answer(name, classifier.model, rank(prediction, top, classifier.ids_by_label), prediction.value)
        else:
            yield Answer(name, classifier.model, error=BadImage("bad_prediction", "the model answered with no number"))


def rank(prediction: Prediction, top: int, ids: Mapping[str, str]) -> tuple[Class, ...]:
    """The `top` most probable classes, best first, with their label's ids; of equals the one that the model names
    first."""
    probabilities = enumerate((prediction.probabilities or {}).items())
    best = sorted(probabilities, key=lambda each: -each[1][1])[:top]
    return tuple(Class(label, score, index, ids.get(label)) for index, (label, score) in best)


def describe(answer: Answer) -> dict[str, Any]:
    """For JSON: the best class, and `classes` where more than one was asked for; `value` or the error if it has one."""
    best = answer.classes[0].describe() if answer.classes else {"label": None, "score": None, "class_id": None}
    found: dict[str, Any] = {**best, "model": answer.model}
    if len(answer.classes) > 1:
        found["classes"] = [each.describe() for each in answer.classes]
    if answer.value is not None:
        found["value"] = answer.value
    if answer.error:
        found |= {"reason": answer.error.reason, "detail": answer.error.detail}
    return found
