import json
from pathlib import Path
from typing import Any

import pytest
from rich.filesize import decimal

from pixlake.schemas import TABLES
from pixlake.sql.dialect import translate
from pixlake.sql.warehouse import Limits, connect
from tests.builders import tiny
from tests.builders.commands import run
from tests.builders.predictors import put_predictor


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
    assert "\n- 11: 9\n- and 988 more, by `pixlake models labels classes`\n" in card


def test_labels_with_their_ids_are_on_the_card_and_in_a_csv(tmp_path: Path) -> None:
    labels = ["tench, Tinca tinca", "cock", *map(str, range(11))]
    ids = [f"n{index:08}" for index in range(13)]
    lake, graph = tiny.BundleLake(tmp_path), b"graph"
    lake.classifier("classes", graph, [tiny.image_input()], labels=labels, label_ids=ids)
    lake.classifier("colors", graph, [tiny.image_input()])
    assert "- 1 n00000001: cock\n" in run("models", "show", "classes", "--lake", tmp_path).stdout
    listed = run("models", "labels", "classes", "--lake", tmp_path).stdout.splitlines()
    assert listed[:3] == ["class_id,label_id,label", '0,n00000000,"tench, Tinca tinca"', "1,n00000001,cock"]
    assert len(listed) == 14
    assert run("models", "labels", "colors", "--lake", tmp_path).stdout == (
        "class_id,label_id,label\n0,,red\n1,,green\n2,,blue\n"
    )


def test_an_embedder_has_no_labels_to_list(tmp_path: Path) -> None:
    tiny.BundleLake(tmp_path).embedder()
    done = run("models", "labels", "tiny", "--lake", tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "has no labels" in done.stderr


@pytest.mark.parametrize(("ids", "known"), [(["n1", "n2", "n3"], "n2"), (None, None)])
def test_a_query_joins_labels_with_their_ids(tmp_path: Path, ids: list[str] | None, known: str | None) -> None:
    changes: dict[str, Any] = {"label_ids": ids} if ids else {}
    lake = tiny.BundleLake(tmp_path)
    model = lake.classifier("kinds", b"", [tiny.image_input()], labels=["a", "cat's", "c"], **changes)
    table = run("models", "labels", "kinds", "--sql", "--lake", tmp_path).stdout
    predictions = f"predictions AS (SELECT * FROM (VALUES ('{model}', 'cat''s')) AS t (model, label))"
    joined = "SELECT class_id, label_id, label FROM predictions JOIN labels USING (model, label)"
    query = f"WITH {table}, {predictions} {joined}"
    connection = connect(Path("/nowhere"), Limits(1 << 30, tmp_path / "spill", 1 << 20))
    assert connection.execute(translate(query, TABLES).sql).fetchall() == [(1, known, "cat's")]


def test_a_card_shows_control_characters_as_question_marks(tmp_path: Path) -> None:
    tiny.BundleLake(tmp_path).embedder(source={"licence": "\x1b[2J\x1b]0;mine\x07\u202eTIM\nforged"})
    assert "- licence: ?[2J?]0;mine??TIM?forged\n" in run("models", "show", "tiny", "--lake", tmp_path).stdout


def test_verify_of_a_name_needs_a_lake() -> None:
    result = run("models", "verify", "tiny")
    assert result.exit_code == 2
    assert "needs --lake; a folder here is ./tiny" in result.stderr


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
