"""An experiment deleted from a lake that runs made: nothing of it is left, and it can be put in again."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES
from pixlake_cli.engine.engine import Engine
from tests.builders.commands import run
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows
from tests.project import ROOT

SECRET = "Wanda-Wolkenstein"


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


def age(lake: Lake) -> None:
    """Two days later, as maintenance sees it."""
    then = time.time() - 2 * 86_400
    for path in Path(str(lake.folder)).rglob("*"):
        os.utime(path, (then, then))
