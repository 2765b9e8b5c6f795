"""Work in threads: results in order, in bounded memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R")


def map_bounded(
    call: Callable[[T], R], items: Iterable[T], workers: int, *, in_flight: int | None = None
) -> Generator[R]:
    """`call(item)` for each item, in order, computed by `workers` threads.

    At most `in_flight` items are begun and not yet taken by the caller; by default one more than `workers`, so that all
    of them work while the caller has one. An exception of `call` is raised in its place; nothing further is begun then.
    """
    limit = workers + 1 if in_flight is None else in_flight
    pool, window = ThreadPoolExecutor(workers), deque[Future[R]]()
    try:
        for item in items:
            window.append(pool.submit(call, item))
            if len(window) == limit:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def read_and_prepare(
    items: Iterable[T],
    read: Callable[[T], D],
    prepare: Callable[[T, D], R],
    *,
    readers: int,
    workers: int,
    in_flight: int,
) -> Generator[R]:
    """`prepare(item, read(item))` for each item, as `map_bounded` does it.

    Reading waits for a network and preparing for a core, so each has threads of its own.
    """
    reading = ThreadPoolExecutor(readers)
    try:
        pairs = ((item, reading.submit(read, item)) for item in items)
        yield from map_bounded(lambda pair: prepare(pair[0], pair[1].result()), pairs, workers, in_flight=in_flight)
    finally:
        reading.shutdown(cancel_futures=True)
