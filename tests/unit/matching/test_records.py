"""Rows that are records: the first of each id, in the order of UTF-8 bytes."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pixlake.matching.records import select_records


@settings(deadline=None)
@given(st.lists(st.none() | st.text("aé\U0001f600\uffee 0", max_size=2)))
def test_records_are_the_first_row_of_each_id_sorted_by_bytes(column: list[str | None]) -> None:
    records = select_records(pa.array(column, pa.string()))
    first: dict[str, int] = {}
    empty, repeated = [], []
    for row, value in enumerate(column):
        name = (value or "").strip()
        if not name:
            empty.append(row)
        elif name in first:
            repeated.append((row, first[name]))
        else:
            first[name] = row
    expected = sorted(first.items(), key=lambda item: item[0].encode())
    assert list(zip(records.ids.to_pylist(), records.rows.tolist(), strict=True)) == expected
    assert records.empty.tolist() == empty
    assert list(zip(records.repeated.tolist(), records.firsts.tolist(), strict=True)) == repeated
    ranks = records.ranks(len(column))
    assert [records.ids[ranks[row]].as_py() for row in first.values()] == list(first)
    assert sum(ranks < 0) == len(column) - len(first)
