"""Many requests in flight, their results in order, and never more of them held than asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def fly(call: Callable[[A], B], items: Iterable[A], at_once: int) -> Iterator[B]:
    """`call` of each item, in threads; what `map` gives, with at most `at_once` results waiting to be taken."""
    waiting: deque[Future[B]] = deque()
    with ThreadPoolExecutor(at_once) as threads:
        for item in items:
            if len(waiting) == at_once:
                yield waiting.popleft().result()
            waiting.append(threads.submit(call, item))
        while waiting:
            yield waiting.popleft().result()
