"""The answers of a classifier of images as a matrix, to be compared."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pixlake.inference.batches import grouped
from pixlake.inference.classifier import Classifier, Prediction
from pixlake.inference.encoders import Example

_AT_ONCE = 8


def predict_tensors(classifier: Classifier, tensors: Iterable[NDArray[np.float32]], labels: int) -> NDArray[np.float64]:
    """`[n, labels]`, a row for each picture's tensor, in the labels' order; no numbers where it answers with none."""
    rows = [
        _row(prediction, labels)
        for group in grouped(tensors, _AT_ONCE)
        for prediction in classifier.predict([Example(images=[each]) for each in group])
    ]
    return np.array(rows).reshape(len(rows), labels)


def _row(prediction: Prediction | None, labels: int) -> Sequence[float]:
    if prediction is None or prediction.probabilities is None:
        return [np.nan] * labels
    return list(prediction.probabilities.values())
