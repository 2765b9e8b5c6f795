"""`pixlake duplicates`: groups of images that are nearly the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixlake.iceberg.lakes import Lake
from tests.builders.commands import run
from tests.builders.zoo import folder_of, put_rows

GRAY, RED = (90, 90, 90), (250, 10, 10)


@pytest.fixture
def album(own_zoo_lake: Lake) -> Lake:
    """A lake with copies: `small` of `large` (both of `middle`'s size or less), `twin` of `car`, and one alone."""
    vectors = {
        "large": ([1.0, 0.0, 0.0], (900, 600)),
        "small": ([0.9998, 0.02, 0.0], (90, 60)),
        "middle": ([0.9992, 0.04, 0.0], (300, 200)),
        "alone": ([0.0, 1.0, 0.0], (10, 10)),
        "car": ([0.0, 0.0, 1.0], (30, 20)),
        "bike": ([0.0, 0.0, 1.0], (20, 30)),
    }
    rows = [
        {"image_path": f"{name}.png", "embedding": vector, "width": size[0], "height": size[1]}
        for name, (vector, size) in vectors.items()
    ]
    put_rows(own_zoo_lake, "embeddings", rows, "album", "album")
    (folder_of(own_zoo_lake) / "images").mkdir()
    for name, color in (("large", GRAY), ("bike", RED)):
        Image.new("RGB", (30, 20), color).save(folder_of(own_zoo_lake) / "images" / f"{name}.png")
    return own_zoo_lake


def duplicates(lake: Lake, *arguments: object) -> Any:
    result = run("duplicates", "--lake", lake.folder, "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_groups_have_the_image_with_most_pixels_first_and_then_the_order_of_paths(album: Lake) -> None:
    assert duplicates(album, "--experiment", "album") == [
        ["bike.png", "car.png"],
        ["large.png", "middle.png", "small.png"],
    ]


def test_the_threshold_decides_what_is_linked(album: Lake) -> None:
    assert duplicates(album, "--experiment", "album", "--threshold", "0.99999") == [["bike.png", "car.png"]]
    (everything,) = duplicates(album, "--experiment", "zoo", "--threshold", "0.7")
    assert everything == ["lion.png", "cat.png"]


def test_an_experiment_without_copies_has_no_groups(album: Lake) -> None:
    assert duplicates(album, "--experiment", "zoo") == []
    result = run("duplicates", "--lake", album.folder, "--experiment", "none")
    assert (result.exit_code, "experiment 'none'" in result.stderr) == (1, True)


def test_the_table_says_which_to_keep_and_the_sheet_shows_the_groups(album: Lake, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    result = run("duplicates", "--lake", album.folder, "--experiment", "album", "--sheet", sheet)
    kept = [line.split() for line in result.stdout.splitlines() if line.rstrip().endswith("keep")]
    assert kept == [
        ["1", "bike.png", "20", "x", "30", "1.0000", "keep"],
        ["2", "large.png", "900", "x", "600", "1.0000", "keep"],
    ]
    assert "2 groups; without the images to keep, 3 are left over" in result.stderr
    with Image.open(sheet) as picture:
        colors = {color for _, color in picture.getcolors(1 << 20) or []}
    assert {GRAY, RED} <= colors
