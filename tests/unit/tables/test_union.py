"""Several files are one table; what cannot be read is told by file and line."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixlake.errors import BadTable
from pixlake.tables import tablefile
from pixlake.tables.tablefile import unique_names
from pixlake.tables.union import read_tables
from tests.builders.split_inputs import Upload


def test_an_upload_without_tables_has_no_rows(upload: Upload) -> None:
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


def test_only_the_files_that_have_a_column_are_taken(upload: Upload) -> None:
    upload.put_table("a.csv", "k,v\n1,2\n")
    upload.put_table("b.csv", "id\n1\n2\n")
    upload.put_table("c.csv", "id,v\n3,4\n")
    tables = read_tables(upload.work)[0]
    assert (tables.rows_with("id"), tables.rows_with("v"), tables.rows_with("x")) == (3, 2, 0)
    some = tables.with_column("id")
    assert some.columns.to_pydict() == {"id": ["3", "1", "2"], "v": ["4", None, None]}
    assert some.places(np.arange(3)) == ["c.csv:2", "b.csv:2", "b.csv:3"]
    assert some.with_column("id") is some


def test_file_names_with_url_characters_are_decoded(upload: Upload) -> None:
    """Plan writes a path with `%` or `~` percent-encoded, and any other as it is."""
    upload.put_table("ta bles/ü#1?.csv", "id\n1\n")
    upload.put_table("50%25%20of%7E.csv", "id\n2\n")
    tables, _ = read_tables(upload.work)
    assert tables.places(np.arange(2)) == ["50% of~.csv:2", "ta bles/ü#1?.csv:2"]


def test_an_unreadable_file_beside_others_is_a_reject(upload: Upload) -> None:
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


def test_without_a_readable_file_the_upload_is_refused(upload: Upload) -> None:
    upload.put_table("a.csv", "")
    upload.put_table("c.parquet", b"x")
    with pytest.raises(BadTable, match=r"a\.csv: it is empty.*c\.parquet: it cannot be read"):
        read_tables(upload.work)


def test_names_of_columns_are_unique() -> None:
    assert unique_names(["a", " a ", "", "a_2", "a", " "]) == ["a", "a_3", "column_3", "a_2", "a_4", "column_6"]
    many = unique_names(["a"] * 50_000)
    assert (len(set(many)), many[-1]) == (50_000, "a_50000")


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("a.csv", "a,b,c,d,e,f\n1,2,3,4,5,6\n"),
        ("a.jsonl", "".join(f'{{"k{n}": 1}}\n' for n in range(6))),
        ("a.jsonl", '{"k": 1}\n' * 101),
    ],
)
def test_a_table_above_the_memory_limit_is_refused(
    upload: Upload, monkeypatch: pytest.MonkeyPatch, path: str, data: str
) -> None:
    monkeypatch.setattr(tablefile, "MAX_COLUMNS", 5)
    monkeypatch.setattr(tablefile, "MAX_CELLS", 100)
    upload.put_table(path, data)
    with pytest.raises(BadTable, match=rf"^{path}: .* at most 5 columns and 100 cells"):
        read_tables(upload.work)


def test_tables_above_the_memory_limit_together_are_refused(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tablefile, "MAX_COLUMNS", 5)
    upload.put_table("a.csv", "a,b,c\n1,2,3\n")
    upload.put_table("b.csv", "d,e,f\n1,2,3\n")
    with pytest.raises(BadTable, match=r"^the tables together: 2 rows of 6 columns"):
        read_tables(upload.work)
