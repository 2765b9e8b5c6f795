"""A lake from Python; docs/python.md's blocks are run by tests/readers."""

from pathlib import Path

import pytest

import pixlake
from pixlake.errors import BadRequest, MissingObject
from pixlake.iceberg.lakes import Lake
from tests.builders.zoo import folder_of

pytestmark = pytest.mark.usefixtures("in_this_process")


def test_a_table_is_read_as_it_is_now(zoo_lake: Lake) -> None:
    lake = pixlake.open(folder_of(zoo_lake))
    assert repr(lake) == f"<lake {zoo_lake.uri}>"
    found = lake.table("embeddings").filter("image_path = 'cat.png'").select("record_id", "width").to_arrow()
    assert found.to_pylist() == [{"record_id": "cat", "width": 5}]


def test_a_query_is_in_athenas_sql(zoo_lake: Lake) -> None:
    found = pixlake.open(str(zoo_lake.folder)).query("SELECT element_at(attributes, 'name') AS name FROM records")
    assert sorted(found["name"].to_pylist(), key=str) == [None, "cat, 'a'"]


def test_what_is_not_there_is_said(zoo_lake: Lake, tmp_path: Path) -> None:
    lake = pixlake.open(folder_of(zoo_lake))
    with pytest.raises(BadRequest, match="no table 'none'; the lake has embeddings, "):
        lake.table("none")
    with pytest.raises(BadRequest, match="line 1"):
        lake.query("SELECT FROM")
    with pytest.raises(MissingObject, match="holds no lake yet"):
        pixlake.open(tmp_path).table("records")
    with pytest.raises(BadRequest, match="neither a folder nor"):
        pixlake.open("gs://bucket")


def test_a_run_of_nothing_that_is_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="ended with 2"):
        pixlake.open(tmp_path).run(tmp_path / "none.zip")
