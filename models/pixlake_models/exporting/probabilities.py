"""The answers of a classifier as a matrix, to be compared."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pixlake.inference.batches import grouped
from pixlake.inference.classifier import Classifier, Prediction
from pixlake.inference.encoders import Example

_AT_ONCE = 8


def predict_tensors(classifier: Classifier, tensors: Iterable[NDArray[np.float32]], labels: int) -> NDArray[np.float64]:
    """`[n, labels]`, a row for each picture's tensor, in the labels' order; NaN where there is no answer."""
    rows = [
        as_row(prediction, labels)
        for group in grouped(tensors, _AT_ONCE)
        for prediction in classifier.predict([Example(images=[each]) for each in group])
    ]
    return np.array(rows).reshape(len(rows), labels)


def as_row(prediction: Prediction | None, width: int) -> NDArray[np.float64]:
    """Its probabilities in the order of the labels, or its value; NaN where there is none."""
    if prediction is None:
        return np.full(width, np.nan)
    if prediction.probabilities is not None:
        return np.array(list(prediction.probabilities.values()))
    return np.array([prediction.value], dtype=np.float64)
