"""`models verify` and `models push`, which try a bundle in a process of its own."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.builders import tiny
from tests.builders.commands import run
from tests.builders.exploits import Exploit
from tests.builders.predictors import put_predictor, tar

DAMAGES: list[tuple[Any, str]] = [
    (lambda folder: (folder / "image.onnx").write_bytes(b"other"), "SHA-256"),
    (lambda folder: (folder / "text.onnx").unlink(), "files are missing"),
    (lambda folder: (folder / "extra.txt").write_text("x"), "does not list"),
    (lambda folder: (folder / "bundle.json").unlink(), "there is no bundle here"),
    (lambda folder: (folder / "bundle.json").write_text("{}"), "docs/bundles.md"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_bundle_is_not_pushed(
    tmp_path: Path, bundle: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(bundle)
    result = run("models", "push", bundle, "--lake", tmp_path / "lake")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "lake").exists()


def test_verify_accepts_a_sound_model_by_folder_and_by_name(tmp_path: Path, bundle: Path) -> None:
    run("models", "push", bundle, "--lake", tmp_path / "lake")
    by_name = run("models", "verify", "tiny", "--lake", tmp_path / "lake")
    assert by_name.exit_code == 0
    assert by_name.stdout.endswith("images and texts became unit vectors of 4\n")
    assert run("models", "verify", bundle).stdout == by_name.stdout
    described = json.loads(run("models", "verify", bundle, "--json").stdout)
    assert (described["files"], described["trial"]) == (3, "images and texts became unit vectors of 4")


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_verify_refuses_a_damaged_bundle(bundle: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(bundle)
    result = run("models", "verify", bundle)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr


def summing_graph() -> bytes:
    """The sum of one number and a category's code, as a regression's output."""
    nodes = [
        helper.make_node("Cast", ["code"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "column"], ["codes"]),
        helper.make_node("Add", ["number", "codes"], ["answer"]),
    ]
    inputs: tiny.Inputs = {"number": (TensorProto.FLOAT, ["n", 1]), "code": (TensorProto.INT64, ["n"])}
    return tiny.graph(nodes, inputs, "answer", {"column": np.array([-1, 1], np.int64)})


NUMBER = {"type": "numerical", "tensor": "number", "columns": [{"name": "age", "fill": 1, "mean": 5}]}
CODE = {"type": "categorical", "tensor": "code", "column": "c", "categories": ["a"], "unknown": 1, "missing": 2}


def test_verify_runs_a_record_model_on_sample_records(tmp_path: Path) -> None:
    tiny.BundleLake(tmp_path).classifier("age", summing_graph(), [NUMBER, CODE], problem="regression", labels=[])
    tried = run("models", "verify", "age", "--lake", tmp_path)
    assert tried.exit_code == 0
    assert "records with usual, strange and no values got a value" in tried.stdout


def test_verify_refuses_a_category_code_outside_the_graphs_table(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gather", ["table", "code"], ["answer"])]
    table = {"table": np.array([[0, 1, 2]] * 3, np.float32)}
    graph = tiny.graph(nodes, {"code": (TensorProto.INT64, ["n"])}, "answer", table)
    lake = tiny.BundleLake(tmp_path)
    for field in ("unknown", "missing"):
        lake.classifier("codes", graph, [{**CODE, field: 3}])
        assert "the graph fails on a batch" in run("models", "verify", "codes", "--lake", tmp_path).stderr
    lake.classifier("codes", graph, [CODE])
    assert run("models", "verify", "codes", "--lake", tmp_path).exit_code == 0


def test_verify_refuses_inputs_other_than_the_graphs(tmp_path: Path) -> None:
    tiny.BundleLake(tmp_path).classifier("age", summing_graph(), [NUMBER], problem="regression", labels=[])
    refused = run("models", "verify", "age", "--lake", tmp_path)
    assert refused.exit_code == 1
    assert "declares the inputs ['number'], the graph takes ['code', 'number']" in refused.stderr


def test_verify_refuses_another_number_of_labels_than_the_graphs(tmp_path: Path) -> None:
    graph = tiny.image_graph(tiny.WEIGHTS)
    tiny.BundleLake(tmp_path).classifier("colors", graph, [tiny.image_input()], kind="image_classifier")
    assert "answers 4 columns for 3 labels" in run("models", "verify", "colors", "--lake", tmp_path).stderr


@pytest.mark.parametrize("weights", [tiny.WEIGHTS * np.nan, tiny.WEIGHTS * 0])
def test_verify_refuses_a_model_whose_vectors_are_nan_or_zero(tmp_path: Path, weights: np.ndarray) -> None:
    files = {"image.onnx": tiny.image_graph(weights.astype(np.float32))}
    tiny.BundleLake(tmp_path).embedder(files=files, text=None)
    refused = run("models", "verify", "tiny", "--lake", tmp_path)
    assert refused.exit_code == 1
    assert "no vector for images" in refused.stderr


def test_verify_refuses_a_text_tower_of_other_dimensions(tmp_path: Path) -> None:
    model = onnx.load_from_string(tiny.text_graph())
    model.graph.node[1].attribute[0].ints[0] = 2
    text = model.SerializeToString()
    files = {"image.onnx": tiny.image_graph(weights=np.eye(3, 7, dtype=np.float32)), "text.onnx": text}
    tiny.BundleLake(tmp_path).embedder(files={**files, "tokenizer.json": tiny.tokenizer()}, dimensions=7)
    assert "answered [2, 4], not [2, 7]" in run("models", "verify", "tiny", "--lake", tmp_path).stderr


def test_verify_checks_an_autogluon_bundle_without_unpickling_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    model = put_predictor(tiny.BundleLake(tmp_path), data=tar({"df_preprocessor.pkl": pickle.dumps(Exploit())}))
    verified = run("models", "verify", "pets", "--lake", tmp_path)
    assert verified.exit_code == 0
    assert model in verified.stdout
    assert "plain files, 1 in all; a trial needs the AutoGluon container" in verified.stdout
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize(
    ("data", "message"), [(b"no tar at all" * 99, "cannot be unpacked"), (tar({"../x": b""}), "outside")]
)
def test_verify_refuses_a_predictor_archive_that_is_no_safe_tar(tmp_path: Path, data: bytes, message: str) -> None:
    put_predictor(tiny.BundleLake(tmp_path), data=data)
    result = run("models", "verify", "pets", "--lake", tmp_path)
    assert result.exit_code != 0
    assert message in result.stderr
