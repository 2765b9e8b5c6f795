"""An experiment, or images and records of it, deleted from a lake that runs made: no byte of them is left."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyiceberg.avro.file import AvroFile
from pyiceberg.io.pyarrow import PyArrowFileIO

from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES
from pixlake_cli.engine.engine import Engine
from tests.builders.commands import run
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows
from tests.project import ROOT

SECRET = "Wanda"
FACE = image((7, 77, 177))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make_lake(tmp_path / "lake")


def execute(lake: Lake, *uploads: tuple[Path, str, str]) -> None:
    with Engine(lake.uri, lake.catalog_uri, MODELS, ROOT) as engine:
        for upload, experiment, name in uploads:
            outcome = engine.execute(name, {"upload_uri": f"file://{upload}", "experiment_id": experiment})
            assert outcome.status == "SUCCEEDED", outcome.cause


def everything(lake: Lake, experiment: str) -> dict[str, list[dict[str, Any]]]:
    return {table: rows(lake, table, experiment) for table in TABLES}


def files_with(lake: Lake, text: str) -> list[str]:
    """The files that hold it, in their names, their bytes, or the values of Parquet's columns."""
    folder = Path(str(lake.folder))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [str(path.relative_to(folder)) for path in files if text in str(path) or text in read(path)]


def read(path: Path) -> str:
    if path.suffix == ".parquet":
        return str(pq.read_table(path, partitioning=None).to_pylist())
    if path.suffix == ".avro":
        with AvroFile[Any](PyArrowFileIO().new_input(str(path))) as records:
            return str(list(records))
    return path.read_bytes().decode(errors="replace")


def test_nothing_is_left_of_it_and_the_same_upload_comes_back(lake: Lake, tmp_path: Path) -> None:
    mine: dict[str, bytes | str] = {
        "t.csv": f"id,Age,who\n1,3,{SECRET}\n2,5,x\n,1,y\n",
        "1.png": image(),
        f"{SECRET}.png": image((0, 0, 9)),
    }
    upload = make_zip(tmp_path / "mine.zip", mine)
    other = make_zip(tmp_path / "other.zip", {"t.csv": "id,Age\n1,3\n", "1.png": image()})
    execute(lake, (upload, "mine", "mine-1"), (other, "other", "other-1"))
    before, others = everything(lake, "mine"), everything(lake, "other")
    assert {name.partition("/")[0] for name in files_with(lake, SECRET)} >= {"images", "warehouse", "work"}
    result = run("delete", "--experiment", "mine", "--lake", lake.folder)
    assert (result.exit_code, "Nothing is deleted" in result.stdout) == (0, True)
    assert everything(lake, "mine") == before

    counts = json.loads(run("delete", "--experiment", "mine", "--lake", lake.folder, "--yes", "--json").stdout)
    assert (counts["deleted"], counts["images"], counts["rows"]["records"]) == (True, 2, 2)
    assert everything(lake, "mine") == {table: [] for table in TABLES}
    assert everything(lake, "other") == others
    gone = run("delete", "--experiment", "mine", "--lake", lake.folder, "--yes")
    assert (gone.exit_code, "holds nothing of an experiment 'mine'" in gone.stderr) == (1, True)

    execute(lake, (upload, "mine", "mine-2"))
    assert [row["record_id"] for row in rows(lake, "records", "mine")] == ["1", "2"]
    assert len(rows(lake, "embeddings", "mine")) == 2
    assert everything(lake, "other") == others

    assert run("delete", "--experiment", "mine", "--lake", lake.folder, "--yes").exit_code == 0
    age(lake)
    run("maintain", "--lake", lake.folder, "--snapshot-days", "0")
    assert files_with(lake, SECRET) == []


def make_people(path: Path) -> Path:
    """Records 1 and Wanda with two images each, and orphans; Wanda's only in the table, in names or in the row."""
    members: dict[str, bytes | str] = {
        "t.csv": f"id,Age,who\n1,3,x\n{SECRET},5,hers\n2,4,{SECRET}\n",
        "1.png": image(),
        "1-2.png": image((0, 9, 9)),
        f"{SECRET}.png": FACE,
        f"{SECRET}-2.png": image((9, 9, 9)),
        f"{SECRET} at the sea.png": image((1, 2, 3)),
        f"{SECRET}-broken.png": b"no image",
        "sea.png": image((3, 2, 1)),
    }
    return make_zip(path, members)


def holding(lake: Lake, data: bytes) -> list[str]:
    """The files that hold these bytes."""
    folder = Path(str(lake.folder))
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and data in path.read_bytes()]


def expire(lake: Lake) -> None:
    age(lake)
    assert run("maintain", "--lake", lake.folder, "--snapshot-days", "0").exit_code == 0


def test_nothing_is_left_of_images_and_the_rest_is_as_it_was(lake: Lake, tmp_path: Path) -> None:
    execute(lake, (make_people(tmp_path / "people.zip"), "people", "people-1"))
    mine = [row["image_path"] for row in rows(lake, "embeddings", "people") if SECRET in row["image_path"]]
    before = everything(lake, "people")
    assert len(mine) == 3
    assert any(path.startswith("images/") for path in holding(lake, FACE))
    names = [argument for path in [*mine, f"{SECRET}-broken.png"] for argument in ("--image", path)]
    dry = run("delete", *names, "--lake", lake.folder)
    assert (dry.exit_code, "Nothing is deleted" in dry.stdout, everything(lake, "people")) == (0, True, before)

    (counts,) = json.loads(run("delete", *names, "--lake", lake.folder, "--yes", "--json").stdout)["experiments"]
    assert (counts["images"], counts["rows"]["embeddings"]) == (4, 3)
    assert counts["records_without_an_image_more"] == 1
    after = everything(lake, "people")
    assert after["embeddings"] == [row for row in before["embeddings"] if row["image_path"] not in mine]
    records = {row["record_id"]: (row["has_image"], row["image_paths"]) for row in after["records"]}
    assert records == {"1": (True, ["1.png", "1-2.png"]), SECRET: (False, []), "2": (False, [])}
    expire(lake)
    assert holding(lake, FACE) == []
    assert files_with(lake, f"{SECRET}.png") == files_with(lake, f"{SECRET} at the sea") == []


def test_nothing_is_left_of_the_records_of_a_condition(lake: Lake, tmp_path: Path) -> None:
    execute(lake, (make_people(tmp_path / "people.zip"), "people", "people-1"))
    condition = f"element_at(attributes, 'who') = '{SECRET}' OR record_id = '{SECRET}' OR image_path LIKE '{SECRET}%'"
    (counts,) = json.loads(run("delete", "--where", condition, "--lake", lake.folder, "--yes", "--json").stdout)[
        "experiments"
    ]
    assert (counts["rows"]["records"], counts["images"]) == (2, 3)
    assert [row["record_id"] for row in rows(lake, "records", "people")] == ["1"]
    assert [row["image_path"] for row in rows(lake, "embeddings", "people")] == ["1-2.png", "1.png", "sea.png"]
    run("delete", "--image", f"{SECRET}-broken.png", "--lake", lake.folder, "--yes")
    expire(lake)
    assert (holding(lake, FACE), files_with(lake, SECRET)) == ([], [])


def age(lake: Lake) -> None:
    """Two days later, as maintenance sees it."""
    then = time.time() - 2 * 86_400
    for path in Path(str(lake.folder)).rglob("*"):
        os.utime(path, (then, then))
