"""Work runs ahead, in order, within its bounds, and stops at the first error."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pixlake.concurrency import Admit, map_bounded, read_and_prepare
from pixlake.errors import StorageError

BOUNDS: dict[str, Any] = {"readers": 4, "workers": 2, "in_flight": 6, "bytes_ahead": 100}


def take(item: int, _: Admit) -> int:
    return item


def test_results_come_in_order_whatever_takes_longest() -> None:
    def read(item: int, _: Admit) -> int:
        time.sleep(0.01 * (item % 3))
        return item * 10

    results = read_and_prepare(range(30), read, lambda item, data: (item, data), **BOUNDS)
    assert list(results) == [(item, item * 10) for item in range(30)]


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7])
def test_any_number_of_items_gives_as_many_results(count: int) -> None:
    assert list(read_and_prepare(range(count), take, lambda item, _: item, **BOUNDS)) == list(range(count))


def test_no_more_items_are_taken_ahead_than_allowed() -> None:
    taken = 0

    def items() -> Any:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    results = read_and_prepare(items(), take, lambda item, _: item, **BOUNDS)
    for index in range(20):
        assert next(results) == index
        assert taken <= index + BOUNDS["in_flight"]
    results.close()


def test_reading_and_preparing_keep_to_their_threads() -> None:
    lock, busy, most = threading.Lock(), {"read": 0, "prepare": 0}, {"read": 0, "prepare": 0}

    def tracked(name: str) -> None:
        with lock:
            busy[name] += 1
            most[name] = max(most[name], busy[name])
        time.sleep(0.005)
        with lock:
            busy[name] -= 1

    list(read_and_prepare(range(40), lambda *_: tracked("read"), lambda *_: tracked("prepare"), **BOUNDS))
    assert 1 < most["read"] <= 4
    assert most["prepare"] <= 2


@pytest.mark.parametrize("step", ["read", "prepare"])
def test_an_error_is_raised_at_its_item_and_ends_the_threads(step: str) -> None:
    def fail(name: str, item: int) -> int:
        if item == 9 and name == step:
            raise StorageError("gone")
        return item

    before = threading.active_count()
    got: list[int] = []
    with pytest.raises(StorageError, match="gone"):
        got.extend(read_and_prepare(range(50), lambda i, _: fail("read", i), lambda i, _: fail("prepare", i), **BOUNDS))
    assert got == list(range(9))
    assert threading.active_count() == before


def test_a_consumer_that_stops_early_ends_the_threads() -> None:
    before = threading.active_count()
    results = read_and_prepare(range(1_000), take, lambda item, _: item, **BOUNDS)
    next(results)
    results.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("sizes", [[40] * 30, [1, 99, 500, 2, 98, 300, 300, 1], [0, 1_000] * 9])
def test_no_more_bytes_are_read_ahead_than_allowed_unless_by_one_item_alone(sizes: list[int]) -> None:
    lock, held, most = threading.Lock(), list[int](), 0

    def read(item: int, admit: Admit) -> int:
        nonlocal most
        time.sleep(0.002 * (item % 3 == 0))  # later items get there first
        admit(sizes[item])
        with lock:
            held.append(sizes[item])
            most = max(most, sum(held) if len([size for size in held if size]) > 1 else 0)
        return item

    def prepare(item: int, data: int) -> int:
        with lock:
            held.remove(sizes[item])
        return data

    assert list(read_and_prepare(range(len(sizes)), read, prepare, **BOUNDS)) == list(range(len(sizes)))
    assert most <= BOUNDS["bytes_ahead"]


def test_an_error_while_others_wait_for_room_ends_the_threads() -> None:
    def read(item: int, admit: Admit) -> int:
        admit(90)
        if item == 1:
            raise StorageError("gone")
        return item

    before = threading.active_count()
    with pytest.raises(StorageError, match="gone"):
        list(read_and_prepare(range(50), read, lambda item, _: item, **BOUNDS))
    assert threading.active_count() == before


def test_mapped_results_come_in_order() -> None:
    def wait(number: int) -> int:
        time.sleep(0.01 if number % 2 == 0 else 0)
        return number * number

    assert list(map_bounded(wait, range(20), 4)) == [number * number for number in range(20)]


def test_mapped_calls_run_concurrently() -> None:
    meeting = threading.Barrier(3)
    assert list(map_bounded(lambda number: meeting.wait(10) >= 0 and number, range(3), 3)) == [0, 1, 2]


def test_no_more_calls_run_at_once_than_allowed() -> None:
    started: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            started.append(number)
            yield number

    results = map_bounded(lambda number: number, items(), 4)
    assert next(results) == 0
    assert len(started) <= 5
    assert list(results) == list(range(1, 100))


def test_an_error_of_a_call_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_bounded(lambda number: 1 // number, [1, 0, 1], 2))
