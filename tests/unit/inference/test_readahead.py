"""Preparation runs ahead, in order, within its bounds, and stops at the first error."""

import threading
import time
from typing import Any

import pytest

from pixlake.concurrency import prepared
from pixlake.errors import StorageTrouble

BOUNDS: dict[str, Any] = {"readers": 4, "workers": 2, "ahead": 6}


def test_results_come_in_order_whatever_takes_longest() -> None:
    def read(item: int) -> int:
        time.sleep(0.01 * (item % 3))
        return item * 10

    results = prepared(range(30), read, lambda item, data: (item, data), **BOUNDS)
    assert list(results) == [(item, item * 10) for item in range(30)]


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7])
def test_any_number_of_items(count: int) -> None:
    assert list(prepared(range(count), lambda item: item, lambda item, _: item, **BOUNDS)) == list(range(count))


def test_no_more_is_taken_ahead_than_allowed() -> None:
    taken = 0

    def items() -> Any:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    results = prepared(items(), lambda item: item, lambda item, _: item, **BOUNDS)
    for index in range(20):
        assert next(results) == index
        assert taken <= index + BOUNDS["ahead"]
    results.close()  # type: ignore[attr-defined]


def test_reading_and_preparing_keep_to_their_threads() -> None:
    lock, busy, most = threading.Lock(), {"read": 0, "prepare": 0}, {"read": 0, "prepare": 0}

    def tracked(name: str) -> None:
        with lock:
            busy[name] += 1
            most[name] = max(most[name], busy[name])
        time.sleep(0.005)
        with lock:
            busy[name] -= 1

    list(prepared(range(40), lambda _: tracked("read"), lambda *_: tracked("prepare"), **BOUNDS))
    assert 1 < most["read"] <= 4
    assert most["prepare"] <= 2


@pytest.mark.parametrize("step", ["read", "prepare"])
def test_an_error_is_raised_in_its_place_and_ends_the_threads(step: str) -> None:
    def fail(name: str, item: int) -> int:
        if item == 9 and name == step:
            raise StorageTrouble("gone")
        return item

    before = threading.active_count()
    got: list[int] = []
    with pytest.raises(StorageTrouble, match="gone"):
        got.extend(prepared(range(50), lambda i: fail("read", i), lambda i, _: fail("prepare", i), **BOUNDS))
    assert got == list(range(9))
    assert threading.active_count() == before


def test_a_consumer_that_leaves_ends_the_threads() -> None:
    before = threading.active_count()
    results = prepared(range(1_000), lambda item: item, lambda item, _: item, **BOUNDS)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
