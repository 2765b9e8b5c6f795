"""The catalog holds the five tables, on SQLite and on Glue."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform

from pixlake import storage
from pixlake.errors import BadRequest, CatalogError
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.schemas import TABLES
from tests.contract.commits import forks, open_at_once
from tests.contract.places import LakePlace, folder_lake


@pytest.fixture
def catalog(lake_place: LakePlace) -> Catalog:
    return open_catalog(lake_place.uri, lake_place.catalog_uri)


def test_tables_have_the_columns_of_their_schema(catalog: Catalog, lake_place: LakePlace) -> None:
    for name in TABLES:
        check_table(load_table(catalog, name), name, lake_place)


def check_table(table: Table, name: str, lake_place: LakePlace) -> None:
    assert table.format_version == 2
    assert re.fullmatch(rf"{re.escape(lake_place.uri)}/warehouse/{name}-[0-9a-f]{{8}}", table.location())
    expected = {field.name: not field.nullable for field in TABLES[name].columns}
    assert {field.name: field.required for field in table.schema().fields} == expected
    sorted_by = [table.schema().find_column_name(field.source_id) for field in table.sort_order().fields]
    assert tuple(sorted_by) == TABLES[name].key
    assert table.properties["write.delete.isolation-level"] == "serializable"


def test_rows_are_partitioned_by_experiment(catalog: Catalog) -> None:
    for name in ("embeddings", "predictions", "records", "rejects"):
        (field,) = load_table(catalog, name).spec().fields
        assert field.name == "experiment_id"
        assert isinstance(field.transform, IdentityTransform)


def test_opening_again_keeps_the_tables(catalog: Catalog, lake_place: LakePlace) -> None:
    before = {name: load_table(catalog, name).metadata.table_uuid for name in TABLES}
    again = open_catalog(lake_place.uri, lake_place.catalog_uri)
    assert {name: load_table(again, name).metadata.table_uuid for name in TABLES} == before


def test_many_threads_open_a_new_lake_at_once(lake_place: LakePlace) -> None:
    with ThreadPoolExecutor(8) as pool:
        catalogs = list(pool.map(lambda _: open_catalog(lake_place.uri, lake_place.catalog_uri), range(8)))
    uuids = {name: {load_table(catalog, name).metadata.table_uuid for catalog in catalogs} for name in TABLES}
    assert all(len(found) == 1 for found in uuids.values())


def test_tables_that_others_made_first_leave_no_file(lake_place: LakePlace) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: open_catalog(lake_place.uri, lake_place.catalog_uri), range(8)))
    catalog = open_catalog(lake_place.uri, lake_place.catalog_uri)
    found = {info.uri for info in storage.list_objects(f"{lake_place.uri}/warehouse")}
    assert found == {load_table(catalog, name).metadata_location for name in TABLES}


def test_many_processes_open_a_new_folder_at_once(tmp_path: Path) -> None:
    lake_place, context = folder_lake(tmp_path), forks()
    barrier, answers = context.Barrier(20), context.Queue()
    processes = [context.Process(target=open_at_once, args=(lake_place, barrier, answers)) for _ in range(20)]
    for process in processes:
        process.start()
    uuids = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    assert all(found == uuids[0] for found in uuids)
    left = {path.name for path in Path(lake_place.uri.removeprefix("file://")).iterdir()}
    assert left - {"catalog.db-wal", "catalog.db-shm"} == {"catalog.db", "warehouse"}


@pytest.mark.parametrize("uri", ["postgresql://host/db", "sqlite://", "sqlite:///relative.db", "", "glue:other"])
def test_an_unsupported_catalog_uri_is_refused(uri: str) -> None:
    with pytest.raises(BadRequest, match="CATALOG_URI"):
        open_catalog("file:///lake", uri)


def test_a_catalog_file_that_is_no_database_is_a_catalog_error(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(CatalogError, match="file is not a database") as raised:
        open_catalog(f"file://{tmp_path}", f"sqlite:///{path}")
    assert "SELECT" not in str(raised.value)


def test_a_missing_table_is_a_catalog_error(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="unheard"):
        load_table(catalog, "unheard")
