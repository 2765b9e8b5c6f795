"""`pixlake classify`: one image's class, by a model of the lake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders import tiny
from tests.builders.commands import run
from tests.builders.model_lakes import image
from tests.builders.tiny import BundleLake

RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with a classifier of colors: its logits are the image's mean values, so red is the class 0."""
    models = BundleLake(tmp_path / "lake")
    models.embedder("vectors")
    graph = tiny.image_graph(np.eye(3, dtype=np.float32))
    models.classifier("colors", graph, [tiny.image_input()], kind="image_classifier")
    return tmp_path / "lake"


def put(path: Path, color: tuple[int, int, int]) -> Path:
    path.write_bytes(image(color))
    return path


def classify(*arguments: object, code: int = 0) -> list[dict[str, Any]]:
    result = run("classify", *arguments, "--json")
    assert result.exit_code == code, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_image_is_a_line_with_its_class(lake: Path, tmp_path: Path) -> None:
    paths = [put(tmp_path / "red.png", RED), put(tmp_path / "green.png", GREEN)]
    red, green = classify(*paths, "--lake", lake)
    assert list(red) == ["image", "label", "score", "class_id", "model"]
    assert (red["image"], red["label"], red["class_id"]) == (str(paths[0]), "red", 0)
    assert (green["label"], green["class_id"]) == ("green", 1)
    assert red["model"].startswith("colors@")
    logits = (np.array(RED) / 255 - tiny.MEAN) / tiny.STD
    assert red["score"] == pytest.approx(float(np.exp(logits[0]) / np.exp(logits).sum()), abs=1e-5)


def test_top_gives_the_most_probable_classes_best_first(lake: Path, tmp_path: Path) -> None:
    (answer,) = classify(put(tmp_path / "green.png", GREEN), "--lake", lake, "--top", 9)
    assert [each["class_id"] for each in answer["classes"]] == [1, 2, 0]
    assert answer["classes"][0] == {key: answer[key] for key in ("label", "score", "class_id")}
    assert sum(each["score"] for each in answer["classes"]) == pytest.approx(1)


def test_a_labels_id_is_given_where_the_model_has_it(lake: Path, tmp_path: Path) -> None:
    ids, graph = ["n04955633", "n04967191", "n04968895"], tiny.image_graph(np.eye(3, dtype=np.float32))
    BundleLake(lake).classifier("known", graph, [tiny.image_input()], kind="image_classifier", label_ids=ids)
    path = put(tmp_path / "green.png", GREEN)
    (answer,) = classify(path, "--lake", lake, "--model", "known", "--top", 2)
    assert (answer["label"], answer["class_id"], answer["label_id"]) == ("green", 1, "n04967191")
    assert [each["label_id"] for each in answer["classes"]] == ["n04967191", "n04968895"]
    assert "1 n04967191" in run("classify", path, "--lake", lake, "--model", "known").stdout


def test_an_image_that_is_broken_has_its_reason_and_the_others_their_class(lake: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    first, second = classify(broken, put(tmp_path / "red.png", RED), "--lake", lake, code=1)
    assert (first["label"], first["class_id"], first["reason"]) == (None, None, "not_an_image")
    assert second["label"] == "red"
    table = run("classify", broken, tmp_path / "red.png", "--lake", lake)
    assert table.exit_code == 1
    assert "not_an_image" in table.stdout
    assert "red" in table.stdout


def test_which_model_is_asked_and_what_is_said_where_none_can_be(lake: Path, tmp_path: Path) -> None:
    path = put(tmp_path / "red.png", RED)
    BundleLake(lake).classifier("others", tiny.image_graph(np.eye(3, dtype=np.float32)), [tiny.image_input()])
    cases: list[tuple[list[object], int, str]] = [
        (["--lake", lake], 2, "name one as the model: colors, others"),
        (["--lake", lake, "--model", "none"], 1, "there are: colors, others, vectors"),
        (["--lake", lake, "--model", "vectors"], 1, "does not classify images"),
        (["--lake", tmp_path / "empty"], 1, "pixlake models push"),
    ]
    for arguments, code, message in cases:
        result = run("classify", path, *arguments)
        assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    (answer,) = classify(path, "--lake", lake, "--model", "others")
    assert answer["model"].startswith("others@")
    assert not (tmp_path / "empty").exists()


def test_a_demo_model_answers_only_where_there_is_no_other_and_says_so(lake: Path, tmp_path: Path) -> None:
    path, source = put(tmp_path / "red.png", RED), {"rebuild": "make demo-models"}
    graph = tiny.image_graph(np.eye(3, dtype=np.float32))
    for where in (lake, tmp_path / "demo"):
        BundleLake(where).classifier("emoji", graph, [tiny.image_input(missing="zero")], source=source)
    (answer,) = classify(path, "--lake", lake)
    assert answer["model"].startswith("colors@")
    result = run("classify", path, "--lake", tmp_path / "demo")
    assert result.exit_code == 0
    assert "emoji is a demo model" in result.stderr


def test_the_model_that_comes_with_pixlake_answers_before_a_demo_model_and_after_ones_own(
    lake: Path, tmp_path: Path
) -> None:
    path, graph = put(tmp_path / "red.png", RED), tiny.image_graph(np.eye(3, dtype=np.float32))
    sources = {"emoji": {"rebuild": "make demo-models"}, "photo": {"rebuild": "make photo-models"}}
    for where in (lake, tmp_path / "shipped"):
        for name, source in sources.items():
            BundleLake(where).classifier(name, graph, [tiny.image_input(missing="zero")], source=source)
    found = [classify(path, "--lake", where)[0]["model"].partition("@")[0] for where in (lake, tmp_path / "shipped")]
    assert found == ["colors", "photo"]


def test_a_regression_answers_with_a_value(lake: Path, tmp_path: Path) -> None:
    graph = tiny.image_graph(np.ones((3, 1), dtype=np.float32))
    regression: dict[str, Any] = {"problem": "regression", "labels": (), "regression": {"mean": 1.0, "scale": 2.0}}
    output = {"tensor": "answer", "activation": "none"}
    BundleLake(lake).classifier("ages", graph, [tiny.image_input()], output=output, **regression)
    (answer,) = classify(put(tmp_path / "red.png", RED), "--lake", lake, "--model", "ages")
    expected = float(np.sum((np.array(RED) / 255 - tiny.MEAN) / tiny.STD)) * 2 + 1
    assert (answer["label"], answer["value"]) == (None, pytest.approx(expected, rel=1e-5))
