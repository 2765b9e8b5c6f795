"""`pixlake map`: an experiment's images in two dimensions."""

import base64
import json
import re
import struct
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixlake.iceberg.lakes import Lake
from pixlake.pages import experimentmap
from tests.builders.commands import run
from tests.builders.zoo import MODEL, folder_of, put_rows

NAMES = ("left", "right", "above", "below")
PLACES = ([-2.0, 0.0, 5.0], [2.0, 0.0, 5.0], [0.0, 1.0, 5.0], [0.0, -1.0, 5.0])


@pytest.fixture
def cross(own_zoo_lake: Lake) -> Lake:
    """Four images, which differ along two directions; `left` has a picture, a record and a label."""
    rows = [
        {"image_path": f"{name}.png", "record_id": name, "embedding": place, "width": 30, "height": 20}
        for name, place in zip(NAMES, PLACES, strict=True)
    ]
    put_rows(own_zoo_lake, "embeddings", rows, "cross", "cross")
    attributes = [("color", "<b>red")]
    put_rows(
        own_zoo_lake, "records", [{"record_id": "left", "image_paths": [], "attributes": attributes}], "r", "cross"
    )
    put_rows(own_zoo_lake, "predictions", [{"record_id": "left", "label": "cat", "score": 0.5}], "p", "cross")
    (folder_of(own_zoo_lake) / "images").mkdir()
    Image.new("RGB", (30, 20), (250, 10, 10)).save(folder_of(own_zoo_lake) / "images" / "left.png")
    return own_zoo_lake


def draw(lake: Lake, output: Path, *arguments: object) -> dict[str, Any]:
    """What the page of the experiment holds."""
    given = ("map", "--lake", lake.folder, "--experiment", "cross", "--output", output)
    result = run(*given, *arguments)
    assert result.exit_code == 0, result.stderr
    (data,) = re.findall(r'type="application/json">(.*?)</script>', output.read_text("utf-8"), re.DOTALL)
    found: dict[str, Any] = json.loads(data)
    return found


def places(lake: Lake, *arguments: object) -> list[dict[str, Any]]:
    result = run("map", "--lake", lake.folder, "--experiment", "cross", "--method", "pca", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return sorted(found, key=lambda image: NAMES.index(image["record_id"]))


def test_the_first_direction_is_that_of_the_largest_differences(cross: Lake) -> None:
    found = places(cross)
    assert [(abs(image["x"]), abs(image["y"])) for image in found] == [
        pytest.approx(place, abs=1e-6) for place in [(2, 0), (2, 0), (0, 1), (0, 1)]
    ]
    assert found[0]["x"] == -found[1]["x"]
    assert found[0] | {"x": 0, "y": 0} == {
        "image_path": "left.png", "record_id": "left", "x": 0, "y": 0, "color": "cat",
    }  # fmt: skip
    assert places(cross) == found


def test_the_page_has_every_place_the_columns_and_the_pictures_that_there_are(cross: Lake, tmp_path: Path) -> None:
    page = draw(cross, tmp_path / "map.html", "--method", "pca")
    at = page["paths"].index("left.png")
    steps = struct.unpack("<8H", base64.b64decode(page["places"]))
    assert {steps[2 * at], steps[2 * page["paths"].index("right.png")]} == {0, 65_535}
    assert {max(steps[1::2]), min(steps[1::2])} == {32_768, 0}, "in the same measure"
    assert list(page["pictures"]) == [str(at)]
    assert page["pictures"][str(at)].startswith("data:image/webp;base64,")
    columns = {column["name"]: column for column in page["columns"]}
    assert list(columns) == ["label", "score", "predicted_by", "color", "width", "height"]
    assert (columns["color"]["texts"], columns["color"]["which"][at]) == (["<b>red"], 0)
    assert sorted(columns["color"]["which"]) == [-1, -1, -1, 0]
    assert columns["score"]["numbers"][at] == 0.5
    assert page["color"] == "label"
    assert page["search"] == f"--experiment cross --lake {cross.folder} --model {MODEL}"


def test_the_color_is_any_column(cross: Lake, tmp_path: Path) -> None:
    assert draw(cross, tmp_path / "map.html", "--color", "color")["color"] == "color"
    assert places(cross, "--color", "width")[0]["color"] == 30


def test_of_many_images_the_page_has_some_pictures_and_the_columns_that_color_them(
    cross: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experimentmap, "DETAILED", 3)
    monkeypatch.setattr(experimentmap, "PICTURES", 0)
    page = draw(cross, tmp_path / "map.html", "--color", "color")
    assert [column["name"] for column in page["columns"]] == ["label", "score", "color"]
    assert (len(page["paths"]), page["pictures"]) == (4, {})


def test_the_page_is_opened_in_the_browser(cross: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def show(uri: str) -> bool:
        opened.append(uri)
        return True

    monkeypatch.setattr(webbrowser, "open", show)
    draw(cross, tmp_path / "map.html", "--open")
    assert opened == [(tmp_path / "map.html").as_uri()]


def test_errors_say_what_to_do(cross: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_rows(cross, "embeddings", [{"image_path": f"{n}.png", "embedding": [1.0]} for n in range(2)], "few", "few")
    twice = [{"image_path": f"{n}.png", "embedding": [float(n)], "model": m} for n in range(3) for m in ("a@1", "b@2")]
    put_rows(cross, "embeddings", twice, "twice", "twice")
    monkeypatch.setattr("pixlake.pages.plane.find_spec", lambda _: None)
    cases: list[tuple[list[object], int, str]] = [
        (["none"], 1, "experiment 'none'"),
        (["few"], 2, "has 2 images with a vector by"),
        (["twice"], 2, "choose one by --model: a@1 (3), b@2 (3)"),
        (["twice", "--model", "c"], 1, "there are embeddings by: a@1, b@2"),
        (
            ["cross", "--color", "size"],
            2,
            "no column 'size'; there are label, score, predicted_by, color, width, height",
        ),
        (["cross", "--method", "umap"], 2, "pip install umap-learn"),
        (["cross", "--output", tmp_path / "no" / "map.html"], 2, "cannot write"),
    ]
    for (experiment, *arguments), code, message in cases:
        result = run("map", "--lake", cross.folder, "--experiment", experiment, *arguments)
        assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert run("map", "--lake", cross.folder, "--experiment", "twice", "--model", "b", "--json").exit_code == 0
