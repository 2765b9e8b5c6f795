"""Metrics of answers on held-out rows, and the baseline by the labels' frequencies alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

BINS = 15
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """A classifier's answers: `truth` has each row's class as its index in `labels`, `probabilities` are `[n,
    classes]`."""

    labels: Sequence[str]
    truth: NDArray[np.int64]
    probabilities: Numbers

    @property
    def chosen(self) -> NDArray[np.int64]:
        """The most probable class of each row."""
        chosen: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return chosen


def measure(answers: Answers) -> dict[str, float]:
    """A classifier's metrics; classes that no row has are left out of averages over classes."""
    truth, chosen = answers.truth, answers.chosen
    every = list(range(len(answers.labels)))
    there = sorted(set(truth.tolist()))
    found = {
        "rows": len(truth),
        "accuracy": metrics.accuracy_score(truth, chosen),
        "balanced_accuracy": metrics.recall_score(truth, chosen, labels=there, average="macro", zero_division=0),
        "macro_f1": metrics.f1_score(truth, chosen, labels=there, average="macro", zero_division=0),
        "log_loss": metrics.log_loss(truth, answers.probabilities, labels=every),
        "expected_calibration_error": calibration_error(answers),
    }
    if len(every) == len(there) == 2:
        found["roc_auc"] = metrics.roc_auc_score(truth, answers.probabilities[:, 1])
    return _rounded(found)


def measure_values(truth: Numbers, values: Numbers) -> dict[str, float]:
    """A regression's metrics."""
    found = {
        "rows": len(truth),
        "mean_absolute_error": metrics.mean_absolute_error(truth, values),
        "root_mean_squared_error": metrics.root_mean_squared_error(truth, values),
        "r2": metrics.r2_score(truth, values),
    }
    return _rounded(found)


def guess(labels: Sequence[str], learned: Sequence[str], truth: NDArray[np.int64]) -> Answers:
    """The baseline's answers: each class by its frequency in training, so the most frequent class."""
    shares = np.array([learned.count(label) for label in labels], dtype=np.float64) / len(learned)
    return Answers(labels, truth, np.tile(shares, (len(truth), 1)))


@dataclass(frozen=True)
class Bin:
    """The answers of similar confidence: their number, mean confidence and accuracy."""

    rows: int
    confidence: float
    accuracy: float


def reliability(answers: Answers, bins: int = BINS) -> list[Bin]:
    """Bins of equal width over the confidence, the greatest probability; empty ones are left out."""
    confidence = answers.probabilities.max(axis=1)
    right = answers.chosen == answers.truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # (0, 1/M], (1/M, 2/M], …
    found = []
    for each in np.unique(place):
        here = place == each
        found.append(Bin(int(here.sum()), float(confidence[here].mean()), float(right[here].mean())))
    return found


def calibration_error(answers: Answers, bins: int = BINS) -> float:
    """The expected calibration error: the mean difference of confidence and accuracy.

    Section 2 of Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, with their 15
    bins; first in Naeini, Cooper, Hauskrecht, AAAI 2015.
    """
    rows = len(answers.truth)
    return sum(each.rows / rows * abs(each.accuracy - each.confidence) for each in reliability(answers, bins))


def _rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: value if isinstance(value, int) else round(float(value), 4) for name, value in found.items()}
