import warnings

import numpy as np

from pixlake.report.plots import plot_labels, plot_scores, plot_sizes, plot_values
from pixlake.report.tallies import PredictionTally, SizeTally


def many_sizes() -> SizeTally:
    tally, generator = SizeTally(), np.random.default_rng(5)
    for width, height in generator.integers(1, 60_000, (4_000, 2)).tolist():
        tally.cells[width, height] += int(generator.integers(1, 5_000))
    return tally


def test_a_plot_stays_small_whatever_it_shows() -> None:
    labels = PredictionTally()
    labels.labels.update({f"{index} " + "w" * 900: index for index in range(5_000)})
    labels.values.extend(np.random.default_rng(5).normal(size=20_000).tolist())
    for svg in (plot_sizes(many_sizes()), plot_labels(labels), plot_values(labels)):
        assert svg.startswith("<svg viewBox=")
        assert len(svg) < 150_000
        assert "w" * 100 not in svg


def test_plots_use_the_colors_of_the_page() -> None:
    scores = {"tabular": np.ones(20, np.int64), "image": np.ones(20, np.int64)}
    svg = plot_scores(PredictionTally(scores=scores))
    assert "var(--series-1)" in svg
    assert "var(--series-2)" in svg
    assert "#0" not in svg.replace("#000000", "")


def test_labels_of_any_script_are_drawn_as_text_not_as_a_formula() -> None:
    tally = PredictionTally()
    tally.labels.update(["$x^2_$", "<b>&", "旅行", "🐱", "\u202eabc", "a\nb", "\\frac{"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = plot_labels(tally)
    for text in ("$x^2_$", "&lt;b&gt;&amp;", "旅行", "🐱", "\\u202eabc", "a\\u000ab", "\\frac{"):
        assert f">{text}<" in svg


def test_the_same_numbers_make_the_same_plot() -> None:
    tally = many_sizes()
    assert plot_sizes(tally) == plot_sizes(tally)
