"""Keras' preprocessing in a bundle's words: the arithmetic, the order of channels, and the recipe as docs/ has it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, load_from_string, numpy_helper
from PIL import Image

from pixlake.bundles.folders import read_folder
from pixlake.errors import NotEqual, NotServable
from pixlake.images.preprocessing import tensor
from pixlake_models.keras.preprocessing import caffe_preprocessing, take_rgb
from tests.project import ROOT

SIDE, KERNEL, STRIDE, FILTERS = 224, 7, 2, 5
RANDOM = np.random.default_rng(5)
WEIGHTS = (RANDOM.normal(size=(FILTERS, 3, KERNEL, KERNEL)) / 1000).astype(np.float32)
BIAS = RANDOM.normal(size=FILTERS).astype(np.float32)


def preprocess_as_keras(picture: Image.Image) -> NDArray[np.float64]:
    """`load_img` and `preprocess_input`, by hand: `[height, width, 3]`, blue first."""
    levels = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.NEAREST), dtype=np.float64)
    return levels[:, :, ::-1] - [103.939, 116.779, 123.68]


def answer_as_keras(picture: Image.Image) -> NDArray[np.float64]:
    """A convolution, a ReLU and the mean over the map."""
    windows = np.lib.stride_tricks.sliding_window_view(preprocess_as_keras(picture), (KERNEL, KERNEL), axis=(0, 1))
    found = np.einsum("hwcij,ocij->hwo", windows[::STRIDE, ::STRIDE], WEIGHTS.astype(np.float64)) + BIAS
    answer: NDArray[np.float64] = np.maximum(found, 0).mean(axis=(0, 1))
    return answer


def make_graph(weights: NDArray[np.float32] = WEIGHTS, last: bool = True) -> bytes:
    """As a converter writes it: of pictures in `[n, height, width, 3]`, or with `last` false channels first."""
    shape: list[str | int | None] = ["n", SIDE, SIDE, 3] if last else ["n", 3, SIDE, SIDE]
    turn = [helper.make_node("Transpose", ["input_1"], ["turned"], perm=[0, 3, 1, 2])] if last else []
    nodes = [
        *turn,
        helper.make_node("Conv", ["turned" if last else "input_1", "w", "b"], ["map"], strides=[STRIDE, STRIDE]),
        helper.make_node("Relu", ["map"], ["active"]),
        helper.make_node("ReduceMean", ["active"], ["avg_pool"], axes=[2, 3], keepdims=0),
    ]
    made = helper.make_graph(
        nodes,
        "keras",
        [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("avg_pool", TensorProto.FLOAT, ["n", FILTERS])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(BIAS, "b")],
    )
    data: bytes = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    return data


def picture(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (40 + seed, 61, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((300, 200 + seed), Image.Resampling.BICUBIC)


def run(graph: bytes, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input_1": batch})
    return np.asarray(found)


def test_the_bundles_tensor_is_that_of_keras_in_rgb_order() -> None:
    found = tensor(picture(1), caffe_preprocessing(SIDE, SIDE))
    expected = preprocess_as_keras(picture(1)).transpose(2, 0, 1)[::-1]
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("last", [True, False])
def test_a_bgr_graph_is_changed_to_take_rgb_tensors(last: bool) -> None:
    batch = np.stack([tensor(picture(seed), caffe_preprocessing(SIDE, SIDE)) for seed in (1, 2, 3)])
    expected = np.stack([answer_as_keras(picture(seed)) for seed in (1, 2, 3)])
    graph = take_rgb(make_graph(last=last))
    shape = load_from_string(graph).graph.input[0].type.tensor_type.shape.dim
    assert [each.dim_value for each in shape] == [0, 3, SIDE, SIDE]
    assert np.abs(run(graph, batch) - expected).max() < 1e-4 * expected.max()
    assert np.abs(run(make_graph(last=False), batch) - expected).max() > 0.01 * expected.max()


def test_the_changed_graph_equals_one_with_a_reversed_first_convolution() -> None:
    batch = np.stack([tensor(picture(4), caffe_preprocessing(SIDE, SIDE))])
    reversed_ = make_graph(np.ascontiguousarray(WEIGHTS[:, ::-1]), last=False)
    assert np.allclose(run(take_rgb(make_graph(last=False)), batch), run(reversed_, batch), rtol=1e-5)


def test_a_graph_that_takes_no_image_is_refused() -> None:
    shape: list[str | int | None] = ["n", 4, 8, 8]
    node = helper.make_node("Identity", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    model = helper.make_model(helper.make_graph([node], "other", values[:1], values[1:]))
    with pytest.raises(NotServable, match="not one picture of three channels"):
        take_rgb(model.SerializeToString())


def run_recipe() -> None:
    """The Python of the page, in the folder at hand."""
    page = (ROOT / "docs" / "models-export.md").read_text()
    (recipe,) = re.findall(r"```python\n(.*?)```", page.partition("## Keras")[2], re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(recipe, "docs/models-export.md", "exec"), names)


@pytest.fixture
def converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Keras' side of the recipe leaves."""
    monkeypatch.chdir(tmp_path)
    picture(1).save("a.png")
    picture(2).save("b.jpg", quality=95)
    Path("resnet50.onnx").write_bytes(make_graph())
    np.save("expected.npy", np.stack([answer_as_keras(Image.open(name)) for name in ("a.png", "b.jpg")]))
    return tmp_path


def test_the_recipe_makes_a_bundle_of_keras_vectors(converted: Path) -> None:
    run_recipe()
    folder = read_folder((converted / "keras-resnet50").as_uri())
    assert (folder.manifest.kind, folder.manifest.dimensions) == ("embedder", FILTERS)
    assert folder.manifest.metrics["image_cosine"] >= 0.9999


def test_the_recipe_refuses_vectors_other_than_keras(converted: Path) -> None:
    expected = np.load("expected.npy")
    np.save("expected.npy", expected + RANDOM.normal(size=expected.shape) * expected.mean())
    with pytest.raises(NotEqual, match="image_cosine"):
        run_recipe()
    assert not (converted / "keras-resnet50").exists()
