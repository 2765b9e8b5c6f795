"""The page's plots as SVG, small and in the page's own colours, so that they follow light and dark.

matplotlib draws in fixed colours; each of ours stands for a CSS variable and is replaced in the SVG. Text stays text,
in the page's font. The figures are made without pyplot, which keeps global state and starts slowly.
"""

import io
import math
import re
import warnings
from collections.abc import Mapping
from itertools import groupby
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from pixlake.report.tallies import SCORE_BINS, PredictionTally, SizeTally
from pixlake.report.words import shorten

_INK, _LINE = "#010101", "#020202"
_SERIES = ("#030303", "#040404", "#050505")
_VARIABLES = {_INK: "var(--muted)", _LINE: "var(--line)"} | {
    color: f"var(--series-{index})" for index, color in enumerate(_SERIES, start=1)
}
TOP_LABELS = 20
_MOST_CELLS = 600
_WIDTH = 5.2  # inches at 72 points: the SVG scales to its column, so this sets the text's relative size

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "grid.color": _LINE,
    "legend.frameon": False,
}


@rc_context(_STYLE)
def plot_labels(tally: PredictionTally) -> str:
    """Predicted labels, the most frequent on top, and no more than `TOP_LABELS`."""
    rows = tally.labels.most_common(TOP_LABELS)
    rows.sort(key=lambda row: (-row[1], row[0]))
    names = [shorten(label, 34) for label, _ in rows]
    counts = [count for _, count in rows]
    figure, axes = _figure(0.7 + 0.24 * len(names))
    positions = range(len(names))
    bars = axes.barh(positions, counts, color=_SERIES[0], height=0.72)
    axes.bar_label(bars, labels=[f"{count:,}" for count in counts], padding=3)
    axes.set_yticks(positions, names)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.01)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return _svg(figure, "labels")


@rc_context(_STYLE)
def plot_scores(tally: PredictionTally) -> str:
    """Scores of the predicted labels, stacked by modality."""
    figure, axes = _figure(2.9)
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    base = np.zeros(SCORE_BINS, np.int64)
    for (modality, counts), color in zip(_ordered(tally.scores), _SERIES, strict=False):
        label = f"{modality} ({counts.sum():,})"
        axes.bar(edges[:-1], counts, 1 / SCORE_BINS * 0.92, base, align="edge", color=color, label=label)
        base = base + counts
    axes.set(xlim=(0, 1), xlabel="score of the predicted label", ylabel="predictions")
    _grid(axes)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(_SERIES), fontsize=8)
    return _svg(figure, "scores")


@rc_context(_STYLE)
def plot_values(tally: PredictionTally) -> str:
    """Predicted values of a regression."""
    figure, axes = _figure(2.9)
    counts, edges = np.histogram(tally.values, bins=30)
    axes.bar(edges[:-1], counts, np.diff(edges) * 0.92, align="edge", color=_SERIES[0])
    axes.set(xlabel="predicted value", ylabel="predictions")
    _grid(axes)
    return _svg(figure, "values")


@rc_context(_STYLE)
def plot_sizes(tally: SizeTally) -> str:
    """Width against height, both logarithmic; a dot's area grows with the number of images of about that size."""
    figure, axes = _figure(2.9)
    cells = tally.cells.most_common(_MOST_CELLS)
    most = cells[0][1]
    # Counts by powers of two: dots of one area share a shape in the SVG, which otherwise grows with every dot.
    for level, dots in groupby(cells, lambda cell: cell[1].bit_length()):
        shown = np.array([cell for cell, _ in dots])
        area = 8 + 400 * math.sqrt(2**level / most / len(cells))
        axes.scatter(shown[:, 0], shown[:, 1], s=area, color=_SERIES[0], alpha=0.65, linewidths=0)
    widths, heights = np.array([cell for cell, _ in cells]).T
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set(xlim=_room(widths), ylim=_room(heights))
    for axis, pixels in ((axes.xaxis, widths), (axes.yaxis, heights)):
        narrow = pixels.max() < 8 * pixels.min()
        axis.set_major_locator(LogLocator(base=2, subs=(1, 1.5) if narrow else (1,), numticks=8))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(xlabel="width, pixels", ylabel="height, pixels")
    _grid(axes, "both")
    return _svg(figure, "sizes")


def _room(pixels: np.ndarray) -> tuple[float, float]:
    return pixels.min() / 1.6, pixels.max() * 1.6


def _ordered(scores: Mapping[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return sorted(scores.items(), key=lambda entry: -int(entry[1].sum()))


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, height), layout="tight")
    return figure, figure.add_subplot()


def _grid(axes: Axes, axis: Literal["both", "x", "y"] = "y") -> None:
    axes.set_axisbelow(True)
    axes.grid(axis=axis, linewidth=0.5)


def _svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element whose ids start with `name`, so that several fit into one page."""
    target = io.StringIO()
    with rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # Labels in scripts that matplotlib's font lacks: the browser draws the text, with its own fonts.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        figure.savefig(target, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', svg, count=1)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font-size: \1", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, variable)
    return svg
