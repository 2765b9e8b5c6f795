"""What an image costs: multiplications counted in a graph, and a bundle that says it."""

import msgspec
import numpy as np
import pytest
from onnx import TensorProto, helper

from pixlake.bundles.manifest import ImageInput, Manifest, Output, Preprocessing
from pixlake_models.exporting.cost import count_multiply_adds, with_cost
from pixlake_models.exporting.export import Candidate
from tests.builders import tiny

SQUASHED = Preprocessing(
    width=8, height=6, resize="squash", interpolation="nearest", background=(0, 0, 0), mean=(0, 0, 0), std=(1, 1, 1)
)


def make_graph() -> bytes:
    """A convolution of [n, 3, 6, 8] to 4 channels by 3 x 3 kernels, and a product of its 4 x 3 x 4 values."""
    nodes = [
        helper.make_node("Conv", ["image", "kernels"], ["mapped"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Flatten", ["mapped"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["answer"]),
    ]
    constants = {"kernels": np.ones((4, 3, 3, 3), np.float32), "weights": np.ones((48, 5), np.float32)}
    return tiny.graph(nodes, {"image": (TensorProto.FLOAT, ["n", 3, 6, 8])}, "answer", constants)


def make_candidate(inputs: tuple[ImageInput, ...]) -> Candidate:
    manifest = Manifest(1, "tiny", "embedder", inputs, "graph.onnx", Output("answer", "none"), {}, {}, dimensions=5)
    return Candidate(manifest, {"graph.onnx": make_graph()}, lambda _: [])


def test_the_multiplications_of_convolutions_and_products_are_counted() -> None:
    assert count_multiply_adds(make_graph()) == 4 * 3 * 4 * (3 * 3 * 3) + 5 * 48


def test_a_transposed_product_is_counted_by_its_inner_axis() -> None:
    node = helper.make_node("Gemm", ["weights", "numbers"], ["answer"], transA=1, transB=1)
    graph = tiny.graph([node], {"numbers": (TensorProto.FLOAT, ["n", 7])}, "answer", {"weights": np.ones((7, 3), "f4")})
    assert count_multiply_adds(graph) == 3 * 7


def test_a_model_of_images_says_its_cost() -> None:
    image = ImageInput("image", SQUASHED)
    cost = with_cost(make_candidate((image,))).manifest.cost
    assert cost is not None
    assert cost.multiply_adds == count_multiply_adds(make_graph())
    assert cost.images_per_second > 0


def test_a_model_of_several_images_a_record_does_not() -> None:
    image = ImageInput("image", SQUASHED, max_images=2)
    assert with_cost(make_candidate((image,))).manifest.cost is None


@pytest.mark.parametrize("cost", ["slow", {"images_per_second": 0, "multiply_adds": 1}, {}, [1], None])
def test_a_cost_that_is_none_is_not_taken(cost: object) -> None:
    candidate = make_candidate((ImageInput("image", SQUASHED),))
    assert msgspec.structs.replace(candidate.manifest, metrics={"cost": cost}).cost is None
