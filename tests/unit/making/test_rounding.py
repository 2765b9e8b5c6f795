"""Rounded weights lie on their grid, keep each output's mean, and change outputs less than the nearest ones would."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pixlake_models.quantizing.rounding import Inputs, round_layer, round_weights
from tests.builders import tiny

LEVELS = 7
RANDOM = np.random.default_rng(0)


def make_rows(channels: int) -> np.ndarray:
    """Inputs as behind a ReLU: none below zero, and channels that go together."""
    mixed = RANDOM.standard_normal((500, channels)) @ RANDOM.standard_normal((channels, channels))
    return np.maximum(mixed + 0.5, 0)


def describe(rows: np.ndarray) -> Inputs:
    return Inputs(rows.mean(axis=0), rows.T @ rows / len(rows))


def nearest(weights: np.ndarray) -> np.ndarray:
    scales = np.abs(weights).max(axis=1, keepdims=True) / LEVELS
    return np.asarray(np.round(weights / scales) * scales)


def test_weights_are_whole_steps_of_a_scale_that_their_greatest_gives() -> None:
    weights = RANDOM.standard_normal((6, 16))
    rounded, _ = round_layer(weights, describe(make_rows(16)), LEVELS)
    assert np.abs(rounded).max(axis=1) == pytest.approx(np.abs(weights).max(axis=1))
    steps = rounded / np.abs(weights).max(axis=1, keepdims=True) * LEVELS
    assert steps == pytest.approx(np.round(steps), abs=1e-9)


def test_outputs_keep_their_mean_and_change_less_than_by_the_nearest_steps() -> None:
    weights, rows = RANDOM.standard_normal((6, 16)), make_rows(16)
    rounded, shift = round_layer(weights, describe(rows), LEVELS)
    wanted = rows @ weights.T
    found = rows @ rounded.T + shift
    assert found.mean(axis=0) == pytest.approx(wanted.mean(axis=0))
    assert np.square(found - wanted).mean() < 0.6 * np.square(rows @ nearest(weights).T - wanted).mean()


def test_a_depthwise_layer_keeps_its_means() -> None:
    weights, rows = RANDOM.standard_normal((5, 1, 3, 3)), make_rows(5)
    rounded, shift = round_layer(weights, describe(rows), LEVELS, groups=5)
    wanted = weights.sum(axis=(1, 2, 3)) * rows.mean(axis=0)
    assert rounded.sum(axis=(1, 2, 3)) * rows.mean(axis=0) + shift == pytest.approx(wanted)


def test_an_output_of_zeros_and_an_input_of_zeros_stay() -> None:
    rounded, shift = round_layer(np.zeros((2, 3)), Inputs(np.zeros(3), np.zeros((3, 3))), LEVELS)
    assert (rounded.tolist(), shift.tolist()) == ([[0.0] * 3] * 2, [0.0] * 2)


def test_a_layer_of_no_levels_is_left_as_it_is() -> None:
    weights = {
        "first": RANDOM.standard_normal((4, 3, 1, 1)).astype(np.float32),
        "second": RANDOM.standard_normal((5, 4, 1, 1)).astype(np.float32),
        "zero4": np.zeros(4, np.float32),
        "zero5": np.zeros(5, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "first", "zero4"], ["maps"], name="a"),
        helper.make_node("Conv", ["maps", "second", "zero5"], ["answer"], name="b"),
    ]
    graph = tiny.graph(nodes, {"image": (TensorProto.FLOAT, ["n", 3, 4, 4])}, "answer", weights)
    model = onnx.load_from_string(graph)
    pictures = RANDOM.standard_normal((2, 3, 4, 4)).astype(np.float32)
    round_weights(model, [{"image": pictures}], lambda node: LEVELS if node.name == "b" else 0)
    found = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    assert np.array_equal(found["first"], weights["first"])
    assert not np.array_equal(found["second"], weights["second"])
    assert found["zero5"].any()
