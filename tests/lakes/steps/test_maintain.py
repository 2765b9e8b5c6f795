"""Maintenance takes away what nobody needs, and nothing that somebody might."""

import os
import time
from pathlib import Path

import pytest

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.steps.maintain import maintain
from tests.builders.executions import Execution, TableLake, nothing

DAY = 86_400.0


def age(path: Path, days: float) -> None:
    """Make the files of a folder this old."""
    then = time.time() - days * DAY
    for file in [path, *path.rglob("*")]:
        if file.is_file():
            os.utime(file, (then, then))


def run(table_lake: TableLake, day: int) -> Execution:
    execution = Execution(table_lake, f"run-{day}", day)
    execution.records("00000", ["same", f"{day}"])
    execution.compact()
    execution.end()
    return execution


def files(table_lake: TableLake) -> set[Path]:
    return {path for path in (table_lake.folder / "warehouse").rglob("*") if path.is_file()}


def test_maintenance_of_a_young_lake_removes_nothing(table_lake: TableLake) -> None:
    run(table_lake, 1)
    before = files(table_lake)
    assert nothing(maintain(table_lake.maintain_settings()))
    assert files(table_lake) == before
    assert (table_lake.folder / "work" / "run-1").exists()


def test_small_files_are_merged_into_one(table_lake: TableLake) -> None:
    for day in range(1, 5):
        run(table_lake, day)
    rows = sorted(table_lake.rows("records"), key=str)
    maintain(table_lake.maintain_settings())
    assert sorted(table_lake.rows("records"), key=str) == rows
    catalog = open_catalog(table_lake.uri, table_lake.catalog_uri)
    for name in ("records", "executions"):
        assert len(list(load_table(catalog, name).scan().plan_files())) == 1


def test_expired_snapshots_are_removed_with_their_files(table_lake: TableLake) -> None:
    for day in range(1, 4):
        run(table_lake, day)
    rows = sorted(table_lake.rows("records"), key=str)
    age(table_lake.folder / "warehouse", 2)
    answer = maintain(table_lake.maintain_settings(snapshot_days=0.0))
    assert answer.expired_snapshots == 4  # of three commits to each of two tables the last is current
    assert answer.deleted_files > 0
    assert sorted(table_lake.rows("records"), key=str) == rows
    age(table_lake.folder / "warehouse", 2)
    assert (
        maintain(table_lake.maintain_settings(snapshot_days=0.0)).expired_snapshots == 2
    )  # the files are merged since
    assert sorted(table_lake.rows("records"), key=str) == rows
    assert len(load_table(open_catalog(table_lake.uri, table_lake.catalog_uri), "records").metadata.snapshots) == 1


@pytest.mark.parametrize(("days", "stays"), [(0.9, True), (1.1, False)])
def test_unreferenced_files_are_removed_once_no_commit_can_need_them(
    table_lake: TableLake, days: float, stays: bool
) -> None:
    run(table_lake, 1)
    age(table_lake.folder / "warehouse", 30)
    (folder,) = (table_lake.folder / "warehouse").glob("records-*/data/experiment_id=pets")
    orphan = folder / "left-by-a-crash.parquet"
    orphan.write_bytes(b"PAR1")
    age(orphan, days)
    answer = maintain(table_lake.maintain_settings())
    assert orphan.exists() == stays
    assert answer.deleted_files == (0 if stays else 1)
    assert len(table_lake.rows("records")) == 2


@pytest.mark.parametrize(
    ("ended", "days", "work_days", "stays"),
    [
        (True, 0.1, 14.0, True),
        (True, 15.0, 14.0, False),
        (True, 0.1, 0.0, False),
        (False, 0.1, 0.0, True),
        (False, 2.9, 0.0, True),
        (False, 3.1, 0.0, False),
    ],
)
def test_work_of_ended_executions_is_removed_after_its_time(
    table_lake: TableLake, ended: bool, days: float, work_days: float, stays: bool
) -> None:
    execution = Execution(table_lake, "some")
    execution.records("00000", ["1"])
    if ended:
        execution.end()
    folder = table_lake.folder / "work" / "some"
    age(folder, days)
    answer = maintain(table_lake.maintain_settings(work_days=work_days))
    assert any(path.is_file() for path in folder.rglob("*")) == stays
    assert answer.deleted_work == (0 if stays else 1)


def test_work_with_one_young_file_is_kept(table_lake: TableLake) -> None:
    execution = Execution(table_lake, "some")
    execution.records("00000", ["1"])
    age(table_lake.folder / "work", 30)
    execution.records("00001", ["2"])
    assert maintain(table_lake.maintain_settings()).deleted_work == 0


def test_results_of_each_map_run_are_removed_by_their_own_age(table_lake: TableLake) -> None:
    for name, days in (("old", 30), ("new", 0)):
        manifest = table_lake.folder / "work" / "map-runs" / name / "manifest.json"
        manifest.parent.mkdir(parents=True)
        manifest.write_text("{}")
        age(manifest, days)
    assert maintain(table_lake.maintain_settings()).deleted_work == 1
    assert (table_lake.folder / "work" / "map-runs" / "new" / "manifest.json").exists()
