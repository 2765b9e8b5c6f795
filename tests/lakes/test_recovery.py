"""A catalog that lost or changed its pointers costs no file, and its tables can be registered again."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.table.snapshots import Snapshot

from pixlake.errors import BadRequest
from pixlake.iceberg.catalog import commit_rows, load_table, open_catalog
from pixlake.iceberg.maintenance import choose_expired, delete_orphans, expire_snapshots
from pixlake.iceberg.recovery import register_tables
from pixlake.schemas import RECORDS, TABLES
from pixlake.settings import MaintainSettings
from pixlake.steps.maintain import maintain

DAY = 86_400


def put_record(lake_folder: Path, record_id: str, catalog: str = "catalog.db") -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    row = {"experiment_id": "pets", "record_id": record_id, "has_image": False, "image_paths": [], "attributes": []}
    rows = pa.Table.from_pylist([row | {"uploaded_at": now, "processed_at": now}], schema=RECORDS.columns)
    commit_rows(open_catalog(f"file://{lake_folder}", f"sqlite:///{lake_folder}/{catalog}"), "records", rows, record_id)


def record_ids(lake_folder: Path) -> list[str]:
    catalog = open_catalog(f"file://{lake_folder}", f"sqlite:///{lake_folder}/catalog.db")
    found: list[str] = load_table(catalog, "records").scan().to_arrow()["record_id"].to_pylist()
    return sorted(found)


def lose_catalog(lake_folder: Path) -> None:
    for path in lake_folder.glob("catalog.db*"):
        path.unlink()


def age(lake_folder: Path, days: float) -> None:
    then = time.time() - days * DAY
    for path in (lake_folder / "warehouse").rglob("*"):
        os.utime(path, (then, then))


def files(lake_folder: Path) -> set[Path]:
    return {path for path in (lake_folder / "warehouse").rglob("*") if path.is_file()}


@pytest.fixture
def lake_folder(tmp_path: Path) -> Path:
    for record_id in ("a", "b"):
        put_record(tmp_path, record_id)
    age(tmp_path, 3)
    return tmp_path


def settings(lake_folder: Path, catalog: str = "catalog.db") -> MaintainSettings:
    return MaintainSettings(f"file://{lake_folder}", f"sqlite:///{lake_folder}/{catalog}")


def test_maintenance_with_a_lost_catalog_deletes_no_file(lake_folder: Path) -> None:
    before = files(lake_folder)
    lose_catalog(lake_folder)
    answer = maintain(settings(lake_folder))
    assert answer.deleted_files == 0
    assert before <= files(lake_folder)


def test_maintenance_makes_no_table(lake_folder: Path) -> None:
    lose_catalog(lake_folder)
    before = files(lake_folder)
    answer = maintain(settings(lake_folder))
    assert files(lake_folder) == before
    assert any("pixlake tables --register" in line for line in answer.skipped)


def test_maintenance_of_another_catalog_on_the_same_lake_deletes_no_file(lake_folder: Path) -> None:
    before = files(lake_folder)
    put_record(lake_folder, "c", "other.db")
    maintain(settings(lake_folder, "other.db"))
    assert before <= files(lake_folder)
    assert record_ids(lake_folder) == ["a", "b"]


def test_orphans_beside_metadata_of_another_table_are_kept(lake_folder: Path) -> None:
    table = load_table(open_catalog(f"file://{lake_folder}", f"sqlite:///{lake_folder}/catalog.db"), "records")
    location = Path(table.location().removeprefix("file://"))
    foreign = next(
        path for path in (lake_folder / "warehouse").rglob("*.metadata.json") if location not in path.parents
    )
    (location / "metadata" / f"copied-{foreign.name}").write_bytes(foreign.read_bytes())
    (location / "data" / "orphan.parquet").write_bytes(b"x")
    age(lake_folder, 3)
    deleted, reason = delete_orphans(table, datetime.now(UTC) - timedelta(days=1))
    assert (deleted, "another table" in reason) == (0, True)
    assert (location / "data" / "orphan.parquet").exists()


def test_a_lost_catalog_is_registered_again_with_all_rows(lake_folder: Path) -> None:
    lose_catalog(lake_folder)
    found = register_tables(f"file://{lake_folder}", f"sqlite:///{lake_folder}/catalog.db")
    assert {each.table for each in found if each.registered} == set(TABLES)
    assert record_ids(lake_folder) == ["a", "b"]
    put_record(lake_folder, "c")
    assert record_ids(lake_folder) == ["a", "b", "c"]


def test_registering_replaces_tables_that_were_made_empty_since(lake_folder: Path) -> None:
    lose_catalog(lake_folder)
    open_catalog(f"file://{lake_folder}", f"sqlite:///{lake_folder}/catalog.db")
    register_tables(f"file://{lake_folder}", f"sqlite:///{lake_folder}/catalog.db")
    assert record_ids(lake_folder) == ["a", "b"]


def test_registering_takes_the_newest_metadata(lake_folder: Path) -> None:
    put_record(lake_folder, "c")
    lose_catalog(lake_folder)
    register_tables(f"file://{lake_folder}", f"sqlite:///{lake_folder}/catalog.db")
    assert record_ids(lake_folder) == ["a", "b", "c"]


def test_registering_changes_no_table_that_has_rows(lake_folder: Path) -> None:
    found = register_tables(f"file://{lake_folder}", f"sqlite:///{lake_folder}/catalog.db")
    assert not any(each.registered for each in found)
    assert record_ids(lake_folder) == ["a", "b"]


def test_a_catalog_whose_tables_lie_in_another_lake_is_refused(
    lake_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(BadRequest, match="lies outside of the lake"):
        load_table(open_catalog(f"file://{elsewhere}", f"sqlite:///{lake_folder}/catalog.db"), "records")


def snapshot_of(number: int, when: datetime) -> Snapshot:
    known = {"snapshot-id": number, "timestamp-ms": int(when.timestamp() * 1000), "manifest-list": "x"}
    return Snapshot.model_validate(known)


def test_time_travel_reaches_back_over_all_the_days_kept() -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    days = (20, 10, 8, 3, 1)
    snapshots = [
        Snapshot.model_validate(
            {
                "snapshot-id": day,
                "timestamp-ms": int((now - timedelta(days=day)).timestamp() * 1000),
                "manifest-list": "manifests.avro",
            }
        )
        for day in days
    ]
    assert choose_expired(snapshots, now - timedelta(days=7)) == [20, 10]


def test_expiring_keeps_what_was_current_at_the_cutoff(lake_folder: Path) -> None:
    put_record(lake_folder, "c")
    cutoff = datetime.now(UTC)
    time.sleep(0.01)
    put_record(lake_folder, "d")
    table = load_table(open_catalog(f"file://{lake_folder}", f"sqlite:///{lake_folder}/catalog.db"), "records")
    assert expire_snapshots(table, cutoff) == 2
    then = table.refresh().snapshot_as_of_timestamp(int(cutoff.timestamp() * 1000))
    assert then is not None
    assert sorted(table.scan(snapshot_id=then.snapshot_id).to_arrow()["record_id"].to_pylist()) == ["a", "b", "c"]
