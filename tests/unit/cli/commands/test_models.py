import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from rich.filesize import decimal

from tests.builders import tiny
from tests.builders.commands import run
from tests.builders.exploits import Exploit
from tests.builders.predictors import put_predictor, tar


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle in a folder outside of any lake."""
    tiny.BundleLake(tmp_path / "elsewhere").embedder("tiny")
    return tmp_path / "elsewhere" / "models" / "tiny"


DAMAGES: list[tuple[Any, str]] = [
    (lambda folder: (folder / "image.onnx").write_bytes(b"other"), "SHA-256"),
    (lambda folder: (folder / "text.onnx").unlink(), "files are missing"),
    (lambda folder: (folder / "extra.txt").write_text("x"), "does not list"),
    (lambda folder: (folder / "bundle.json").unlink(), "there is no bundle here"),
    (lambda folder: (folder / "bundle.json").write_text("{}"), "docs/bundles.md"),
]


def test_a_pushed_model_is_listed_and_shown(tmp_path: Path, bundle: Path) -> None:
    lake = tmp_path / "my lake"
    pushed = run("models", "push", bundle, "--lake", lake)
    assert pushed.exit_code == 0
    model = pushed.stdout.split()[0]
    assert model.startswith("tiny@")
    size = decimal(sum(path.stat().st_size for path in bundle.iterdir()))
    listed = run("models", "list", "--lake", lake)
    assert listed.stdout == f"{model}  embedder  {size}  vectors of 4, of images and texts\n"
    (described,) = json.loads(run("models", "list", "--lake", lake, "--json").stdout)
    assert (described["model"], described["kind"]) == (model, "embedder")
    assert f"{described['name']}@{described['version']}" == model
    shown = json.loads(run("models", "show", "tiny", "--lake", lake, "--json").stdout)
    assert (shown["model"], shown["dimensions"]) == (model, 4)


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_bundle_is_not_pushed(
    tmp_path: Path, bundle: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(bundle)
    result = run("models", "push", bundle, "--lake", tmp_path / "lake")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "lake").exists()


def test_listing_a_lake_without_models_says_how_to_push_one(tmp_path: Path) -> None:
    result = run("models", "list", "--lake", tmp_path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "models push" in result.stderr
    assert run("models", "list", "--lake", tmp_path, "--json").stdout == "[]\n"
    assert run("models", "show", "none", "--lake", tmp_path).exit_code == 1


def test_a_damaged_model_does_not_hide_the_others(tmp_path: Path) -> None:
    lake = tiny.BundleLake(tmp_path)
    model = lake.embedder("whole")
    lake.embedder("broken")
    (tmp_path / "models" / "broken" / "text.onnx").unlink()
    for options in ([], ["--json"]):
        result = run("models", "list", "--lake", tmp_path, *options)
        assert result.exit_code == 1
        assert model in result.stdout
        assert "models/broken: files are missing" in result.stderr
    assert [each["model"] for each in json.loads(result.stdout)] == [model]


def test_a_pulled_model_can_be_pushed_again(tmp_path: Path, bundle: Path) -> None:
    run("models", "push", bundle, "--lake", tmp_path / "lake")
    pulled = run("models", "pull", "tiny", tmp_path / "copy", "--lake", tmp_path / "lake")
    assert pulled.exit_code == 0
    assert pulled.stdout.split()[0] == run("models", "push", tmp_path / "copy", "--lake", tmp_path).stdout.split()[0]
    assert run("models", "pull", "tiny", tmp_path / "copy", "--lake", tmp_path / "lake").exit_code == 2


# ---- a model's card ------------------------------------------------------------------------------------------------

RECORDS = [
    tiny.image_input(
        max_images=3,
        missing="zero",
        preprocessing=tiny.preprocessing(resize="shortest", crop=0.875, std=[1, 1, 1], pixels="stored"),
    ),
    {"type": "numerical", "tensor": "n", "columns": [{"name": f"c{i}", "fill": 0, "mean": 5} for i in range(14)]},
    {"type": "categorical", "tensor": "c", "column": "colour", "categories": ["red"], "unknown": 1, "missing": 2},
    {"type": "text", "tensor": "t", "tokenizer": "tokenizer.json", "length": 4, "pad": 0, "column": "title"},
    {
        "type": "text",
        "tensor": "s",
        "tokenizer": "tokenizer.json",
        "length": 9,
        "pad": 0,
        "sequence": {"columns": ["story", "reason"], "end": 1},
    },
]


MEASURED = {"int8": {"top_1": 0.5}, "autogluon": {"as they are": {"rows": 20, "difference": 1e-7}}}


def test_a_card_of_an_embedder(tmp_path: Path) -> None:
    model = tiny.BundleLake(tmp_path).embedder(source={"licence": "MIT"}, metrics={"image_cosine": 0.99997})
    card = run("models", "show", "tiny", "--lake", tmp_path).stdout
    for line in [
        f"# {model}",
        "An embedder; vectors of 4, of images and texts.",
        "- an image",
        "- text, at most 4 tokens",
        "- upright by EXIF, RGB, transparent pixels on #ffffff",
        "- squashed to 8 x 8 pixels, bicubic",
        "- (pixel / 255 - mean) / std with mean 0.5, 0.4, 0.3 and std 0.25, 0.5, 1",
        "- licence: MIT",
        "- image cosine: 0.99997",
    ]:
        assert line in card.splitlines()
    assert f"- image.onnx, {len(tiny.image_graph())} bytes, sha256 " in card


def test_a_card_tells_that_jpegs_are_decoded_whole(tmp_path: Path) -> None:
    tiny.BundleLake(tmp_path).embedder(inputs=[tiny.image_input(preprocessing=tiny.preprocessing(pixels="whole"))])
    card = run("models", "show", "tiny", "--lake", tmp_path).stdout.splitlines()
    assert "- upright by EXIF, RGB, transparent pixels on #ffffff; JPEGs are decoded whole" in card


def test_a_card_of_a_record_classifier(tmp_path: Path) -> None:
    files = {"tokenizer.json": tiny.tokenizer()}
    tiny.BundleLake(tmp_path).classifier("pets", b"graph", RECORDS, files, metrics=MEASURED)
    card = run("models", "show", "pets", "--lake", tmp_path).stdout.splitlines()
    for line in [
        "A classifier of records; multiclass, 3 labels.",
        "- up to 3 images a record; a record without one is answered from the rest",
        "- numbers: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 2 more",
        "- category colour, one of 1: red",
        "- text title, at most 4 tokens",
        "- text story, reason, at most 9 tokens",
        "- RGB of the stored pixels: not turned by EXIF, transparency dropped",
        "- resized to cover, then cut at the centre to 8 x 8 pixels, bicubic, keeping 0.875 of each side",
        "- (pixel / 255 - mean) / std with mean 0.5, 0.4, 0.3 and std 1 for each channel",
        "- 0: red",
        "- 2: blue",
        "- int8, top 1: 0.5",
        "- autogluon, as they are: rows 20, difference 1e-07",
    ]:
        assert line in card


def test_a_cards_labels_keep_their_commas(tmp_path: Path) -> None:
    labels = ["tench, Tinca tinca", "great white shark, white shark", *map(str, range(998))]
    tiny.BundleLake(tmp_path).classifier("classes", b"graph", [tiny.image_input()], labels=labels)
    card = run("models", "show", "classes", "--lake", tmp_path).stdout
    assert "\n## Labels, by class id\n- 0: tench, Tinca tinca\n- 1: great white shark, white shark\n- 2: 0\n" in card
    assert "\n- 11: 9\n- and 988 more\n" in card


def test_a_card_shows_control_characters_as_question_marks(tmp_path: Path) -> None:
    tiny.BundleLake(tmp_path).embedder(source={"licence": "\x1b[2J\x1b]0;mine\x07\u202eTIM\nforged"})
    assert "- licence: ?[2J?]0;mine??TIM?forged\n" in run("models", "show", "tiny", "--lake", tmp_path).stdout


# ---- verify --------------------------------------------------------------------------------------------------------


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


def test_verify_of_a_name_needs_a_lake() -> None:
    result = run("models", "verify", "tiny")
    assert result.exit_code == 2
    assert "needs --lake; a folder here is ./tiny" in result.stderr


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


# ---- what only AutoGluon can run ----------------------------------------------------------------------------------


def test_an_autogluon_bundle_is_pushed_listed_shown_and_pulled(tmp_path: Path) -> None:
    model = put_predictor(tiny.BundleLake(tmp_path / "elsewhere"))
    folder, lake = tmp_path / "elsewhere/models/pets", tmp_path / "lake"
    assert run("models", "push", folder, "--lake", lake).stdout == f"{model} is in file://{lake}\n"
    size = decimal(sum(path.stat().st_size for path in folder.iterdir()))
    assert run("models", "list", "--lake", lake).stdout == f"{model}  autogluon  {size}  binary, 2 labels\n"
    described = json.loads(run("models", "show", "pets", "--lake", lake, "--json").stdout)
    assert (described["model"], described["archive"]) == (model, "predictor.tar")
    run("models", "pull", "pets", tmp_path / "copy", "--lake", lake)
    assert (tmp_path / "copy/predictor.tar").read_bytes() == (folder / "predictor.tar").read_bytes()


def test_a_card_of_a_predictor(tmp_path: Path) -> None:
    model = put_predictor(tiny.BundleLake(tmp_path), source={"torch": "2.13.0"}, metrics={"autogluon_difference": 1e-8})
    for line in [
        f"# {model}",
        "A MultiModalPredictor of records, run by the AutoGluon container; binary, 2 labels.",
        "It holds pickles: loading it runs the code of whoever made it.",
        "- Age, a number",
        "- Tame, a boolean",
        "- up to 2 images a record; a record without one is answered from the rest",
        "- 0: cat",
        "- 1: dog",
        "- torch: 2.13.0",
        "- autogluon difference: 1e-08",
    ]:
        assert line in run("models", "show", "pets", "--lake", tmp_path).stdout.splitlines()
    put_predictor(tiny.BundleLake(tmp_path), "photos", columns=[], problem="regression", labels=[])
    card = run("models", "show", "photos", "--lake", tmp_path).stdout.splitlines()
    assert "A MultiModalPredictor of images, run by the AutoGluon container; regression, a value." in card
    assert "- up to 2 images a record" in card


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
