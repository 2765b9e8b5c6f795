"""What a plan does with rows that another engine has deleted by position, as Athena does, and with small files."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pyiceberg.manifest import DataFileContent
from pyiceberg.table import Table

from pixlake.errors import CatalogError
from pixlake.iceberg import plan
from pixlake.iceberg.catalog import commit_rows, load_table, open_catalog
from pixlake.iceberg.existing import ExistingFile, KeyRange, list_existing
from pixlake.iceberg.merge import EMPTY_INDEX, KeyIndex, index_keys, merge_rows
from pixlake.iceberg.rows import TableRows
from pixlake.schemas import RECORDS
from tests.builders.deletes import delete_positions
from tests.builders.executions import TableLake
from tests.unit.iceberg.record_rows import records

LARGE = 256 << 20


@pytest.fixture
def table(table_lake: TableLake) -> Table:
    catalog = open_catalog(table_lake.uri, table_lake.catalog_uri)
    commit_rows(catalog, "records", records([(key, 1) for key in "abcdef"], "old"), "old")
    return load_table(catalog, "records")


def deleted(table: Table, positions: Sequence[int], content: DataFileContent) -> ExistingFile:
    (file,) = list_existing(table, RECORDS, "e")
    return delete_positions(file, table.io, positions, content)


def incoming(*keys: tuple[str, int]) -> KeyIndex:
    return index_keys([TableRows("new", records(sorted(keys), "new"))], RECORDS)


def authors(streams: Sequence[plan.Stream]) -> dict[str, str]:
    found: dict[str, str] = {}
    for stream in streams:
        for chunk in merge_rows(*stream.resolve(), RECORDS.columns.names):
            found |= {row["record_id"]: dict(row["attributes"])["who"].split()[0] for row in chunk.to_pylist()}
    return found


@pytest.mark.parametrize("small_files", [0, 16])
def test_rows_deleted_by_position_stay_deleted(table: Table, monkeypatch: pytest.MonkeyPatch, small_files: int) -> None:
    file = deleted(table, [1, 3], DataFileContent.POSITION_DELETES)
    monkeypatch.setattr(plan, "list_existing", lambda *_: iter([file]))
    # b was deleted: a new row of that key comes in, though the deleted row was newer; d stays away
    result = plan.plan_commit(table, RECORDS, "e", incoming(("b", 0), ("c", 2)), LARGE, small_files)
    assert [data_file.file_path for data_file in result.removed] == [file.file.file_path]
    assert authors(result.streams) == {"a": "old", "b": "new", "c": "new", "e": "old", "f": "old"}
    assert sum(stream.rows for stream in result.streams) == 5


def test_equality_deletes_are_refused(table: Table) -> None:
    file = deleted(table, [1], DataFileContent.EQUALITY_DELETES)
    with pytest.raises(CatalogError, match="OPTIMIZE"):
        file.dead(table.io)


def test_files_whose_key_range_does_not_overlap_are_not_read(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a file out of range was read")

    monkeypatch.setattr(plan._Meeting, "_meet", refuse)
    result = plan.plan_commit(table, RECORDS, "e", incoming(("x", 1), ("z", 1)), LARGE)
    assert result.removed == ()
    assert [stream.rows for stream in result.streams] == [2]


@pytest.mark.parametrize(
    ("span", "meets"),
    [
        (KeyRange("record_id", "a", "a", False), True),
        (KeyRange("record_id", "f", "z", False), True),
        (KeyRange("record_id", "g", "z", False), False),
        (KeyRange("record_id", "", "A", False), False),
        (KeyRange("record_id", "", None, True), False),
        (KeyRange("record_id", "", "c", True), True),
    ],
)
def test_bounds_say_whether_a_file_may_hold_a_key(table: Table, span: KeyRange, meets: bool) -> None:
    (file,) = list_existing(table, RECORDS, "e")
    assert span.may_meet(table, file.file) is meets


def test_a_plan_without_new_rows_is_empty(table: Table) -> None:
    assert plan.plan_commit(table, RECORDS, "e", EMPTY_INDEX, LARGE).empty
    assert plan.plan_commit(table, RECORDS, "e", incoming(("a", 0)), LARGE).empty


def test_the_same_rows_have_the_same_identity(table: Table) -> None:
    new = incoming(("a", 2), ("x", 2))
    first, again = (plan.plan_commit(table, RECORDS, "e", new, LARGE) for _ in range(2))
    assert [stream.identity for stream in first.streams] == [stream.identity for stream in again.streams]
    fewer = replace(first.streams[0], kept=np.array([0]))
    assert fewer.identity != first.streams[0].identity
