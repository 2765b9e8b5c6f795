"""What is measured of answers is what its definition says, and the pictures show it."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixlake_models.training.evaluation import Answers, calibration_error, guess, measure, measure_values, reliability
from pixlake_models.training.evaluation_plots import draw_confusion, draw_reliability, draw_values

# three right of four; b is never answered
ANSWERS = Answers(
    labels=["a", "b", "c"],
    truth=np.array([0, 0, 1, 2]),
    probabilities=np.array([[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]),
)


def test_figures_are_those_of_their_definitions() -> None:
    found = measure(ANSWERS)
    assert found["rows"] == 4
    assert found["accuracy"] == 0.75
    assert found["balanced_accuracy"] == pytest.approx((1 + 0 + 1) / 3, abs=1e-4)
    assert found["macro_f1"] == pytest.approx((0.8 + 0 + 1) / 3, abs=1e-4)  # a: precision 2/3, recall 1
    expected = -sum(math.log(each) for each in (0.8, 0.6, 0.3, 0.7)) / 4
    assert found["log_loss"] == pytest.approx(expected, abs=1e-4)
    assert "roc_auc" not in found


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    """Two bins: 0.5 alone, wrong; 0.6, 0.7 and 0.8 (mean 0.7), all right."""
    assert calibration_error(ANSWERS, bins=2) == pytest.approx(1 / 4 * abs(0 - 0.5) + 3 / 4 * abs(1 - 0.7))
    assert [each.rows for each in reliability(ANSWERS, bins=2)] == [1, 3]


def test_a_calibrated_model_has_no_calibration_error() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 20_000)
    truth = (random.uniform(size=20_000) > confidence).astype(np.int64)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    assert calibration_error(Answers(["a", "b"], truth, probabilities)) < 0.02
    boastful = np.stack([(1 + confidence) / 2, (1 - confidence) / 2], axis=1)
    assert calibration_error(Answers(["a", "b"], truth, boastful)) > 0.1


def test_binary_answers_are_ranked_too() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.2, 0.8]])
    assert measure(Answers(["no", "yes"], np.array([0, 0, 1, 1]), probabilities))["roc_auc"] == 0.75


def test_a_guess_is_the_most_frequent_class_with_the_shares_it_learned() -> None:
    guessed = guess(["a", "b", "c"], ["a", "b", "b", "b"], ANSWERS.truth)
    assert guessed.chosen.tolist() == [1, 1, 1, 1]
    assert guessed.probabilities[0].tolist() == [0.25, 0.75, 0]
    assert measure(guessed)["accuracy"] == 0.25


def test_values_are_measured_against_the_truth() -> None:
    found = measure_values(np.array([1.0, 2, 3]), np.array([1.0, 2, 5]))
    assert found == {
        "rows": 3,
        "mean_absolute_error": pytest.approx(2 / 3, abs=1e-4),
        "root_mean_squared_error": pytest.approx(math.sqrt(4 / 3), abs=1e-4),
        "r2": -1.0,
    }


def test_plots_are_pictures_that_follow_from_the_answers(tmp_path: Path) -> None:
    other = Answers(ANSWERS.labels, ANSWERS.truth, ANSWERS.probabilities[::-1])
    for name, answers in (("one", ANSWERS), ("same", ANSWERS), ("other", other)):
        draw_confusion(answers, "a title", tmp_path / f"{name}-confusion.png")
        draw_reliability(answers, "a title", tmp_path / f"{name}-reliability.png")
    draw_values(np.arange(3.0), np.arange(3.0), "a title", tmp_path / "values.png")
    with Image.open(tmp_path / "values.png") as plot:
        assert min(plot.size) > 300
    for kind in ("confusion", "reliability"):
        one, same, another = ((tmp_path / f"{name}-{kind}.png").read_bytes() for name in ("one", "same", "other"))
        assert one == same
        assert one != another


def test_of_many_classes_those_most_often_wrong_are_drawn(tmp_path: Path) -> None:
    labels = [f"class {number}" for number in range(60)]
    truth = np.arange(60)
    probabilities = np.eye(60)
    probabilities[50:] = probabilities[50:, ::-1]
    draw_confusion(Answers(labels, truth, probabilities), "many", tmp_path / "many.png")
    with Image.open(tmp_path / "many.png") as plot:
        assert plot.height < 2_500
