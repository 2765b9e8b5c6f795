"""ONNX Runtime keeps no id of the device and tells nobody that it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import onnxruntime
from onnx import TensorProto, helper
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value("x")], [value("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnxruntime.InferenceSession(model.SerializeToString())
"""


def left_in_home(home: Path, code: str) -> list[Path]:
    # on a build server it holds back by itself
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    subprocess.run([sys.executable, "-c", code], env={**kept, "HOME": str(home)}, check=True, timeout=60)
    return sorted(home.iterdir())


def test_importing_pixlake_turns_onnx_runtimes_telemetry_off(tmp_path: Path) -> None:
    assert left_in_home(tmp_path, f"import pixlake.inference.graphs\n{RUN}") == []


@pytest.mark.skipif(sys.platform != "linux", reason="where it keeps its id is the system's custom")
def test_onnx_runtime_alone_writes_an_id_into_the_home_folder(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    assert left_in_home(tmp_path, RUN) != []
