"""Another Iceberg reader than pyiceberg reads the tables: iceberg-rust, with DataFusion as its engine."""

from pathlib import Path

import pytest
from datafusion import SessionContext

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.schemas import TABLES
from tests.contract.commits import Put, expected, prediction, put, put_predictions
from tests.contract.places import LakePlace


@pytest.fixture
def session(tmp_path: Path) -> SessionContext:
    lake_place = LakePlace(f"file://{tmp_path}", f"sqlite:///{tmp_path}/catalog.db")
    for some in PUTS:
        put(lake_place, some)
    put_predictions(
        lake_place, [prediction("1", None, "tabular", 1, "cat"), prediction(None, "é.jpg", "image", 1, "dog")], "p"
    )
    context = SessionContext()
    catalog = open_catalog(lake_place.uri, lake_place.catalog_uri)
    for name in TABLES:
        context.register_table(name, load_table(catalog, name))
    return context


PUTS = [Put("first", 1, ("a", "b", "ü")), Put("second", 2, ("b", "c")), Put("third", 3, ("x",), experiment="cars")]


def test_other_readers_see_replaced_rows_once(session: SessionContext) -> None:
    rows = session.sql("select experiment_id, record_id, image_paths, attributes from records").to_pylist()
    found = {(row["experiment_id"], row["record_id"]): dict(row["attributes"])["who"] for row in rows}
    assert found == {key: who for key, (_, who) in expected(PUTS).items()}
    assert len(rows) == len(found)
    assert [row["image_paths"] for row in rows if row["record_id"] == "c"] == [["c.jpg"]]


def test_other_readers_filter_by_partition_time_and_null(session: SessionContext) -> None:
    newer = "select count(*) as n from records where experiment_id = 'pets' and uploaded_at >= '2026-01-03T00:00:00Z'"
    assert session.sql(newer).to_pylist() == [{"n": 2}]
    orphans = "select image_path, label, probabilities from predictions where record_id is null"
    (row,) = session.sql(orphans).to_pylist()
    assert (row["image_path"], row["label"], dict(row["probabilities"])) == ("é.jpg", "dog", {"dog": 0.5, "other": 0.5})
