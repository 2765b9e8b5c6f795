"""Results come in order, a bounded number ahead of who takes them, and an error reaches him."""

import threading
import time
from collections.abc import Iterator

import pytest

from pixlake.matching.flight import fly


def test_results_in_order() -> None:
    def wait(number: int) -> int:
        time.sleep(0.01 if number % 2 == 0 else 0)
        return number * number

    assert list(fly(wait, range(20), 4)) == [number * number for number in range(20)]


def test_calls_overlap() -> None:
    meeting = threading.Barrier(3)
    assert list(fly(lambda number: meeting.wait(10) >= 0 and number, range(3), 3)) == [0, 1, 2]


def test_no_more_are_started_than_asked_for() -> None:
    started: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            started.append(number)
            yield number

    results = fly(lambda number: number, items(), 4)
    assert next(results) == 0
    assert len(started) <= 5
    assert list(results) == list(range(1, 100))


def test_an_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(fly(lambda number: 1 // number, [1, 0, 1], 2))
