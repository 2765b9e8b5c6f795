"""Cuts keep the limits, need as few ranges as can be, and share the work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.matching.cutting import cut
from tests.builders.examples import examples


def sizes_of(*sizes: int) -> np.ndarray:
    return np.array(sizes, dtype=np.int64)


def test_no_items_give_no_range() -> None:
    assert cut(sizes_of(), 10, 100) == []


@pytest.mark.parametrize(
    ("count", "rows", "lengths"), [(10, 4, [3, 3, 4]), (9, 9, [9]), (11, 10, [5, 6]), (3, 1, [1] * 3)]
)
def test_equal_items_are_shared_evenly(count: int, rows: int, lengths: list[int]) -> None:
    ranges = cut(np.zeros(count, dtype=np.int64), rows, 100)
    assert sorted(stop - start for start, stop in ranges) == lengths


def test_bytes_limit_and_balance() -> None:
    assert cut(sizes_of(60, 30, 30, 60), 10, 100) == [(0, 2), (2, 4)]


def test_an_item_above_the_limit_stands_alone() -> None:
    assert cut(sizes_of(5, 500, 5), 10, 100) == [(0, 1), (1, 2), (2, 3)]


@examples(300)
@given(st.lists(st.integers(0, 120), max_size=60), st.integers(1, 12), st.integers(1, 100))
def test_ranges_are_within_the_limits_and_as_few_as_can_be(sizes: list[int], rows: int, size: int) -> None:
    ranges = cut(sizes_of(*sizes), rows, size)
    assert [place for start, stop in ranges for place in range(start, stop)] == list(range(len(sizes)))
    for start, stop in ranges:
        assert 1 <= stop - start <= rows
        assert sum(sizes[start:stop]) <= size or stop - start == 1
    assert len(ranges) == count_greedily(sizes, rows, size)


def count_greedily(sizes: list[int], rows: int, size: int) -> int:
    """The least number of ranges: each filled until the next item does not fit."""
    count = held = total = 0
    for each in sizes:
        if not count or held == rows or total + each > size:
            count, held, total = count + 1, 0, 0
        held, total = held + 1, total + each
    return count


@given(st.lists(st.integers(1, 10), min_size=50, max_size=400), st.integers(2, 9))
def test_small_items_make_ranges_of_nearly_equal_bytes(sizes: list[int], parts: int) -> None:
    """Where the limit leaves room, a range's end is off by less than an item."""
    ranges = cut(sizes_of(*sizes), 1_000, sum(sizes) // parts + 20)
    totals = [sum(sizes[start:stop]) for start, stop in ranges]
    assert max(totals) - min(totals) <= 2 * 10
