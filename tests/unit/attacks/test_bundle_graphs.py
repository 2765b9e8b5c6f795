"""A graph that is none, or that reads what it should not."""

import pickle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from pixlake.errors import BadBundle
from pixlake.inference.loaded import load_embedder
from tests.builders.exploits import Exploit
from tests.builders.tiny import WEIGHTS, graph, image_graph
from tests.unit.attacks.victims import Victim

STOLEN = np.full_like(WEIGHTS, 7)


def reaching(location: str) -> bytes:
    """A graph that keeps its weights in another file."""
    model = onnx.load_from_string(image_graph())
    (weights,) = model.graph.initializer
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(STOLEN.nbytes)}.items():
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    return bytes(model.SerializeToString())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with something to steal in it and above."""
    folder = tmp_path / "home" / "work"
    (folder / "sub").mkdir(parents=True)
    for place in (folder, folder.parent, folder / "sub"):
        (place / "secret.bin").write_bytes(STOLEN.tobytes())
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("home")
def test_onnx_runtime_alone_reads_weights_from_the_working_directory() -> None:
    """The threat is real; when this fails, it has gone, and so may the option that `graphs` sets."""
    session = ort.InferenceSession(reaching("secret.bin"), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"image": np.ones((1, 3, 8, 8), dtype=np.float32)})
    np.testing.assert_allclose(answer, STOLEN.sum(axis=0, keepdims=True), rtol=1e-6)


ELSEWHERE = [
    "secret.bin",
    "./secret.bin",
    "sub/secret.bin",
    "sub/../secret.bin",
    "../secret.bin",
    "../work/secret.bin",
    "../../../../../../../../etc/passwd",
    "{home}/secret.bin",
    "{lake}/models/tiny/tokenizer.json",
    "tokenizer.json",
    "",
]


@pytest.mark.parametrize("location", [*ELSEWHERE, "image.onnx.data"])
def test_weights_outside_the_graphs_own_file_are_refused(victim: Victim, home: Path, location: str) -> None:
    victim.replace("image.onnx", reaching(location.format(home=home, lake=victim.lake.folder)))
    assert "image.onnx: ONNX Runtime does not load the graph" in victim.refuses()


@pytest.mark.parametrize("location", [*ELSEWHERE, "image.onnx", "TEXT.onnx", "./tokenizer.json", "../bundle.json"])
@pytest.mark.parametrize("pushed", [False, True])
def test_weights_in_another_file_than_the_one_beside_the_graph_are_refused(
    victim: Victim, home: Path, location: str, *, pushed: bool
) -> None:
    """A pushed bundle's folder is open to ONNX Runtime, and so is what lies in it."""
    victim.replace("image.onnx.data", STOLEN.tobytes())
    victim.replace("image.onnx", reaching(location.format(home=home, lake=victim.lake.folder)))
    if pushed:
        victim.push()
    assert "image.onnx: ONNX Runtime does not load the graph" in victim.refuses()


def test_weights_that_are_a_symbolic_link_are_refused(victim: Victim, home: Path) -> None:
    victim.replace("image.onnx.data", STOLEN.tobytes())
    victim.replace("image.onnx", reaching("image.onnx.data"))
    victim.push()
    (weights,) = victim.folder.rglob("image.onnx.data")
    weights.unlink()
    weights.symlink_to(home / "secret.bin")
    assert "it is a link" in victim.refuses()


@pytest.mark.parametrize("pushed", [False, True])
def test_weights_beyond_the_end_of_their_file_are_refused(victim: Victim, *, pushed: bool) -> None:
    victim.replace("image.onnx.data", STOLEN.tobytes()[:-4])
    victim.replace("image.onnx", reaching("image.onnx.data"))
    if pushed:
        victim.push()
    assert "image.onnx: ONNX Runtime does not load the graph" in victim.refuses()


@pytest.mark.usefixtures("home")
def test_a_pickle_posing_as_a_graph_is_never_unpickled(victim: Victim) -> None:
    victim.replace("image.onnx", pickle.dumps(Exploit()))
    assert "ONNX Runtime does not load the graph" in victim.refuses()
    assert not Path("pwned").exists()


@pytest.mark.usefixtures("home")
def test_a_pickle_posing_as_a_tokenizer_is_never_unpickled(victim: Victim) -> None:
    victim.replace("tokenizer.json", pickle.dumps(Exploit()))
    embedder = load_embedder(victim.lake.uri, "tiny", 1)
    with pytest.raises(BadBundle, match=r"tokenizer\.json is no tokenizer"):
        embedder.embed_texts(["red"])
    assert not Path("pwned").exists()


def test_a_graph_in_ort_format_is_refused(victim: Victim, tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "image.ort")
    ort.InferenceSession(image_graph(), options, ["CPUExecutionProvider"])
    victim.replace("image.onnx", (tmp_path / "image.ort").read_bytes())
    assert "ONNX Runtime's own format" in victim.refuses()


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"\x0a\xff\xff\xff\xff\x0f", image_graph()[:-40]])
def test_bytes_that_are_no_onnx_graph_are_refused(victim: Victim, data: bytes) -> None:
    victim.replace("image.onnx", data)
    assert "ONNX Runtime does not load the graph" in victim.refuses()


def test_an_operator_of_an_unknown_domain_is_refused(victim: Victim) -> None:
    model = onnx.load_from_string(image_graph())
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    victim.replace("image.onnx", model.SerializeToString())
    assert "ONNX Runtime does not load the graph" in victim.refuses()


def test_a_small_graph_that_allocates_terabytes_is_refused(victim: Victim) -> None:
    nodes = [
        helper.make_node(
            "ConstantOfShape", ["shape"], ["huge"], value=numpy_helper.from_array(np.array([1], np.float32))
        ),
        helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Add", ["flat", "sum"], ["answer"]),
    ]
    shape = {"shape": np.array([1 << 24, 1 << 24], np.int64)}
    victim.replace("image.onnx", graph(nodes, {"image": (TensorProto.FLOAT, ["n", 3, 8, 8])}, "answer", shape))
    embedder = load_embedder(victim.lake.uri, "tiny", 1)
    with pytest.raises(BadBundle, match="the graph fails on a batch"):
        embedder.embed_tensors([np.zeros((3, 8, 8), dtype=np.float32)])
