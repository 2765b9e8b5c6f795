"""Sources merge into one sorted stream, whatever their order and overlap, with little of each in memory."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.iceberg.merge import READERS, index_keys, merge_rows
from pixlake.iceberg.rows import TableRows
from pixlake.schemas import RECORDS
from tests.builders.examples import examples
from tests.unit.iceberg.record_rows import records

START = datetime(2026, 1, 1, tzinfo=UTC)
rows = st.lists(st.tuples(st.text("abc", max_size=3), st.integers(0, 3)), max_size=12)


def merge(sources: Sequence[TableRows]) -> list[dict[str, Any]]:
    index = index_keys(sources, RECORDS)
    chunks = list(merge_rows(index, index.order(), RECORDS.columns.names))
    return [row for chunk in chunks for row in chunk.to_pylist()]


@examples(60)
@given(st.lists(rows, max_size=5), st.booleans())
def test_merged_rows_are_sorted_and_the_newest_of_each_key(parts: list[list[tuple[str, int]]], ordered: bool) -> None:
    parts = [sorted(part) if ordered else part for part in parts]
    found = merge([TableRows(f"{n}", records(part, f"part {n}")) for n, part in enumerate(parts)])
    newest: dict[str, int] = {}
    for record_id, day in (row for part in parts for row in part):
        newest[record_id] = max(day, newest.get(record_id, 0))
    assert [row["record_id"] for row in found] == sorted(newest)
    assert {row["record_id"]: (row["uploaded_at"] - START).days for row in found} == newest
    # each row came over whole: its author is who put this key at this place
    for row in found:
        ((_, author),) = row["attributes"]
        _, part, place = str(author).split()
        assert parts[int(part)][int(place)][0] == row["record_id"]


def test_of_rows_with_equal_rank_in_one_source_the_last_is_kept() -> None:
    (row,) = merge([TableRows("0", records([("a", 1), ("a", 1)], "part 0"))])
    assert row["attributes"] == [("who", "part 0 1")]


class Counting(TableRows):
    """Counts the rows that were given out and are not collected yet."""

    open_now: set[str] = set()  # noqa: RUF012
    most_open = 0

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        Counting.open_now.add(self.name)
        Counting.most_open = max(Counting.most_open, len(Counting.open_now))
        yield from super().batches(columns)
        Counting.open_now.discard(self.name)


@pytest.mark.parametrize("shuffled", [False, True])
def test_sources_without_overlap_are_read_one_after_another(shuffled: bool) -> None:
    Counting.most_open = 0
    numbers = np.arange(40)
    if shuffled:
        np.random.default_rng(0).shuffle(numbers)
    parts = [[(f"{number:02d}-{row:04d}", 1) for row in range(300)] for number in numbers]
    found = merge([Counting(f"{n}", records(part, f"part {n}")) for n, part in enumerate(parts)])
    assert len(found) == 40 * 300
    assert Counting.most_open <= 4 * READERS


def test_a_source_that_became_shorter_is_an_error() -> None:
    class Shrinking(TableRows):
        def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            for batch in super().batches(columns):
                yield batch if "attributes" not in columns else batch.slice(0, 1)

    with pytest.raises(EOFError):
        merge([Shrinking("0", records([("a", 1), ("b", 1)], "part 0"))])
