"""Parquet: every type of column becomes text as a person would write it."""

import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixlake.errors import BadTable
from pixlake.tables.parquetfile import ParquetTables
from pixlake.tables.parquetvalues import to_text
from pixlake.tables.room import Room

DAY = datetime.datetime(2024, 2, 3, 4, 5, 6)
ZONE = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array(["007", "", None]), ["007", None, None]),
        (pa.array(["007"], pa.large_string()), ["007"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([7, None]), ["7", None]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([7.0, 7.25, float("nan"), None, -0.0]), ["7", "7.25", None, None, "0"]),
        (pa.array([float("inf"), float("-inf")]), ["Infinity", "-Infinity"]),
        (pa.array([[1.5, float("inf"), float("nan"), None]]), ["[1.5,Infinity,NaN,null]"]),
        (pa.array([1.5], pa.float32()), ["1.5"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([Decimal("1.20")]), ["1.20"]),
        (pa.array([datetime.date(2024, 2, 3)]), ["2024-02-03"]),
        (pa.array([DAY]), ["2024-02-03T04:05:06"]),
        (pa.array([DAY.replace(microsecond=120_000)]), ["2024-02-03T04:05:06.120000"]),
        (pa.array([DAY.replace(tzinfo=ZONE)], pa.timestamp("ms", "+02:00")), ["2024-02-03T02:05:06Z"]),
        (pa.array([["a", "b"], None]), ['["a","b"]', None]),
        (pa.array([{"a": 1, "b": DAY}]), ['{"a":1,"b":"2024-02-03T04:05:06"}']),
        (pa.array([b"abc"]), ["abc"]),
        (pa.array([b"\xff\x00"]), ["/wA="]),
        (pa.nulls(2), [None, None]),
        (pa.array([[DAY]], pa.list_(pa.timestamp("us", "Europe/Berlin"))), ['["2024-02-03T04:05:06Z"]']),
        (pa.array([{"a": DAY}], pa.struct([("a", pa.timestamp("s", "+02:00"))])), ['{"a":"2024-02-03T04:05:06Z"}']),
        (pa.array([[("k", DAY)]], pa.map_(pa.string(), pa.timestamp("us", "UTC"))), ['[["k","2024-02-03T04:05:06Z"]]']),
        (pa.array([[datetime.time(1, 2, 3)]]), ['["01:02:03"]']),
        (pa.array([[datetime.timedelta(days=1)]]), ['["P1D"]']),
        (pa.array([[Decimal("1.20")]]), ['["1.20"]']),
        (pa.array([[1.5, None]], pa.list_(pa.float16())), ["[1.5,null]"]),
        (pa.array([[b"abc"]], pa.large_list(pa.binary())), ['["YWJj"]']),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), ["[1,2]"]),
        (pa.array([b"\xff" * 16], pa.uuid()), ["ffffffff-ffff-ffff-ffff-ffffffffffff"]),
        (pa.array(["a", None] * 9).slice(1, 16), [None, "a"] * 8),
    ],
)
def test_values_become_text(array: pa.Array, texts: list[str | None], tmp_path: Path) -> None:
    assert to_text(array).to_pylist() == texts
    pq.write_table(pa.table({"x": array}), tmp_path / "a.parquet")
    table = ParquetTables().read("a.parquet", f"file://{tmp_path}/a.parquet", Room())
    assert table.columns.schema == pa.schema([("x", pa.string())])
    assert table.columns["x"].to_pylist() == texts


def test_rows_are_counted_from_one(tmp_path: Path) -> None:
    pq.write_table(pa.table({" id ": [1, 2, 3], "": [4, 5, 6]}), tmp_path / "a.parquet", row_group_size=2)
    table = ParquetTables().read("a.parquet", f"file://{tmp_path}/a.parquet", Room())
    assert table.columns.to_pydict() == {"id": ["1", "2", "3"], "column_2": ["4", "5", "6"]}
    assert list(table.places(table.rows)) == [1, 2, 3]


@pytest.mark.parametrize("data", [b"", b"id,a\n1,2\n", b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_bytes_that_are_no_parquet_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(BadTable, match=r"^a\.parquet: it cannot be read as Parquet"):
        ParquetTables().read("a.parquet", f"file://{tmp_path}/a.parquet", Room())
