"""A table that somebody made to do harm costs its own rows, or itself; the good table beside it is read."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.builders.split_inputs import Upload

GOOD = "id,name\n1,a\n2,b\n"


def parquet(**columns: pa.Array) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def list_of(value: int, kind: pa.DataType) -> pa.Array:
    """Two rows: a list of this number, taken for `kind`, and an empty one."""
    number = pa.array([value], pa.int64() if kind.bit_width == 64 else pa.int32())
    return pa.ListArray.from_arrays(pa.array([0, 1, 1], pa.int32()), number.view(kind))


def struct_of_date(days: int) -> pa.Array:
    return pa.StructArray.from_arrays([pa.array([days, 0], pa.int32()).view(pa.date32())], ["day"])


def no_text(first: bytes) -> pa.Array:
    """Two rows of a column that is called text."""
    _, offsets, data = pa.array([first, b"ok"], pa.binary()).buffers()
    return pa.Array.from_buffers(pa.string(), 2, [None, offsets, data])


@pytest.mark.parametrize("depth", [*range(990, 1_002), 5_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_a_deeply_nested_json_line_is_one_reject(upload: Upload, depth: int, brackets: str) -> None:
    """Some depths can be read and not be written."""
    opening = "[" if brackets == "[]" else '{"a":'
    value = opening * depth + "1" + brackets[1] * depth
    upload.put_table("a.jsonl", '{"id": 1, "a": ' + value + '}\n{"id": 2, "a": "x"}\n')
    upload.split(shards=0)
    records = [record["record_id"] for record in upload.records()]
    rejected = [(reject.source, reject.reason) for reject in upload.rejects()]
    assert "2" in records
    assert ("1" in records) != (rejected == [("a.jsonl:1", "unreadable_row")])


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (list_of(2**62, pa.timestamp("us")), "unreadable_row"),
        (list_of(2**31 - 1, pa.date32()), "unreadable_row"),
        (list_of(2**62, pa.time64("us")), "unreadable_row"),
        (struct_of_date(2**31 - 1), "unreadable_row"),
        (no_text(b"\xff\xfe"), "unreadable_bytes"),
    ],
    ids=["timestamps", "dates", "times", "date in a struct", "no text"],
)
def test_a_parquet_value_that_is_none_of_its_type_is_one_reject(upload: Upload, column: pa.Array, reason: str) -> None:
    upload.put_table("good.csv", GOOD)
    upload.put_table("bad.parquet", parquet(id=pa.array(["3", "4"]), bad=column))
    upload.split(shards=0)
    assert [record["record_id"] for record in upload.records()] == ["1", "2", "4"]
    (reject,) = upload.rejects()
    assert (reject.source, reject.reason) == ("bad.parquet:1", reason)
    assert reject.detail.startswith("the value in 'bad' ")


def test_many_bad_parquet_values_are_counted(upload: Upload) -> None:
    ids = pa.array([str(n) for n in range(3_000)])
    bad = pa.concat_arrays([list_of(2**62, pa.timestamp("us"))] * 1_500)
    upload.put_table("bad.parquet", parquet(id=ids, bad=bad))
    upload.split(shards=0)
    *named, rest = upload.rejects()
    assert (len(upload.records()), len(named)) == (1_500, 1_000)
    assert (rest.source, rest.detail) == ("bad.parquet", "and 500 more rows")
