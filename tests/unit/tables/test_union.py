"""Several files are one table; what cannot be read is told by file and line."""

import io
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixlake.errors import BadTable
from pixlake.tables import csvarrow, faults, room
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
    upload.put_table("g.json", '[{"id": 7, "b": "v"}]')
    tables, rejects = read_tables(upload.work)
    assert not rejects
    assert tables.columns.column_names == ["id", "b", "d", "e"]
    assert tables.columns.to_pydict() == {
        "id": ["1", "2", "3", "4", "5", "6", "7"],
        "b": ["x", "y", "z", None, None, "w", "v"],
        "d": [None, None, None, "4", None, None, None],
        "e": [None, None, None, None, "[1]", None, None],
    }
    places = ["a.csv:2", "a.csv:4", "b/c.TSV:2", "d.parquet:1", "e.jsonl:1", "f.psv:2", "g.json:1"]
    assert tables.places(np.arange(7)) == places
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
    ("path", "data"), [("a.csv", "a,b,c,d,e,f\n"), ("a.jsonl", "".join(f'{{"k{n}": 1}}\n' for n in range(6)))]
)
def test_a_table_of_too_many_columns_is_refused(
    upload: Upload, monkeypatch: pytest.MonkeyPatch, path: str, data: str
) -> None:
    monkeypatch.setattr(room, "MAX_COLUMNS", 5)
    upload.put_table(path, data)
    with pytest.raises(BadTable, match=rf"^{path}: 6 columns; at most 5 can be read"):
        read_tables(upload.work)


@pytest.mark.parametrize("path", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_table_too_large_for_the_memory_is_refused_and_the_others_are_read(upload: Upload, path: str) -> None:
    ids = list(range(200))
    data: dict[str, str | bytes] = {
        "a.csv": "id\n" + "".join(f"{n}\n" for n in ids),
        "a.jsonl": "".join(f'{{"id": {n}}}\n' for n in ids),
        "a.parquet": parquet({"id": ids}),
    }
    upload.put_table(path, data[path])
    upload.put_table("b.csv", "id\n1\n2\n")
    tables, rejects = read_tables(upload.work, memory=10_000)
    assert [file.path for file in tables.files] == ["b.csv"]
    assert [(reject.source, reject.reason) for reject in rejects] == [(path, "unreadable_table")]
    assert "take more than 10,000 bytes of memory; split the upload" in rejects[0].detail
    assert len(read_tables(upload.work, memory=14_000)[0].files) == 2


def test_of_tables_above_the_memory_limit_together_the_one_of_fewest_rows_is_a_reject(upload: Upload) -> None:
    """The cells that each of them lacks are held, too."""
    upload.put_table("a.csv", "a,b,c\n" + "1,2,3\n" * 999)
    upload.put_table("b.csv", "d,e,f\n" + "1,2,3\n" * 1_000)
    tables, rejects = read_tables(upload.work, memory=145_000)
    assert [file.path for file in tables.files] == ["b.csv"]
    assert [(reject.source, reject.reason) for reject in rejects] == [("a.csv", "unreadable_table")]
    assert "with the columns and rows of the others: the tables take more than 145,000 bytes" in rejects[0].detail
    assert len(read_tables(upload.work, memory=155_000)[0].files) == 2


def test_a_wide_table_costs_a_long_one_beside_it_nothing(upload: Upload) -> None:
    upload.put_table("wide.csv", "id," + ",".join(f"c{number}" for number in range(9_000)) + "\n1" + "," * 9_000 + "\n")
    upload.put_table("long.csv", "id\n" + "".join(f"{number}\n" for number in range(10_000)))
    tables, rejects = read_tables(upload.work, memory=100_000_000)
    assert [file.path for file in tables.files] == ["long.csv"]
    assert [reject.source for reject in rejects] == ["wide.csv"]


@pytest.mark.parametrize("names", [["x" * 1_001], [f"{n:0500}" for n in range(600)]])
def test_names_of_columns_that_are_no_names_are_refused(upload: Upload, names: list[str]) -> None:
    """Each record repeats them, and the id column's name goes from state to state."""
    upload.put_table("a.csv", ",".join(["id", *names]) + "\n")
    with pytest.raises(BadTable, match="the names of its columns are too long"):
        read_tables(upload.work)


@pytest.mark.parametrize(
    ("path", "bad", "good", "reason"),
    [("a.csv", "a\n", "1,x\n", "ragged_row"), ("a.jsonl", "1\n", '{"id": 1, "a": "x"}\n', "unreadable_row")],
)
def test_the_first_thousand_faults_are_named_and_the_others_counted(
    upload: Upload, path: str, bad: str, good: str, reason: str
) -> None:
    header = "id,a\n" if path == "a.csv" else ""
    upload.put_table(path, header + good + bad * 15_000)
    tables, _ = read_tables(upload.work)
    *named, rest = tables.faults()
    first = 3 if header else 2
    assert [(reject.source, reject.reason) for reject in named] == [
        (f"{path}:{line}", reason) for line in range(first, first + 1_000)
    ]
    assert (rest.source, rest.reason, rest.detail) == (path, reason, "and 14,000 more rows")
    assert tables.columns.to_pylist() == [{"id": "1", "a": "x"}]


@pytest.mark.parametrize(
    ("path", "data"),
    [("a.csv", "id,a\n" + "a\n" * 300), ("a.jsonl", "1\n" * 300), ("a.csv", "id,a\n1,x\n" + "a\n" * 300)],
)
def test_a_file_of_faults_is_taken_for_no_table_and_not_read_to_its_end(
    upload: Upload, monkeypatch: pytest.MonkeyPatch, path: str, data: str
) -> None:
    monkeypatch.setattr(faults, "HOPELESS", 200)
    monkeypatch.setattr(csvarrow, "_MAX_RAGGED", 10)
    upload.put_table(path, data)
    upload.put_table("good.csv", "id\n1\n")
    tables, (reject,) = read_tables(upload.work)
    assert [file.path for file in tables.files] == ["good.csv"]
    assert (reject.source, reject.reason) == (path, "unreadable_table")
    assert re.search(
        r"taken for no table, for of its first 20\d rows 200 cannot be read; row [12]: the ", reject.detail
    )


def parquet(columns: dict[str, list[int]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def test_a_json_document_of_another_shape_is_left_out(upload: Upload) -> None:
    upload.put_table("annotations.json", '{"images": [{"id": 1}]}')
    tables, (reject,) = read_tables(upload.work)
    assert (tables.columns.num_rows, reject.source, reject.reason) == (0, "annotations.json", "unsupported_type")
