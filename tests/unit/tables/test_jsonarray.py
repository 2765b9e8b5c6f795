"""A JSON array of objects is a table; what else a .json file holds is none, and costs nothing but itself."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.errors import BadTable
from pixlake.tables import jsonarray
from pixlake.tables.jsonarray import NoTable, read_json
from pixlake.tables.room import Room
from pixlake.tables.text import TextFile

MakeFile = Callable[[bytes], TextFile]
VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text('a"\\]},: \n\u00e9', max_size=9)


def rows(file: TextFile) -> list[dict[str, str | None]]:
    table = read_json("a.json", file, Room())
    assert not table.faults.count
    found: list[dict[str, str | None]] = table.columns.to_pylist()
    return found


def test_an_array_of_objects_is_a_table(text_file: MakeFile) -> None:
    data = b' [ {"id": "007", "n": 17.0, "x": [1, {"y": null}]},\n {"id": 8, "late": true} ]\n'
    table = read_json("a.json", text_file(data), Room())
    assert table.columns.to_pylist() == [
        {"id": "007", "n": "17", "x": '[1,{"y":null}]', "late": None},
        {"id": "8", "n": None, "x": None, "late": "true"},
    ]
    assert list(table.places(table.rows)) == [1, 2]


@given(st.lists(st.dictionaries(st.text('ab"\\', min_size=1, max_size=3), VALUES, max_size=4), max_size=9))
def test_rows_are_the_same_wherever_a_block_ends(objects: list[dict[str, object]]) -> None:
    text = json.dumps(objects)
    found = [value for _, value in jsonarray.elements("a.json", iter(text))]
    assert found == objects


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_arrays_of_other_encodings_are_decoded(text_file: MakeFile, encoding: str) -> None:
    assert rows(text_file('[{"name": "Jürgen"}]'.encode(encoding))) == [{"name": "Jürgen"}]


def test_missing_numbers_of_pandas_have_no_value(text_file: MakeFile) -> None:
    assert rows(text_file(b'[{"id": 1, "a": NaN, "b": null}]')) == [{"id": "1", "a": None, "b": None}]


def test_numbers_without_an_end_stay_themselves(text_file: MakeFile) -> None:
    data = b'[{"id": 1, "a": Infinity, "b": [-Infinity], "c": 1e400}]'
    assert rows(text_file(data)) == [{"id": "1", "a": "Infinity", "b": "[-Infinity]", "c": "1e400"}]


def test_json_lines_under_this_name_are_read(text_file: MakeFile) -> None:
    assert rows(text_file(b'{"id": 1}\n{"id": 2}\n')) == [{"id": "1"}, {"id": "2"}]


def test_elements_that_are_no_objects_are_faults(text_file: MakeFile) -> None:
    data = '[{"é": 1},\n12,\nnull,\n'.encode() + b'{"id": "\xff"},\n{"id": "\\ud800"},\n{"id": "\xc3\xa9"}]'
    table = read_json("a.json", text_file(data), Room())
    assert table.columns.to_pylist() == [{"é": "1", "id": None}, {"é": None, "id": "é"}]
    reasons = [(fault.row + 1, fault.reason) for fault in table.faults.first]
    assert reasons == [
        (2, "unreadable_row"),
        (3, "unreadable_row"),
        (4, "unreadable_bytes"),
        (5, "unreadable_row"),
    ]


def test_an_empty_array_has_no_rows(text_file: MakeFile) -> None:
    assert rows(text_file(b"[]")) == []


@pytest.mark.parametrize("data", [b"", b" ", b"{}", b'{"images": [{"id": 1}]}', b'{\n "a": 1\n}', b"17", b'"x"', b"no"])
def test_what_is_neither_array_nor_lines_is_no_table(text_file: MakeFile, data: bytes) -> None:
    with pytest.raises(NoTable, match=r"a\.json: it holds no table: .*array of objects"):
        read_json("a.json", text_file(data), Room())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'[{"id": 1}, {"id": 2', "row 2: "),
        (b'[{"id": 1} {"id": 2}]', "row 2: "),
        (b'[{"id": 1}, {"id": 2}', "it ends"),
        (b'[{"id": 1}] {"id": 2}', "after the array"),
        (b'[{"id": 1},]', "row 2: "),
        (b"[" * 200_000, "row 1: "),
        (b'[{"id": ' + b"9" * 10_000 + b"}]", "row 1: "),
    ],
)
def test_an_array_that_is_no_json_cannot_be_read(text_file: MakeFile, data: bytes, words: str) -> None:
    with pytest.raises(BadTable, match=words):
        read_json("a.json", text_file(data), Room())


def test_an_object_has_a_greatest_length(text_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonarray, "MAX_ROW_BYTES", 3 << 20)
    short, long = (json.dumps([{"id": 1}, {"id": "x" * size}]).encode() for size in (2 << 20, 4 << 20))
    assert len(rows(text_file(short))) == 2
    with pytest.raises(BadTable, match=r"row 2: .*too long"):
        read_json("a.json", text_file(long), Room())
