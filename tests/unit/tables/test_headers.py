"""A first row is a header, or a row like those below it; nothing of it is lost."""

from collections.abc import Callable

import pytest

from pixlake.tables.csvfile import read_csv
from pixlake.tables.headers import is_row
from pixlake.tables.room import Room
from pixlake.tables.tablefile import TableFile
from pixlake.tables.text import TextFile

MakeFile = Callable[[bytes], TextFile]


def read(file: TextFile) -> tuple[list[str], list[list[str | None]], list[int]]:
    """Names, rows, and the lines on which they begin."""
    table = read_csv("a.csv", file, Room())
    return table.columns.column_names, rows_of(table), [int(line) for line in table.places(table.rows)]


def rows_of(table: TableFile) -> list[list[str | None]]:
    return [list(row.values()) for row in table.columns.to_pylist()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("hint", ["sep=;", "SEP=;", '"sep=;"', "sep=;;", '"sep=;";'])
def test_a_hint_to_excel_is_the_delimiter_and_no_header(
    text_file: MakeFile, hint: str, end: str, encoding: str
) -> None:
    text = end.join([hint, "id;größe, cm", "1;2,5", "2;3,5", ""])
    assert read(text_file(text.encode(encoding))) == (["id", "größe, cm"], [["1", "2,5"], ["2", "3,5"]], [3, 4])


def test_a_delimiter_that_is_told_is_taken_though_another_fits_better(text_file: MakeFile) -> None:
    assert read(text_file(b"sep=|\na,b\n1,2\n"))[:2] == (["a,b"], [["1,2"]])
    assert read(text_file(b"sep=\t\na\tb\n1\t2\n"))[:2] == (["a", "b"], [["1", "2"]])


def test_a_column_may_be_called_sep(text_file: MakeFile) -> None:
    assert read(text_file(b"sep,a\n1,2\n"))[0] == ["sep", "a"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_title_above_the_names_is_left_out_and_said(text_file: MakeFile, end: str) -> None:
    text = end.join(["sep=;", "", "Käfer 2026;;", ";;", "", "id;name;place", "1;a;b", "2;;", ""])
    table = read_csv("a.csv", text_file(text.encode()), Room())
    assert table.columns.column_names == ["id", "name", "place"]
    assert (rows_of(table), list(table.places(table.rows))) == ([["1", "a", "b"], ["2", None, None]], [7, 8])
    assert table.warnings == ("a.csv: 'Käfer 2026' above the columns' names is left out",)


@pytest.mark.parametrize("text", ["id,,\n1,a,b\n", "id,\na,b\n", ",,x\n,,\n", '"a\nb",,\nid,name,x\n', "id,,\na,b,b\n"])
def test_a_header_with_one_name_is_no_title(text_file: MakeFile, text: str) -> None:
    assert read_csv("a.csv", text_file(text.encode()), Room()).columns.num_rows == text.count("\n") - 1 - ('"' in text)


def test_numbers_of_more_digits_than_python_converts_are_a_row(text_file: MakeFile) -> None:
    first, second = "9" * 5_000, "8" * 5_000
    assert read(text_file(f"{first},{second}\n1,2\n".encode()))[1] == [[first, second], ["1", "2"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_without_a_header_loses_no_row(text_file: MakeFile, end: str, encoding: str) -> None:
    text = end.join(["IMG_1.jpg;Käfer", "IMG_2.jpg;Igel", "IMG_3.jpg", "IMG_4.jpg;Biene", ""])
    table = read_csv("deep/a.csv", text_file(text.encode(encoding)), Room())
    assert table.columns.column_names == ["column_1", "column_2"]
    assert rows_of(table) == [["IMG_1.jpg", "Käfer"], ["IMG_2.jpg", "Igel"], ["IMG_4.jpg", "Biene"]]
    assert list(table.places(table.rows)) == [1, 2, 4]
    assert [fault.row for fault in table.faults.first] == [2]
    assert table.warnings == (
        "deep/a.csv: its first row ('IMG_1.jpg', 'Käfer') names no columns and was read as a row; the columns are"
        " called 'column_1', 'column_2'. Put a row with their names before it",
    )


def test_a_table_without_a_header_is_read_by_the_careful_way_too(text_file: MakeFile) -> None:
    names, rows, lines = read(text_file(b'sep=,\nIMG_1.jpg,a\nIMG_2.jpg,b\nIMG_3.jpg,"c\n'))
    assert (names, rows, lines) == (["column_1", "column_2"], [["IMG_1.jpg", "a"], ["IMG_2.jpg", "b"]], [2, 3])


@pytest.mark.parametrize(
    "text",
    [
        "IMG_1.jpg",
        "1,https://x.example/a.JPG?w=80",
        "1,2.5,3\n2,3.5,7",
        "17\n18\n19",
        "2026-01-05,7\n2026-01-06,9",
        "INV-1001,Amphora,unknown,5.0\nINV-1002,Bowl,,7.5\nINV-1003,Comb,unknown,",
        "cat,n01440764\ndog,n01443537\nowl,n01484850",
    ],
)
def test_values_are_no_header(text: str) -> None:
    first, *others = [line.split(",") for line in text.splitlines()]
    assert is_row(first, others)


@pytest.mark.parametrize(
    "text",
    [
        "id,name\n1,a\n2,b",
        "filename,species\nIMG_1.jpg,cat",
        "country,1990,1991\nFrance,5,6\nSpain,7,8",
        "0,1,2\na,b,c",
        ",0,1,2\n0,a,b,c",
        "1990,1991,1992\n5,6,7",
        "V1,V2\nA1,2.5\nB7,3.5",
        "q1,q2,q3\n3,5,2\n1,4,2",
        "sample,400.5,401.0\ns1,0.1,0.2\ns2,0.1,0.2",
        "title\nA walk\nTwo men",
        "INV-1001",
        "",
        ",",
    ],
)
def test_names_are_a_header(text: str) -> None:
    first, *others = [line.split(",") for line in text.splitlines()] or [[]]
    assert not is_row(first, others)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("cat,5.0", "has '5.0'"),
        ("a,7,2", "has '7', '2'"),
        ("a,2026-01-05", "has '2026-01-05'"),
        ("a,1990,1995,2000", ""),
        ("a,2026-01-05,2026-01-06", ""),
        ("a,2020", ""),
        ("a,b", ""),
    ],
)
def test_a_header_that_may_be_a_row_is_said(text_file: MakeFile, header: str, told: str) -> None:
    table = read_csv("a.csv", text_file(f"{header}\n{header.replace('5', '6').replace('a', 'b')}\n".encode()), Room())
    assert len(table.warnings) == bool(told)
    assert told in " ".join(table.warnings)
