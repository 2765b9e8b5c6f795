"""A written bundle is what the containers read, or it is not written."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pixlake.bundles.folders import open_folder
from pixlake.bundles.manifest import ImageInput, Manifest, Output, Preprocessing
from pixlake.errors import BadBundle, BadRequest
from pixlake_models.commands.export import derive_name
from pixlake_models.exporting import weights
from pixlake_models.exporting.writing import trial_bundle, write_bundle

PREPROCESSING = Preprocessing(
    width=8, height=8, resize="squash", interpolation="nearest", background=(0, 0, 0), mean=(0, 0, 0), std=(1, 1, 1)
)
MANIFEST = Manifest(
    format=1,
    name="tiny",
    kind="embedder",
    inputs=(ImageInput("image", PREPROCESSING),),
    graph="image.onnx",
    output=Output("embedding", "normalize"),
    files={},
    source={"origin": "a test"},
    dimensions=4,
)
FILES = {"image.onnx": b"graph"}


def test_a_written_bundle_is_read_back(target: Path, tmp_path: Path) -> None:
    version = write_bundle(target, MANIFEST, FILES)
    folder = open_folder(f"file://{tmp_path}", "tiny")
    assert folder.model == f"tiny@{version}"
    assert folder.read("image.onnx") == b"graph"
    assert msgspec.structs.replace(folder.manifest, files={}) == MANIFEST


def test_a_large_graph_gets_a_file_for_its_tensors(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "matrix"], ["y"]), helper.make_node("Add", ["y", "bias"], ["z"])],
        "two tensors",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 64])],
        [numpy_helper.from_array(matrix, "matrix"), numpy_helper.from_array(matrix[0], "bias")],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    monkeypatch.setattr(weights, "LARGE", len(whole) + 1)
    write_bundle(target, MANIFEST, {"image.onnx": whole})
    assert (target / "image.onnx").read_bytes() == whole
    monkeypatch.setattr(weights, "LARGE", len(whole))
    write_bundle(target, MANIFEST, {"image.onnx": whole})
    assert (target / "image.onnx.data").read_bytes() == matrix.tobytes()
    assert (target / "image.onnx").stat().st_size < 1000
    found = onnx.load(target / "image.onnx")
    read, kept = (numpy_helper.to_array(tensor) for tensor in found.graph.initializer)
    np.testing.assert_array_equal(read, matrix)
    np.testing.assert_array_equal(kept, matrix[0])


def test_the_same_content_has_the_same_version(target: Path) -> None:
    version = write_bundle(target, MANIFEST, FILES)
    assert write_bundle(target, MANIFEST, FILES) == version
    assert write_bundle(target, MANIFEST, {"image.onnx": b"another graph"}) != version


def test_a_bundle_replaces_the_whole_one_before(target: Path, tmp_path: Path) -> None:
    write_bundle(target, MANIFEST, {**FILES, "image.onnx.data": b"weights"})
    write_bundle(target, MANIFEST, FILES)
    assert sorted(path.name for path in target.iterdir()) == ["bundle.json", "image.onnx"]
    assert [path.name for path in target.parent.iterdir()] == ["tiny"]
    open_folder(f"file://{tmp_path}", "tiny")


@pytest.mark.parametrize(
    ("change", "files"),
    [({"dimensions": None}, FILES), ({}, {"other.onnx": b""}), ({"graph": "../up"}, {"../up": b""})],
)
def test_a_bundle_that_would_be_refused_is_not_written(
    target: Path, change: dict[str, object], files: dict[str, bytes]
) -> None:
    write_bundle(target, MANIFEST, FILES)
    with pytest.raises(BadBundle, match=r"tiny/bundle\.json"):
        write_bundle(target, msgspec.structs.replace(MANIFEST, **change), files)
    assert (target / "image.onnx").read_bytes() == b"graph"


def test_a_trial_leaves_nothing() -> None:
    with trial_bundle(MANIFEST, FILES) as folder:
        assert folder.read("image.onnx") == b"graph"
    with pytest.raises(Exception, match=r"image\.onnx"):
        folder.read("image.onnx")


def test_a_folder_with_something_else_is_not_replaced(target: Path) -> None:
    target.mkdir(parents=True)
    write_bundle(target, MANIFEST, FILES)
    (target / "bundle.json").rename(target / "thesis.txt")
    with pytest.raises(BadRequest, match="holds something else than a bundle"):
        write_bundle(target, MANIFEST, FILES)
    assert sorted(path.name for path in target.iterdir()) == ["image.onnx", "thesis.txt"]


def test_a_file_or_an_invalid_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target, reason in ((tmp_path / "file", "it is a file"), (tmp_path / "a b", "letters, digits")):
        with pytest.raises(BadRequest, match=reason):
            write_bundle(target, MANIFEST, FILES)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("ViT-B/32", "ViT-B-32"), ("hf-hub:org/a.b", "hf-hub-org-a.b"), ("configs/my.json", "my"), ("./é1", "1")],
)
def test_a_folder_is_named_after_the_model(name: str, folder: str) -> None:
    assert derive_name(name) == folder
