"""CSV comes back value by value, by the fast way and by the careful one alike, and a bad row is named by its line."""

import contextlib
import csv
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.errors import BadTable
from pixlake.tables import csvarrow, csvfile
from pixlake.tables.csvarrow import read_fast
from pixlake.tables.csvfile import read_csv
from pixlake.tables.csvrecords import read_carefully
from pixlake.tables.dialects import Dialect, choose_dialect
from pixlake.tables.room import Room
from pixlake.tables.tablefile import TableFile
from pixlake.tables.text import TextFile, open_text_file
from tests.builders.examples import examples

MakeFile = Callable[[bytes], TextFile]


def rows_of(table: TableFile) -> list[list[str | None]]:
    return [list(row.values()) for row in table.columns.to_pylist()]


def faults_of(table: TableFile) -> list[tuple[int, str]]:
    """Line and reason of each."""
    lines = table.places(np.array([fault.row for fault in table.faults.first], dtype=np.int64))
    return [(int(line), fault.reason) for line, fault in zip(lines, table.faults.first, strict=True)]


def lines_of(table: TableFile) -> list[int]:
    return [int(line) for line in table.places(table.rows)]


def test_values_are_kept_as_written(text_file: MakeFile) -> None:
    table = read_csv("a.csv", text_file(b'id,n,text\n007,1.50," a ""b"", c "\n1e5,-0,NA\n'), Room())
    assert table.columns.column_names == ["id", "n", "text"]
    assert rows_of(table) == [["007", "1.50", ' a "b", c '], ["1e5", "-0", "NA"]]
    assert not table.faults.count


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_lines_as_an_editor_counts_them(text_file: MakeFile, end: str) -> None:
    text = end.join(["", "id,text", "1,a", "", '2,"b', "", 'c"', "3,d"])
    table = read_csv("a.csv", text_file(text.encode()), Room())
    assert rows_of(table) == [["1", "a"], ["2", f"b{end}{end}c"], ["3", "d"]]
    assert lines_of(table) == [3, 5, 8]


def test_an_empty_cell_is_null_quoted_or_not(text_file: MakeFile) -> None:
    assert rows_of(read_csv("a.csv", text_file(b'a,b,c\n,"", \n'), Room())) == [[None, None, " "]]


def test_columns_get_unique_non_empty_names(text_file: MakeFile) -> None:
    table = read_csv("a.csv", text_file('\ufeff id ,,name,name,"x\ny"\n1,2,3,4,5\n'.encode()), Room())
    assert table.columns.column_names == ["id", "column_2", "name", "name_2", "x\ny"]


def test_ragged_rows_are_faults_by_line(text_file: MakeFile) -> None:
    table = read_csv("a.csv", text_file(b'id,a\n1,"x\ny"\n2\n3,b,c\n\n4,d\n5,e,\n'), Room())
    assert rows_of(table) == [["1", "x\ny"], ["4", "d"]]
    assert faults_of(table) == [(4, "ragged_row"), (5, "ragged_row"), (8, "ragged_row")]
    assert [fault.detail for fault in table.faults.first][:2] == [
        "the row has 1 value, the header names 2 columns",
        "the row has 3 values, the header names 2 columns",
    ]


def test_rows_with_undecodable_bytes_are_faults(text_file: MakeFile) -> None:
    table = read_csv(
        "a.csv", text_file("id,a\n1,é\n2,".encode() + b"\xff\n\xc3,3\n4,x\n5\n" + "6,ü\n7,ö\n".encode()), Room()
    )
    assert [row[0] for row in rows_of(table)] == ["1", "4", "6", "7"]
    assert faults_of(table) == [(3, "unreadable_bytes"), (4, "unreadable_bytes"), (6, "ragged_row")]


def test_an_unclosed_quote_costs_one_row(text_file: MakeFile) -> None:
    table = read_csv("a.csv", text_file(b'id,a\n1,x\n2,"y\n3,z\n\n4,w\n'), Room())
    assert rows_of(table) == [["1", "x"], ["3", "z"], ["4", "w"]]
    assert faults_of(table) == [(3, "unclosed_quote")]
    assert lines_of(table) == [2, 4, 6]


def test_many_unclosed_quotes_are_read_in_linear_time(text_file: MakeFile) -> None:
    """Each line leaves a quote open wherever reading begins, so reading line by line would be quadratic."""
    with pytest.raises(BadTable, match="100 quotes are never closed"):
        read_csv("a.csv", text_file(b"id,a\n1,x\n" + b'x","\n' * 5_000), Room())
    table = read_csv("a.csv", text_file(b"id,a\n1,x\n" + b'x","\n' * 99), Room())
    assert rows_of(table) == [["1", "x"]]
    assert faults_of(table) == [(line, "unclosed_quote") for line in range(3, 102)]


def test_a_quoted_last_row_of_several_lines_is_read(text_file: MakeFile) -> None:
    table = read_csv("a.csv", text_file(b'id,a\n1,"x\ny"\n'), Room())
    assert rows_of(table) == [["1", "x\ny"]]
    assert not table.faults.count


def test_a_row_longer_than_a_block_is_read(text_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvarrow, "_BLOCK_BYTES", 100)
    long = "x" * 1_000
    table = read_csv("a.csv", text_file(f"id,a\n1,{long}\n2\n3,y\n".encode()), Room())
    assert rows_of(table) == [["1", long], ["3", "y"]]
    assert faults_of(table) == [(3, "ragged_row")]


def test_a_table_of_several_blocks_and_batches_is_read(text_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvarrow, "_BLOCK_BYTES", 1_000)
    rows = [[f"{n:05}", f"text {n}" if n % 3 else ""] for n in range(25_000)]
    data = "id,a\n" + "".join(f"{a},{b}\n" for a, b in rows)
    table = read_csv("a.csv", text_file(data.encode()), Room())
    assert rows_of(table) == [[a, b or None] for a, b in rows]
    # the same by the careful way, which an open quote calls for
    careful = read_csv("a.csv", text_file(f'{data}1,"\n'.encode()), Room())
    assert careful.columns.equals(table.columns)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\n \n", "empty"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\n\x00", "not text"),
        (b'"id,a\n1,2\n', "never closed"),
    ],
)
def test_bytes_of_no_table_are_refused(text_file: MakeFile, data: bytes, message: str) -> None:
    with pytest.raises(BadTable, match=rf"^deep/a\.csv: .*{message}"):
        read_csv("deep/a.csv", text_file(data), Room())


@pytest.mark.parametrize("data", [b"id,a\n", b"id,a", b"id"])
def test_a_header_alone_is_a_table_without_rows(text_file: MakeFile, data: bytes) -> None:
    table = read_csv("a.csv", text_file(data), Room())
    assert (table.columns.num_rows, table.columns.column_names[0], table.faults.count) == (0, "id", 0)


def test_any_bytes_are_read_or_refused(text_file: MakeFile) -> None:
    random = np.random.default_rng(0)
    for length in (1, 10, 1_000, 100_000):
        data = random.integers(0, 256, length, dtype=np.uint8).tobytes()
        with contextlib.suppress(BadTable):
            table = read_csv("a.csv", text_file(data), Room())
            assert len(table.rows) == table.columns.num_rows


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
TRICKY = st.text("ab,;\"'\n\r\t |\\é0", max_size=6)


def in_folder(data: bytes) -> TextFile:
    """A file that outlives the test's call, as Hypothesis needs many."""
    with tempfile.NamedTemporaryFile(suffix=".csv", delete=False) as file:
        file.write(data)
    return open_text_file(f"file://{file.name}")


@examples(100)
@given(
    st.lists(st.lists(VALUES | TRICKY, min_size=2, max_size=2), min_size=1, max_size=12),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_rows_of_any_text_are_read_back(rows: list[list[str]], encoding: str, quoting: Literal[0, 1, 2, 3]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator="\r\n").writerows([["id", "text"], *rows])
    file = in_folder(text.getvalue().encode(encoding))
    try:
        # a sample of a few odd values may fit several dialects, which is not the question here
        table = read_with(file, Dialect())
    finally:
        Path(file.uri.removeprefix("file://")).unlink()
    assert rows_of(table) == [[value or None for value in row] for row in rows]
    assert not table.faults.count


def read_with(file: TextFile, dialect: Dialect) -> TableFile:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csvfile, "choose_dialect", lambda *_: dialect)
        return read_csv("a.csv", file, Room())


@examples(200)
@given(st.text('ab,"\n\r', max_size=60), st.sampled_from([None, "\\"]))
def test_the_fast_and_the_careful_reader_agree(body: str, escape: str | None) -> None:
    """Whatever the quotes do: the same rows, the same faults, or the fast way stands back."""
    file = in_folder(f"id,a\n{body}".encode())
    dialect = Dialect(escape=escape)
    try:
        fast = read_fast(file, dialect, ["id", "a"], Room())
        careful = read_carefully(file, dialect, ["id", "a"], Room())
    finally:
        Path(file.uri.removeprefix("file://")).unlink()
    if fast is not None:
        assert fast.columns.equals(careful.columns)
        assert list(fast.rows) == list(careful.rows)
        assert fast.faults == careful.faults


def test_the_dialect_is_chosen_by_the_sample(text_file: MakeFile) -> None:
    file = text_file(b"id;a\n1;x,y\n2;z,w\n")
    assert choose_dialect(*file.head(100)).delimiter == ";"
    assert rows_of(read_csv("a.csv", file, Room())) == [["1", "x,y"], ["2", "z,w"]]
