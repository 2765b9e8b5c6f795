"""Maintenance takes away what nobody needs, and nothing that somebody might."""

import os
import time
from pathlib import Path

import pytest

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.steps.maintain import maintain
from tests.unit.compact.executions import Execution, Lake, nothing

DAY = 86_400.0


def age(path: Path, days: float) -> None:
    """Make the files of a folder this old."""
    then = time.time() - days * DAY
    for file in [path, *path.rglob("*")]:
        if file.is_file():
            os.utime(file, (then, then))


def run(lake: Lake, day: int) -> Execution:
    execution = Execution(lake, f"run-{day}", day)
    execution.records("00000", ["same", f"{day}"])
    execution.compact()
    execution.end()
    return execution


def files(lake: Lake) -> set[Path]:
    return {path for path in (lake.folder / "warehouse").rglob("*") if path.is_file()}


def test_a_young_lake_loses_nothing(lake: Lake) -> None:
    run(lake, 1)
    before = files(lake)
    assert nothing(maintain(lake.maintain_settings()))
    assert files(lake) == before
    assert (lake.folder / "work" / "run-1").exists()


def test_small_files_become_one(lake: Lake) -> None:
    for day in range(1, 5):
        run(lake, day)
    rows = sorted(lake.rows("records"), key=str)
    maintain(lake.maintain_settings())
    assert sorted(lake.rows("records"), key=str) == rows
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    for name in ("records", "executions"):
        assert len(list(load_table(catalog, name).scan().plan_files())) == 1


def test_snapshots_expire_and_their_files_go(lake: Lake) -> None:
    for day in range(1, 4):
        run(lake, day)
    rows = sorted(lake.rows("records"), key=str)
    age(lake.folder / "warehouse", 2)
    answer = maintain(lake.maintain_settings(snapshot_days=0.0))
    assert answer.expired_snapshots == 4  # of three commits to each of two tables the last is current
    assert answer.deleted_files > 0
    assert sorted(lake.rows("records"), key=str) == rows
    age(lake.folder / "warehouse", 2)
    assert maintain(lake.maintain_settings(snapshot_days=0.0)).expired_snapshots == 2  # the files are merged since
    assert sorted(lake.rows("records"), key=str) == rows
    assert len(load_table(open_catalog(lake.uri, lake.catalog_uri), "records").metadata.snapshots) == 1


@pytest.mark.parametrize(("days", "stays"), [(0.9, True), (1.1, False)])
def test_files_that_no_snapshot_names_go_when_no_commit_can_want_them(lake: Lake, days: float, stays: bool) -> None:
    run(lake, 1)
    age(lake.folder / "warehouse", 30)
    orphan = lake.folder / "warehouse" / "records" / "data" / "experiment_id=pets" / "left-by-a-crash.parquet"
    orphan.write_bytes(b"PAR1")
    age(orphan, days)
    answer = maintain(lake.maintain_settings())
    assert orphan.exists() == stays
    assert answer.deleted_files == (0 if stays else 1)
    assert len(lake.rows("records")) == 2


@pytest.mark.parametrize(
    ("ended", "days", "work_days", "stays"),
    [
        (True, 0.1, 14.0, True),
        (True, 15.0, 14.0, False),
        (True, 0.1, 0.0, False),
        (False, 0.1, 0.0, True),
        (False, 1.1, 0.0, False),
    ],
)
def test_work_goes_when_it_is_over(lake: Lake, ended: bool, days: float, work_days: float, stays: bool) -> None:
    execution = Execution(lake, "some")
    execution.records("00000", ["1"])
    if ended:
        execution.end()
    folder = lake.folder / "work" / "some"
    age(folder, days)
    answer = maintain(lake.maintain_settings(work_days=work_days))
    assert any(path.is_file() for path in folder.rglob("*")) == stays
    assert answer.deleted_work == (0 if stays else 1)


def test_work_with_one_young_file_stays(lake: Lake) -> None:
    execution = Execution(lake, "some")
    execution.records("00000", ["1"])
    age(lake.folder / "work", 30)
    execution.records("00001", ["2"])
    assert maintain(lake.maintain_settings()).deleted_work == 0


def test_the_results_of_each_map_run_go_by_themselves(lake: Lake) -> None:
    for name, days in (("old", 30), ("new", 0)):
        manifest = lake.folder / "work" / "map-runs" / name / "manifest.json"
        manifest.parent.mkdir(parents=True)
        manifest.write_text("{}")
        age(manifest, days)
    assert maintain(lake.maintain_settings()).deleted_work == 1
    assert (lake.folder / "work" / "map-runs" / "new" / "manifest.json").exists()
