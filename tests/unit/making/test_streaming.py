"""A graph's tensors are taken out of its file as `onnx` reads them, and what is no graph is refused."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_model

from pixlake_models.exporting.weights import PAGE
from pixlake_models.hub.streaming import take_out_tensors

RANDOM = np.random.default_rng(0)
LARGE: dict[str, NDArray[Any]] = {
    "floats": RANDOM.standard_normal((70, 30)).astype(np.float32),
    "halves": RANDOM.standard_normal((50, 50)).astype(np.float16),
    "integers": RANDOM.integers(-128, 127, (40, 130), dtype=np.int8),
}
SMALL = {"few": np.arange(9, dtype=np.float32)}


def make_model() -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(value, name) for name, value in {**LARGE, **SMALL}.items()]
    tensors.append(helper.make_tensor("unpacked", TensorProto.FLOAT, [2000], [0.5] * 2000))
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 70])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 30])
    node = helper.make_node("MatMul", ["x", "floats"], ["y"])
    return helper.make_model(helper.make_graph([node], "g", [given], [answer], tensors), producer_name="a test")


def test_taken_out_and_put_back_a_graph_is_the_same(tmp_path: Path) -> None:
    model = make_model()
    (tmp_path / "given.onnx").write_bytes(model.SerializeToString())
    with (tmp_path / "g.data").open("wb") as target:
        small = onnx.load_from_string(take_out_tensors(tmp_path / "given.onnx", target, "g.data"))
    outside = {each.name for each in small.graph.initializer if each.data_location == TensorProto.EXTERNAL}
    assert outside == LARGE.keys()
    assert not [each for each in small.graph.initializer if each.name in outside and each.raw_data]
    offsets = [
        int(entry.value) for each in small.graph.initializer for entry in each.external_data if entry.key == "offset"
    ]
    assert offsets == [0, 3 * PAGE, 5 * PAGE]
    load_external_data_for_model(small, str(tmp_path))
    for each in small.graph.initializer:
        each.ClearField("data_location")
        each.ClearField("external_data")
    assert small == model


@pytest.mark.parametrize("cut", [5, 100, 5_000])
def test_a_file_that_is_cut_is_refused(tmp_path: Path, cut: int) -> None:
    (tmp_path / "cut.onnx").write_bytes(make_model().SerializeToString()[:-cut])
    with pytest.raises(ValueError, match=r"beyond its end|without an end"):
        take_out_tensors(tmp_path / "cut.onnx", io.BytesIO(), "g.data")


@pytest.mark.parametrize("data", [b"no graph at all", b"\xff" * 40, b"\x3a\x05hello"])
def test_bytes_that_are_no_graph_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "other").write_bytes(data)
    with pytest.raises(Exception, match=r"beyond its end|without an end|wire type|[Pp]arsing"):
        onnx.load_from_string(take_out_tensors(tmp_path / "other", io.BytesIO(), "g.data"))


def test_tensors_that_are_in_a_file_already_stay_there(tmp_path: Path) -> None:
    model = make_model()
    tensor = model.graph.initializer[0]
    tensor.external_data.add(key="location", value="elsewhere")
    (tmp_path / "given.onnx").write_bytes(model.SerializeToString())
    target = io.BytesIO()
    found = onnx.load_from_string(take_out_tensors(tmp_path / "given.onnx", target, "g.data"))
    assert found.graph.initializer[0] == tensor
