"""A lake that was moved or copied opens at its new place, with all its snapshots, for Pixlake and for other readers."""

import shutil
from pathlib import Path
from typing import Any

import boto3
import pytest
from datafusion import SessionContext
from moto.server import ThreadedMotoServer

from pixlake import storage
from pixlake.errors import BadRequest, MissingObject, StorageError
from pixlake.iceberg import moving
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.iceberg.moving import move_tables
from pixlake.schemas import EMBEDDINGS, RECORDS
from tests.builders.commands import run
from tests.builders.deletes import commit_deletes
from tests.builders.zoo import fill, folder_of, put_rows
from tests.contract.places import s3_lake


@pytest.fixture
def zoo(tmp_path: Path) -> Lake:
    """Two snapshots of `records`, of which the first has a row less."""
    lake = fill(Lake.at(str(tmp_path / "here (1) 100%")))
    put_rows(lake, "records", [{"record_id": "late", "image_paths": [], "attributes": []}], "2")
    for path in ("cat.png", "images/zoo.png"):
        storage.write(f"{lake.uri}/images/{path}", b"image")
    return lake


def rows(lake: Lake, name: str, snapshot: int | None = None) -> list[dict[str, Any]]:
    """As pyiceberg reads them."""
    table = load_table(open_catalog(lake.uri, lake.catalog_uri), name)
    return sorted(table.scan(snapshot_id=snapshot).to_arrow().to_pylist(), key=str)


def snapshots(lake: Lake) -> list[int]:
    table = load_table(open_catalog(lake.uri, lake.catalog_uri), RECORDS.name)
    return [each.snapshot_id for each in table.snapshots()]


def moved(lake: Lake, name: str = "there/it is") -> Lake:
    """The lake at its new place, where it does not open yet."""
    folder = folder_of(lake)
    target = folder.parent / name
    target.parent.mkdir(exist_ok=True)
    folder.rename(target)
    there = Lake.at(str(target))
    with pytest.raises(BadRequest, match="pixlake tables --move"):
        there.existing()
    return there


def assert_there(lake: Lake, before: dict[str, list[dict[str, Any]]]) -> None:
    """All rows, but for the URIs of the images, which are the lake's."""
    # as text, for a score may be NaN
    others = [name for name in before if name != "embeddings"]
    assert [str(rows(lake, name)) for name in others] == [str(before[name]) for name in others]
    found = rows(lake, "embeddings")
    assert {row["image_uri"].rpartition("/")[0] for row in found} == {f"{lake.uri}/images"}
    assert [row | {"image_uri": ""} for row in found] == [row | {"image_uri": ""} for row in before["embeddings"]]


@pytest.fixture
def before(zoo: Lake) -> dict[str, list[dict[str, Any]]]:
    return {name: rows(zoo, name) for name in ("records", "embeddings", "predictions")}


def test_a_moved_folder_opens_with_its_rows_and_snapshots(zoo: Lake, before: dict[str, list[dict[str, Any]]]) -> None:
    first = snapshots(zoo)[0]
    earlier = rows(zoo, "records", first)
    there = moved(zoo)
    result = run("tables", "--move", "--lake", there.folder)
    assert result.exit_code == 0, result.output
    assert "moved records from " in result.stderr
    assert there.existing() == there
    assert_there(there, before)
    assert rows(there, "records", first) == earlier != before["records"]
    context = SessionContext()
    context.register_table("records", load_table(open_catalog(there.uri, there.catalog_uri), "records"))
    assert len(context.sql("SELECT * FROM records").to_pylist()) == 3
    put_rows(there, "records", [{"record_id": "new", "image_paths": [], "attributes": []}], "3")
    assert len(rows(there, "records")) == 4
    assert move_tables(there.uri, there.catalog_uri) == []


def test_a_copy_leaves_the_lake_that_it_is_of_as_it_is(zoo: Lake, before: dict[str, list[dict[str, Any]]]) -> None:
    copy = Lake.at(str(folder_of(zoo).parent / "copy"))
    shutil.copytree(folder_of(zoo), folder_of(copy))
    move_tables(copy.uri, copy.catalog_uri)
    shutil.rmtree(folder_of(zoo) / "images")
    assert_there(copy, before)
    assert str({name: rows(zoo, name) for name in before}) == str(before)
    again = moved(copy, "further/on")
    move_tables(again.uri, again.catalog_uri)
    assert_there(again, before)


@pytest.mark.parametrize("cut", ["repoint", "_move_images"])
def test_a_move_that_is_cut_short_is_finished_by_the_next(
    zoo: Lake, before: dict[str, list[dict[str, Any]]], cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = moved(zoo)

    def fail(*_: object) -> None:
        raise StorageError("cut")

    with monkeypatch.context() as patch:
        patch.setattr(moving, cut, fail)
        with pytest.raises(StorageError):
            move_tables(there.uri, there.catalog_uri)
    if cut == "repoint":
        with pytest.raises(BadRequest, match="pixlake tables --move"):
            there.existing()
    move_tables(there.uri, there.catalog_uri)
    assert_there(there, before)


def test_a_lake_that_moves_on_before_its_images_have_moved_keeps_them(
    zoo: Lake, before: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = moved(zoo)
    with monkeypatch.context() as patch:
        patch.setattr(moving, "_move_images", lambda *_: None)
        move_tables(there.uri, there.catalog_uri)
    again = moved(there, "further on")
    move_tables(again.uri, again.catalog_uri)
    further = moved(again, "once more")
    move_tables(further.uri, further.catalog_uri)
    assert_there(further, before)


@pytest.mark.parametrize("name", ["warehouse", "a warehouse/warehouse/lake"])
def test_a_lake_may_lie_in_a_folder_called_like_that_of_its_tables(
    zoo: Lake, before: dict[str, list[dict[str, Any]]], name: str
) -> None:
    (folder_of(zoo).parent / name).parent.mkdir(parents=True, exist_ok=True)
    there = moved(zoo, name)
    move_tables(there.uri, there.catalog_uri)
    assert there.existing() == there
    assert_there(there, before)
    back = moved(there, "back")
    move_tables(back.uri, back.catalog_uri)
    assert_there(back, before)


def test_a_lake_moves_out_of_a_folder_into_the_one_above(zoo: Lake, before: dict[str, list[dict[str, Any]]]) -> None:
    inner = moved(zoo, "outer/inner")
    move_tables(inner.uri, inner.catalog_uri)
    outer = Lake.at(str(folder_of(inner).parent))
    for path in folder_of(inner).iterdir():
        path.rename(folder_of(outer) / path.name)
    assert len(move_tables(outer.uri, outer.catalog_uri)) > 0
    assert outer.existing() == outer
    assert_there(outer, before)


def test_rows_that_another_engine_deleted_stay_deleted(zoo: Lake) -> None:
    commit_deletes(zoo, RECORDS, [0])
    left = rows(zoo, "records")
    there = moved(zoo)
    move_tables(there.uri, there.catalog_uri)
    assert rows(there, "records") == left
    assert len(left) == 2


@pytest.mark.parametrize("files", ["records-*/metadata/*.metadata.json", "records-*/data/**/*.parquet"])
def test_a_lake_of_which_files_are_missing_is_not_moved(zoo: Lake, files: str) -> None:
    there = moved(zoo)
    for path in (folder_of(there) / "warehouse").glob(files):
        path.unlink()
    with pytest.raises(MissingObject, match="copy the whole lake"):
        move_tables(there.uri, there.catalog_uri)
    with pytest.raises(BadRequest, match="pixlake tables --move"):
        there.existing()


def test_a_folder_without_a_lake_is_left_as_it_is(tmp_path: Path) -> None:
    result = run("tables", "--move", "--lake", tmp_path)
    assert (result.exit_code, "holds no lake" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("database", ["pixlake", "other"])
def test_a_copied_bucket_opens_in_the_same_database_and_in_another(
    moto_server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    lake = Lake(s3_lake(moto_server, monkeypatch).uri, "glue://pixlake", None)
    fill(lake)
    before = {name: rows(lake, name) for name in ("records", "embeddings", "predictions")}
    s3, bucket = boto3.client("s3"), f"{lake.uri.removeprefix('s3://')}-copy"
    s3.create_bucket(Bucket=bucket)
    for info in storage.list_objects(lake.uri):
        storage.write(info.uri.replace(lake.uri, f"s3://{bucket}", 1), storage.read(info.uri))
    copy = Lake(f"s3://{bucket}", f"glue://{database}", None)
    assert {move.table for move in move_tables(copy.uri, copy.catalog_uri)} >= {EMBEDDINGS.name, RECORDS.name}
    assert_there(copy, before)
    assert move_tables(copy.uri, copy.catalog_uri) == []
