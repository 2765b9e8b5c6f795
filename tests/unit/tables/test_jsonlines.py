"""JSON Lines: values of any kind become text, a line that is no object becomes a fault."""

import json
from collections.abc import Callable

import pytest

from pixlake.tables.jsonlines import read_json_lines, to_text
from pixlake.tables.room import Room
from pixlake.tables.text import TextFile

MakeFile = Callable[[bytes], TextFile]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", None),
        ("007", "007"),
        (7, "7"),
        (7.0, "7"),
        (-0.0, "0"),
        (7.25, "7.25"),
        (10**25, str(10**25)),
        (True, "true"),
        (["a", 1], '["a",1]'),
        ({"b": None}, '{"b":null}'),
        (float("nan"), None),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        ([1, float("inf"), {"é": float("nan")}], '[1,Infinity,{"é":NaN}]'),
    ],
)
def test_values_become_text(text_file: MakeFile, value: object, text: str | None) -> None:
    assert to_text(json.loads(json.dumps(value))) == text
    table = read_json_lines("a.jsonl", text_file(json.dumps({"id": "1", "v": value}).encode()), Room())
    assert table.columns.to_pylist() == [{"id": "1", "v": text}]


def test_a_number_that_no_float_holds_is_kept_as_it_is_written(text_file: MakeFile) -> None:
    table = read_json_lines("a.jsonl", text_file(b'{"id":1,"a":1e400}\n{"id":2,"a":-2.5E+999}\n'), Room())
    assert table.columns["a"].to_pylist() == ["1e400", "-2.5E+999"]


def test_a_line_with_a_missing_number_is_still_text(text_file: MakeFile) -> None:
    table = read_json_lines("a.jsonl", text_file(b'{"id":"\\ud800","a":NaN}\n{"id":"1","a":NaN}\n[NaN]\n'), Room())
    assert table.columns.to_pylist() == [{"id": "1", "a": None}]
    assert [fault.reason for fault in table.faults.first] == ["unreadable_row", "unreadable_row"]


def test_columns_are_those_of_all_lines(text_file: MakeFile) -> None:
    table = read_json_lines("a.jsonl", text_file(b'{"id":1,"a":"x"}\n\n{"b":2,"id":3}\r\n'), Room())
    assert table.columns.to_pylist() == [{"id": "1", "a": "x", "b": None}, {"id": "3", "a": None, "b": "2"}]
    assert list(table.places(table.rows)) == [1, 3]


def test_a_column_first_seen_late_is_null_before(text_file: MakeFile) -> None:
    lines = [json.dumps({"id": n}) for n in range(10_001)] + ['{"id": 10001, "late": "x"}']
    table = read_json_lines("a.jsonl", text_file("\n".join(lines).encode()), Room())
    assert table.columns.num_rows == 10_002
    assert table.columns["late"][-1].as_py() == "x"
    assert table.columns["late"].null_count == 10_001


def test_lines_that_are_no_objects_are_faults(text_file: MakeFile) -> None:
    data = b'{"id":1}\n[1]\n{"id":\n{"id":"\xff"}\n"x"\n{"id":"\\ud800"}\n' + b"[" * 100_000 + '\n{"id":"é"}'.encode()
    table = read_json_lines("a.jsonl", text_file(data), Room())
    assert table.columns.to_pylist() == [{"id": "1"}, {"id": "é"}]
    reasons = [(int(table.places(table.rows)[0] + fault.row), fault.reason) for fault in table.faults.first]
    assert reasons == [
        (2, "unreadable_row"),
        (3, "unreadable_row"),
        (4, "unreadable_bytes"),
        (5, "unreadable_row"),
        (6, "unreadable_row"),
        (7, "unreadable_row"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_json_lines_of_other_encodings_are_decoded(text_file: MakeFile, encoding: str) -> None:
    table = read_json_lines("a.jsonl", text_file('{"id":"1","name":"Jürgen"}\n'.encode(encoding)), Room())
    assert table.columns.to_pylist() == [{"id": "1", "name": "Jürgen"}]


def test_a_file_without_lines_has_no_rows(text_file: MakeFile) -> None:
    table = read_json_lines("a.jsonl", text_file(b"\n"), Room())
    assert (table.columns.num_rows, table.columns.num_columns) == (0, 0)
