"""Rows that Trino deleted, changed or packed are read rightly by Compact, `query`, search and maintenance."""

from pathlib import Path

import pytest

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.existing import list_existing
from pixlake.iceberg.recovery import register_tables
from pixlake.schemas import EMBEDDINGS, RECORDS, TABLES
from pixlake.search import stored
from pixlake.sql.dialect import translate
from pixlake.sql.warehouse import Limits, run_query
from pixlake.steps.maintain import maintain
from tests.builders.executions import Execution
from tests.trino.databases import Database


@pytest.fixture
def first(database: Database) -> Execution:
    """An execution of three records and three images, committed by the function."""
    return execute(database, "first", 1, ["a", "b", "c"])


def execute(database: Database, name: str, day: int, ids: list[str]) -> Execution:
    execution = Execution(database, name, day)
    execution.records("00000", ids)
    execution.embed("embed-0", [f"{each}.jpg" for each in ids])
    execution.compact()
    return execution


def held(database: Database) -> dict[str, str]:
    """The day of each record, where Pixlake's readers and Trino agree."""
    rows = database.rows("records")
    found = {row["record_id"]: f"{row['uploaded_at']:%d}" for row in rows}
    assert len(found) == len(rows)
    theirs = database.ask("SELECT record_id, day(uploaded_at) FROM records")
    assert {record: f"{day:02d}" for record, day in theirs} == found
    if database.lake.folder:
        assert queried(database, "SELECT record_id, date_format(uploaded_at, '%d') FROM records") == found
    return found


def queried(database: Database, sql: str) -> dict[str, str]:
    spill = Path(database.folder.parent)
    with run_query(database.lake, translate(sql, TABLES), Limits(1 << 30, spill, 1 << 30)) as rows:
        table = rows.read_all()
    assert len(set(table[0].to_pylist())) == table.num_rows
    return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))


def searched(database: Database) -> set[str]:
    table = load_table(open_catalog(database.uri, database.catalog_uri), EMBEDDINGS.name)
    batches = stored.read_batches(table, "pets", ["image_path"])
    return {path for batch in batches for path in batch.column("image_path").to_pylist()}


def has_deletes(database: Database) -> bool:
    table = load_table(open_catalog(database.uri, database.catalog_uri), RECORDS.name)
    return any(file.deletes for file in list_existing(table, RECORDS, "pets"))


def test_deleted_rows_stay_deleted(database: Database, first: Execution) -> None:
    database.ask("DELETE FROM records WHERE record_id = 'b'")
    database.ask("DELETE FROM embeddings WHERE image_path IN ('a.jpg', 'b.jpg')")
    assert has_deletes(database)
    assert held(database) == {"a": "02", "c": "02"}
    assert searched(database) == {"c.jpg"}
    # a deleted key comes again, and no other
    execute(database, "second", 3, ["b", "d"])
    assert held(database) == {"a": "02", "b": "04", "c": "02", "d": "04"}
    assert searched(database) == {"b.jpg", "c.jpg", "d.jpg"}
    # the rows of a file with deletes are replaced by Compact
    execute(database, "third", 4, ["a", "c"])
    assert held(database) == {"a": "05", "b": "04", "c": "05", "d": "04"}
    assert first.compact().records == 3
    assert held(database) == {"a": "05", "b": "04", "c": "05", "d": "04"}


@pytest.mark.usefixtures("first")
def test_changed_and_packed_rows_are_as_new(database: Database) -> None:
    later = "uploaded_at + INTERVAL '4' DAY"
    database.ask(f"UPDATE records SET uploaded_at = {later} WHERE record_id = 'a'")
    assert has_deletes(database)
    assert held(database) == {"a": "06", "b": "02", "c": "02"}
    # an older upload replaces no newer row, whoever wrote it
    execute(database, "second", 3, ["a", "b"])
    assert held(database) == {"a": "06", "b": "04", "c": "02"}
    database.trino.run("ALTER TABLE records EXECUTE optimize", database.name, "iceberg")
    assert not has_deletes(database)
    assert held(database) == {"a": "06", "b": "04", "c": "02"}
    execute(database, "third", 7, ["c"])
    assert held(database) == {"a": "06", "b": "04", "c": "08"}


@pytest.mark.usefixtures("first")
def test_maintenance_keeps_the_rows_and_the_files_of_deletes(database: Database) -> None:
    database.ask("DELETE FROM records WHERE record_id = 'b'")
    execute(database, "second", 3, ["d"])
    maintain(database.maintain_settings(snapshot_days=0.0, work_days=0.0))
    assert held(database) == {"a": "02", "c": "02", "d": "04"}
    execute(database, "third", 4, ["c", "e"])
    assert held(database) == {"a": "02", "c": "05", "d": "04", "e": "05"}


def test_a_table_that_trino_wrote_last_is_registered_anew(folder_database: Database) -> None:
    execute(folder_database, "first", 1, ["a", "b"])
    folder_database.ask("DELETE FROM records WHERE record_id = 'b'")
    catalog_uri = f"sqlite:///{folder_database.folder}/catalog.db"
    registered = {it.table for it in register_tables(folder_database.uri, catalog_uri) if it.registered}
    assert "records" in registered
    table = load_table(open_catalog(folder_database.uri, catalog_uri), "records")
    assert table.scan().to_arrow()["record_id"].to_pylist() == ["a"]
