"""Work in threads that runs ahead of who takes its results, in order and in bounded memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R")


def mapped(items: Iterable[T], work: Callable[[T], R], *, workers: int, ahead: int) -> Generator[R]:
    """`work(item)` for each item, in order, computed by `workers` threads up to `ahead` items before it is taken.

    What `work` raises is raised here, in its place; nothing further is begun then.
    """
    pool, window = ThreadPoolExecutor(workers), deque[Future[R]]()
    try:
        for item in items:
            window.append(pool.submit(work, item))
            if len(window) >= ahead:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def prepared(
    items: Iterable[T],
    read: Callable[[T], D],
    prepare: Callable[[T, D], R],
    *,
    readers: int,
    workers: int,
    ahead: int,
) -> Generator[R]:
    """`prepare(item, read(item))` for each item, as `mapped` does it.

    Reading waits for a network and preparing for a core, so each has threads of its own.
    """
    reading = ThreadPoolExecutor(readers)
    try:
        pairs = ((item, reading.submit(read, item)) for item in items)
        yield from mapped(pairs, lambda pair: prepare(pair[0], pair[1].result()), workers=workers, ahead=ahead)
    finally:
        reading.shutdown(cancel_futures=True)
