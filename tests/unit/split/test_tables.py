"""Several files are one table; what cannot be read is told by file and line."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixlake.errors import BadTable
from pixlake.split.tables import read_tables
from tests.unit.split.conftest import Upload


def test_no_tables(upload: Upload) -> None:
    tables, rejects = read_tables(upload.work)
    assert (list(tables.files), tables.columns.num_rows, rejects) == ([], 0, [])


def test_files_of_every_kind_are_one_table(upload: Upload) -> None:
    parquet = io.BytesIO()
    pq.write_table(pa.table({"id": ["4"], "d": [4.0]}), parquet)
    upload.put_table("a.csv", "id,b\n1,x\n\n2,y\n")
    upload.put_table("b/c.TSV", "id\tb\n3\tz\n")
    upload.put_table("d.parquet", parquet.getvalue())
    upload.put_table("e.jsonl", '{"id": "5", "e": [1]}\n')
    upload.put_table("f.psv", "b|id\nw|6\n")
    tables, rejects = read_tables(upload.work)
    assert not rejects
    assert tables.columns.column_names == ["id", "b", "d", "e"]
    assert tables.columns.to_pydict() == {
        "id": ["1", "2", "3", "4", "5", "6"],
        "b": ["x", "y", "z", None, None, "w"],
        "d": [None, None, None, "4", None, None],
        "e": [None, None, None, None, "[1]", None],
    }
    places = ["a.csv:2", "a.csv:4", "b/c.TSV:2", "d.parquet:1", "e.jsonl:1", "f.psv:2"]
    assert tables.places(np.arange(6)) == places
    assert tables.places(np.array([5, 1, 5])) == [places[5], places[1], places[5]]


def test_files_with_a_column(upload: Upload) -> None:
    upload.put_table("a.csv", "k,v\n1,2\n")
    upload.put_table("b.csv", "id\n1\n2\n")
    upload.put_table("c.csv", "id,v\n3,4\n")
    tables = read_tables(upload.work)[0]
    assert (tables.rows_with("id"), tables.rows_with("v"), tables.rows_with("x")) == (3, 2, 0)
    some = tables.with_column("id")
    assert some.columns.to_pydict() == {"id": ["1", "2", "3"], "v": [None, None, "4"]}
    assert some.places(np.arange(3)) == ["b.csv:2", "b.csv:3", "c.csv:2"]
    assert some.with_column("id") is some


def test_names_that_are_awkward_in_urls(upload: Upload) -> None:
    upload.put_table("ta bles/ü%20#1?.csv", "id\n1\n")
    tables, _ = read_tables(upload.work)
    assert tables.places(np.array([0])) == ["ta bles/ü%20#1?.csv:2"]


def test_a_file_of_which_nothing_can_be_read(upload: Upload) -> None:
    upload.put_table("a.csv", "id,x\n1\n2\n3,4,5\n")
    upload.put_table("b.csv", "id\n1\n")
    upload.put_table("c.parquet", b"x")
    tables, rejects = read_tables(upload.work)
    assert [file.path for file in tables.files] == ["b.csv"]
    assert [(reject.source, reject.reason) for reject in rejects] == [
        ("a.csv", "unreadable_table"),
        ("c.parquet", "unreadable_table"),
    ]
    assert rejects[0].detail == (
        "a.csv: none of its 3 rows can be read; line 2: the row has 1 value, the header names 2 columns"
    )


def test_nothing_can_be_read_at_all(upload: Upload) -> None:
    upload.put_table("a.csv", "")
    upload.put_table("c.parquet", b"x")
    with pytest.raises(BadTable, match=r"a\.csv: it is empty.*c\.parquet: it cannot be read"):
        read_tables(upload.work)
