"""The folder's catalog as Glue: what pyiceberg asks, and updates that exclude one another."""

from pathlib import Path
from typing import Any

import pytest

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.lakes import DATABASE
from pixlake.schemas import TABLES
from pixlake_cli.engine.gluetables import GlueError, GlueTables


@pytest.fixture
def tables(tmp_path: Path) -> GlueTables:
    open_catalog(f"file://{tmp_path}", f"sqlite:///{tmp_path}/catalog.db")
    return GlueTables(tmp_path / "catalog.db")


def table(tables: GlueTables, name: str = "records") -> dict[str, Any]:
    found: dict[str, Any] = tables.call("GetTable", {"DatabaseName": DATABASE, "Name": name})["Table"]
    return found


def update(tables: GlueTables, location: str, version: str | None) -> None:
    given = {"Name": "records", "Parameters": {"metadata_location": location}}
    tables.call("UpdateTable", {"DatabaseName": DATABASE, "TableInput": given, "VersionId": version})


def test_the_tables_are_those_of_the_folder(tables: GlueTables, tmp_path: Path) -> None:
    listed = tables.call("GetTables", {"DatabaseName": DATABASE})["TableList"]
    assert {found["Name"] for found in listed} == set(TABLES)
    catalog = open_catalog(f"file://{tmp_path}", f"sqlite:///{tmp_path}/catalog.db")
    assert table(tables)["Parameters"]["metadata_location"] == load_table(catalog, "records").metadata_location


def test_an_update_of_the_current_version_is_taken(tables: GlueTables) -> None:
    before = table(tables)
    update(tables, "file:///next.json", before["VersionId"])
    after = table(tables)
    assert after["Parameters"]["metadata_location"] == "file:///next.json"
    assert after["Parameters"]["previous_metadata_location"] == before["Parameters"]["metadata_location"]
    assert after["VersionId"] != before["VersionId"]


@pytest.mark.parametrize("older", [True, False])
def test_an_update_of_another_version_is_refused(tables: GlueTables, older: bool) -> None:
    version = table(tables)["VersionId"]
    update(tables, "file:///next.json", version)
    with pytest.raises(GlueError) as raised:
        update(tables, "file:///mine.json", version if older else None)
    assert raised.value.code == "ConcurrentModificationException"
    assert table(tables)["Parameters"]["metadata_location"] == "file:///next.json"


@pytest.mark.parametrize(
    ("action", "code"), [("GetTable", "EntityNotFoundException"), ("DeleteTable", "InvalidInputException")]
)
def test_a_missing_table_is_glues_entity_not_found(tables: GlueTables, action: str, code: str) -> None:
    with pytest.raises(GlueError) as raised:
        tables.call(action, {"DatabaseName": DATABASE, "Name": "none"})
    assert raised.value.code == code
