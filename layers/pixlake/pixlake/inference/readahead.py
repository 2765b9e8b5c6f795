"""Reads and preparation that run ahead of the work they are for, in order and in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R")


def prepared(
    items: Iterable[T],
    read: Callable[[T], D],
    prepare: Callable[[T, D], R],
    *,
    readers: int,
    workers: int,
    ahead: int,
) -> Iterator[R]:
    """`prepare(item, read(item))` for each item, in order, computed in threads up to `ahead` items before it is taken.

    Reading waits for a network and preparing for a core, so each has threads of its own. What `read` or `prepare`
    raises is raised here, in its place; nothing further is begun then.
    """
    reading, preparing = ThreadPoolExecutor(readers, "read"), ThreadPoolExecutor(workers, "prepare")
    window: deque[Future[R]] = deque()
    try:
        for item in items:
            data = reading.submit(read, item)
            window.append(preparing.submit(_prepare, prepare, item, data))
            if len(window) >= ahead:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        preparing.shutdown(wait=False, cancel_futures=True)
        reading.shutdown(wait=True, cancel_futures=True)
        preparing.shutdown(wait=True)


def _prepare(prepare: Callable[[T, D], R], item: T, data: Future[D]) -> R:
    return prepare(item, data.result())
