"""`pixlake delete --image` and `--where` on a lake: what they choose and refuse, and what a crash leaves."""

import json
from pathlib import Path
from typing import Any

import pytest

from pixlake.errors import StorageError
from pixlake.iceberg.lakes import Lake
from pixlake_cli import erasing
from tests.builders.commands import run
from tests.builders.model_lakes import rows
from tests.builders.zoo import put_rows

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture
def zoo(own_zoo_lake: Lake) -> Lake:
    """With an image in two experiments, and an orphan's prediction without a vector."""
    put_rows(own_zoo_lake, "embeddings", [{"image_path": "car.png", "embedding": [1.0, 0, 0]}], "2", "garage")
    put_rows(own_zoo_lake, "predictions", [{"image_path": "bus.png", "label": "thing"}], "2", "garage")
    return own_zoo_lake


def delete(lake: Lake, *arguments: str) -> list[dict[str, Any]]:
    result = run("delete", *arguments, "--lake", lake.folder, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["experiments"]
    return found


def names(lake: Lake, table: str, column: str = "image_path") -> list[str]:
    return [row[column] for row in rows(lake, table)]


def test_an_image_goes_from_every_experiment_unless_one_is_named(zoo: Lake) -> None:
    delete(zoo, "--image", "car.png", "--experiment", "garage", "--yes")
    assert names(zoo, "embeddings") == ["car.png", "cat.png", "lion.png"]
    put_rows(zoo, "embeddings", [{"image_path": "car.png", "embedding": [1.0, 0, 0]}], "3", "garage")
    assert [each["experiment"] for each in delete(zoo, "--image", "car.png", "--yes")] == ["garage", "zoo"]
    assert names(zoo, "embeddings") == ["cat.png", "lion.png"]


def test_an_image_of_a_lake_from_before_the_table_links_leaves_its_record(zoo: Lake) -> None:
    delete(zoo, "--image", "cat.png", "--yes")
    (cat, none) = rows(zoo, "records")
    assert (cat["image_paths"], cat["has_image"], none["has_image"]) == (["cat-2.png"], True, False)


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("label = 'thing'", (["cat.png", "lion.png"], ["cat", "none"])),
        ("element_at(attributes, 'name') LIKE 'cat%' -- hers", (["car.png", "car.png", "lion.png"], ["none"])),
        ("image_path IS NULL", (["car.png", "car.png", "cat.png", "lion.png"], ["cat"])),
        ("experiment_id = 'zoo' AND width = 640", (["car.png", "cat.png"], ["cat", "none"])),
    ],
)
def test_a_condition_chooses_records_and_images_without_one(
    zoo: Lake, condition: str, left: tuple[list[str], list[str]]
) -> None:
    if condition.startswith("label"):
        put_rows(zoo, "predictions", [{"image_path": "car.png", "label": "thing"}], "3", "garage")
    delete(zoo, "--where", condition, "--yes")
    assert (names(zoo, "embeddings"), names(zoo, "records", "record_id")) == left


def test_without_yes_it_counts_and_changes_nothing(zoo: Lake) -> None:
    before = rows(zoo, "embeddings")
    (counts,) = delete(zoo, "--where", "record_id = 'cat'")
    assert counts["rows"] == {"records": 1, "links": 0, "embeddings": 1, "predictions": 1, "rejects": 0}
    assert rows(zoo, "embeddings") == before
    said = run("delete", "--where", "record_id = 'cat'", "--lake", zoo.folder).stdout
    assert "zoo: 1 records, 1 embeddings, 1 predictions" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--image", "cat.png", "--image", "dog.png"], 1, "holds nothing of 'dog.png'; nothing is deleted"),
        (["--where", "label = 'plant'"], 1, "nothing for which the condition is true"),
        (["--where", "colour = 'red'"], 2, "colour"),
        ([], 2, "say what to delete"),
    ],
)
def test_what_cannot_be_deleted_says_why(zoo: Lake, arguments: list[str], code: int, said: str) -> None:
    result = run("delete", *arguments, "--lake", zoo.folder, "--yes")
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr
    assert len(rows(zoo, "embeddings")) == 4


def test_an_interrupted_deletion_is_finished_by_the_next(zoo: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Path(str(zoo.folder)) / "images" / "zoo" / "0123456789abcdef" / "cat.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"the cat")

    def fail(*_: object) -> None:
        raise StorageError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(erasing, "prune_indexes", fail)
        assert run("delete", "--where", "record_id = 'cat'", "--lake", zoo.folder, "--yes").exit_code == 1
    assert image.is_file()
    delete(zoo, "--where", "image_path = 'lion.png'", "--yes")
    assert not image.exists()
    assert names(zoo, "embeddings") == ["car.png", "car.png"]
    assert not list(Path(str(zoo.folder)).rglob("deletion.json"))
