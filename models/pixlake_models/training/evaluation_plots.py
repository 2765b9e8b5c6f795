"""Plots of held-out answers: confusion matrix, reliability diagram, predicted over true values."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from pixlake_models.training.evaluation import Answers, Numbers, calibration_error, reliability

_INK, _ACCENT, _PALE = "#1f2933", "#1f6f8b", "#c5d9e2"
_DPI = 100
_MOST_CLASSES = 40
_MOST_NUMBERED = 20


def draw_confusion(answers: Answers, title: str, target: Path) -> None:
    """A matrix of counts, coloured by each row's share; of many classes those that are most often wrong."""
    shown = _most_confused(answers)
    counts = confusion_matrix(answers.truth, answers.chosen, labels=shown)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.4 + 0.42 * len(shown)
    figure, axes = _start(title, (side + 0.8, side))
    axes.imshow(shares, cmap=mpl.colors.LinearSegmentedColormap.from_list("", ["white", _ACCENT]), vmin=0, vmax=1)
    names = [_cut(answers.labels[each]) for each in shown]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="answer", ylabel="truth")
    if len(shown) <= _MOST_NUMBERED:
        for row, column in np.argwhere(counts):
            color = "white" if shares[row, column] > 0.6 else _INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color, fontsize=8)
    _save(figure, target)


def draw_reliability(answers: Answers, title: str, target: Path) -> None:
    """Accuracy by confidence, a point as large as it has answers; on the diagonal a model is calibrated."""
    bins = reliability(answers, 10)
    figure, axes = _start(f"{title}\nexpected calibration error {calibration_error(answers):.3f}", (4.2, 4.5))
    axes.plot([0, 1], [0, 1], color=_PALE, zorder=1)
    sizes = [20 + 260 * each.rows / len(answers.truth) for each in bins]
    places = [each.confidence for each in bins], [each.accuracy for each in bins]
    axes.plot(*places, color=_ACCENT, linewidth=1, zorder=2)
    axes.scatter(*places, s=sizes, color=_ACCENT, alpha=0.85, zorder=3)
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), xlabel="confidence", ylabel="share that is right", aspect="equal")
    axes.grid(color="#eeeeee")
    _save(figure, target)


def draw_values(truth: Numbers, values: Numbers, title: str, target: Path) -> None:
    """The values of a regression over the true ones."""
    figure, axes = _start(title, (4.2, 4.2))
    ends = [min(truth.min(), values.min()), max(truth.max(), values.max())]
    axes.plot(ends, ends, color=_PALE)
    axes.scatter(truth, values, s=14, color=_ACCENT, alpha=0.6)
    axes.set(xlabel="truth", ylabel="answer")
    axes.grid(color="#eeeeee")
    _save(figure, target)


def _start(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, target: Path) -> None:
    figure.savefig(target, dpi=_DPI, metadata={"Software": None})


def _most_confused(answers: Answers) -> list[int]:
    """All classes in their order, or those with the most wrong answers where there are too many to draw."""
    wrong = answers.truth[answers.truth != answers.chosen]
    counts = np.bincount(wrong, minlength=len(answers.labels))
    return sorted(np.argsort(-counts, kind="stable")[:_MOST_CLASSES].tolist())


def _cut(label: str) -> str:
    return label if len(label) <= 24 else f"{label[:23]}…"
