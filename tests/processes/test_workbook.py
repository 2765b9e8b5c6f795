"""Workbooks: cells as a person reads them, the sheets that belong together, and what a hostile one costs."""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from pixlake.errors import BadTable
from pixlake.tables import room, workbook
from pixlake.tables.room import Room
from pixlake.tables.sheets import to_text
from pixlake.tables.union import read_tables
from pixlake.tables.workbook import Workbook, Workbooks
from tests.builders import workbooks
from tests.builders.split_inputs import Upload

Read = Callable[[bytes], Workbook]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """A function that reads the bytes of a workbook."""

    def read(data: bytes) -> Workbook:
        path = tmp_path / "a.xlsx"
        path.write_bytes(data)
        return Workbooks().read("a.xlsx", f"file://{path}", Room())

    return read


def rows(read: Read, cells: Sequence[Sequence[Any]]) -> list[dict[str, str | None]]:
    (file,) = read(workbooks.workbook({"Objects": cells})).files
    found: list[dict[str, str | None]] = file.columns.to_pylist()
    return found


CELLS: list[tuple[Any, str | None]] = [
    ("00017", "00017"),
    (17, "17"),
    (17.0, "17"),
    (-0.0, "0"),
    (7.25, "7.25"),
    (4006381333931, "4006381333931"),
    (1e300, "1e+300"),
    ("  x\ny", "  x\ny"),
    (True, "true"),
    (date(2026, 1, 5), "2026-01-05"),
    (datetime(2026, 1, 5, 10, 30), "2026-01-05T10:30:00"),
    (time(9, 5), "09:05:00"),
    (timedelta(hours=30, minutes=5), "30:05:00"),
    ("", None),
    ("#N/A", None),
]


def test_cells_are_text_as_a_person_reads_them(read: Read) -> None:
    found = rows(read, [["id", "v"], *(["a", cell] for cell, _ in CELLS)])
    assert found == [{"id": "a", "v": text} for _, text in CELLS]


def test_a_whole_number_that_was_computed_has_no_fraction() -> None:
    assert [to_text(cell) for cell in (17.0, -0.0, 1e15, 5)] == ["17", "0", "1000000000000000", "5"]


def test_rows_have_the_numbers_that_the_program_shows(read: Read) -> None:
    (file,) = read(workbooks.workbook({"Objects": [["id"], [], ["a"], [None], ["b"]]})).files
    assert (file.columns.to_pylist(), list(file.places(file.rows))) == ([{"id": "a"}, {"id": "b"}], [3, 5])


def test_a_title_above_the_header_is_no_row(read: Read) -> None:
    cells = [["Catalogue of 2026"], [], ["id", "name"], ["a", "x"]]
    assert rows(read, cells) == [{"id": "a", "name": "x"}]


def test_a_header_above_an_index_without_a_name_is_the_header(read: Read) -> None:
    assert rows(read, [[None, "name"], [0, "x"], [1, "y"]]) == [
        {"column_1": "0", "name": "x"},
        {"column_1": "1", "name": "y"},
    ]


def test_a_table_may_begin_anywhere_in_its_sheet(read: Read) -> None:
    assert rows(read, [[], [None, None, "id", "name"], [None, None, "a", "x"]]) == [{"id": "a", "name": "x"}]


def test_columns_without_name_and_values_are_none(read: Read) -> None:
    cells = [["id", None, "name", None], ["a", None, "x", " note"], ["b", None, "y", None]]
    assert rows(read, cells)[0] == {"id": "a", "name": "x", "column_4": " note"}


SPANNING: list[tuple[list[list[Any]], list[str], list[str], int]] = [
    (
        [["ID", "Size", None, "Photo"], [None, "height", "width", None], ["a", 5, 7, "a.jpg"], ["b", 6, 8, "b.jpg"]],
        ["A1:A2", "B1:C1", "D1:D2"],
        ["ID", "Size height", "Size width", "Photo"],
        2,
    ),
    (
        [["ID", "Size", None, "Photo"], [None, "height", "width", None], ["a", 5, 7, "a.jpg"], ["b", 6, 8, "b.jpg"]],
        [],
        ["ID", "Size height", "Size width", "Photo"],
        2,
    ),
    (
        [["Object", None, "Size", None], ["inv_no", "title", "h", "w"], ["A1", "x", 5, 7], ["A2", "y", 6, 8]],
        ["A1:B1", "C1:D1"],
        ["Object inv_no", "Object title", "Size h", "Size w"],
        2,
    ),
    (
        [[], [], [None, "ID", "Place", None], [None, None, "Town", "House"], [None, "a", "Ulm", "one"]],
        ["B3:B4", "C3:D3"],
        ["ID", "Place Town", "Place House"],
        1,
    ),
]


@pytest.mark.parametrize(("cells", "ranges", "names", "count"), SPANNING)
def test_a_header_of_two_rows_is_read_as_one_and_said(
    read: Read, cells: list[list[Any]], ranges: list[str], names: list[str], count: int
) -> None:
    (file,) = read(workbooks.merged(cells, ranges)).files
    assert (file.columns.column_names, file.columns.num_rows) == (names, count)
    assert list(file.places(file.rows)) == list(range(len(cells) - count + 1, len(cells) + 1))
    assert file.warnings == (f"a.xlsx!Sheet: its header has 2 rows, so the columns are called {str(names)[1:-1]}",)


@pytest.mark.parametrize(
    "cells",
    [
        [["id", None, "name"], ["a", "x", "y"], ["b", "v", "w"]],
        [["id", "name", None], ["a", "x", "n"], ["b", "v", "w"]],
    ],
)
def test_columns_with_values_and_no_name_are_said(read: Read, cells: list[list[Any]]) -> None:
    (file,) = read(workbooks.workbook({"Objects": cells})).files
    assert file.columns.num_rows == 2
    assert "no name stands above 1 of its columns, called 'column_" in "".join(file.warnings)


def test_a_sheet_without_a_header_loses_no_row(read: Read) -> None:
    (file,) = read(workbooks.workbook({"Objects": [["a.jpg", "cat"], ["b.jpg", "dog"]]})).files
    assert file.columns.to_pylist() == [
        {"column_1": "a.jpg", "column_2": "cat"},
        {"column_1": "b.jpg", "column_2": "dog"},
    ]
    assert list(file.places(file.rows)) == [1, 2]
    assert "its first row ('a.jpg', 'cat') names no columns and was read as a row" in file.warnings[0]


def test_numbers_longer_than_a_workbook_keeps_are_said(read: Read) -> None:
    cells: list[list[Any]] = [
        ["id", "big", "text", "ean"],
        ["a", 4006381333931123, "4006381333931123", 400638133393112],
    ]
    (file,) = read(workbooks.workbook({"Objects": cells})).files
    (said,) = file.warnings
    assert said.startswith("a.xlsx!Objects: 'big' has numbers of 16 digits and more, of which a workbook keeps 15")


def test_an_ordinary_sheet_has_nothing_to_say(read: Read) -> None:
    cells: list[list[Any]] = [[None, "id", "big", "date"], [0, "a", 1e300, date(2026, 1, 5)], [1, "b", -7.5, None]]
    (file,) = read(workbooks.workbook({"Objects": cells})).files
    assert file.warnings == ()


def test_sheets_with_the_same_columns_are_one_table(read: Read) -> None:
    found = read(
        workbooks.workbook(
            {
                "2025": [["id", "name"], ["a", "x"]],
                "2026": [["name", "id", "price"], ["y", "b", 3]],
                "Empty": [],
                "Greeting": [["hello"]],
            }
        )
    )
    assert [file.path for file in found.files] == ["a.xlsx!2025", "a.xlsx!2026"]
    assert [file.columns.to_pylist() for file in found.files] == [
        [{"id": "a", "name": "x"}],
        [{"name": "y", "id": "b", "price": "3"}],
    ]
    assert not found.left_out


def test_a_sheet_with_other_columns_is_named(read: Read) -> None:
    sheets: dict[str, list[list[Any]]] = {
        "Read me": [["about", "this file"], ["field", "meaning"]],
        "Objects": [["id", "name", "year", "place", "photo"], ["a", "x", 1900, "Ulm", "a.jpg"]],
        "Codes": [["code", "meaning"], ["1", "one"]],
        "Lists": [["secret"], ["1"]],
    }
    found = read(workbooks.workbook(sheets, hidden=["Lists"]))
    assert [file.path for file in found.files] == ["a.xlsx"]
    assert [(left.source, left.reason) for left in found.left_out] == [
        ("a.xlsx!Read me", "other_sheet"),
        ("a.xlsx!Codes", "other_sheet"),
    ]
    assert "'Objects'" in found.left_out[1].detail


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be read as a workbook"),
        (b"id,name\n1,x\n", "cannot be read as a workbook"),
        (workbooks.workbook({"Empty": []}), "no visible sheet has a row of column names"),
    ],
)
def test_what_holds_no_sheet_is_no_table(read: Read, data: bytes, words: str) -> None:
    with pytest.raises(BadTable, match=rf"a\.xlsx: .*{words}"):
        read(data)


def test_a_reader_that_has_ended_by_itself_before_its_table_is_refused_is_no_error(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, output: IO[bytes]) -> Iterator[Any]:
        output.read()
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        raise BadTable(f"{path}: refused")
        yield

    monkeypatch.setattr(workbook, "_read_rows", refuse)
    with pytest.raises(BadTable, match="refused"):
        read(b"PK no workbook")


def test_two_cells_far_apart_end_the_reader_alone(read: Read) -> None:
    with pytest.raises(BadTable, match=r"takes more than .* bytes of memory.*save it as CSV"):
        read(workbooks.far_apart())


def test_sheets_that_inflate_for_ever_are_stopped_and_have_their_time_together(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(workbooks.long_drawn(50_000_000))
    books = Workbooks(seconds=2)
    for left in (2, 1):
        with pytest.raises(BadTable, match=f"takes more than {left} seconds"):
            books.read("a.xlsx", f"file://{tmp_path}/a.xlsx", Room())
    assert books.seconds < 0


def test_a_row_above_the_limit_is_a_fault(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_CELL_BYTES", 1_000)
    (file,) = read(workbooks.workbook({"Objects": [["id"], ["a"], ["x" * 1_001], ["b"]]})).files
    assert file.columns.to_pylist() == [{"id": "a"}, {"id": "b"}]
    assert [(fault.row + 1, fault.reason) for fault in file.faults.first] == [(3, "too_long")]


def test_workbooks_have_a_greatest_size(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_BYTES", 1_000)
    with pytest.raises(BadTable, match=r"more than 1,000 bytes"):
        read(workbooks.workbook({"Objects": [["id"], ["a"]]}))


def test_rows_are_named_by_workbook_sheet_and_row(upload: Upload) -> None:
    upload.put_table("h.xlsx", workbooks.workbook({"1": [["id"], ["08"]], "2": [["id"], [], [9]]}))
    tables = read_tables(upload.work)[0]
    assert tables.columns["id"].to_pylist() == ["08", "9"]
    assert tables.places(np.arange(2)) == ["h.xlsx!1:2", "h.xlsx!2:3"]


def test_a_hostile_workbook_costs_only_itself(upload: Upload) -> None:
    upload.put_table("bad.xlsx", workbooks.far_apart())
    upload.put_table(
        "good.xlsx", workbooks.workbook({"Codes": [["code"], ["x"]], "Objects": [["id", "a", "b"], ["1", "", ""]]})
    )
    tables, rejects = read_tables(upload.work)
    assert tables.columns["id"].to_pylist() == ["1"]
    assert [(reject.source, reject.reason) for reject in rejects] == [
        ("bad.xlsx", "unreadable_table"),
        ("good.xlsx!Codes", "other_sheet"),
    ]
