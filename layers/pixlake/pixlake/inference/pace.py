"""Stopping in time: a worker takes no further group of rows that it may not finish before its time is over."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

RESERVE = 20.0
"""Seconds kept for writing what is there."""


class Pace:
    """Counts the rows of an invocation, and times its groups. `seconds` is the time that is left to it."""

    def __init__(self, seconds: float) -> None:
        self.rows = 0
        self._end = time.monotonic() + seconds - RESERVE
        self._longest_wait = self._longest_call = 0.0
        self._lock = threading.Lock()

    def limit(self, groups: Iterable[list[T]]) -> Iterator[list[T]]:
        """The groups while there is time for another, at least the first; counts their rows."""
        asked = time.monotonic()
        for group in groups:
            self._longest_wait = max(self._longest_wait, time.monotonic() - asked)
            self.rows += len(group)
            yield group
            if not self._has_time():
                return
            asked = time.monotonic()

    def timed(self, call: Callable[[list[T]], R]) -> Callable[[list[T]], R]:
        """`call`, timed."""

        def run(group: list[T]) -> R:
            begun = time.monotonic()
            result = call(group)
            with self._lock:
                self._longest_call = max(self._longest_call, time.monotonic() - begun)
            return result

        return run

    def _has_time(self) -> bool:
        """For the next group to come, then to wait for one that is begun, then to be done itself."""
        with self._lock:
            return time.monotonic() + self._longest_wait + 2 * self._longest_call < self._end
