"""Work in threads: results in order, in bounded memory."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R")


def map_bounded(
    call: Callable[[T], R], items: Iterable[T], workers: int, *, in_flight: int | None = None
) -> Generator[R]:
    """`call(item)` for each item, in order, computed by `workers` threads.

    At most `in_flight` items are begun and not yet taken by the caller; by default one more than `workers`, so that all
    of them work while the caller has one. An exception of `call` is raised in its place; no further item is begun then.
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


class Budget:
    """Bytes that may be in memory at once, admitted in the order of their turns, 0, 1 and so on.

    More than the budget is admitted when nothing else is held. The order keeps holders from waiting for an item that
    holds nothing.
    """

    def __init__(self, size: int) -> None:
        self._size, self._held, self._turn, self._closed = size, 0, 0, False
        self._changed = threading.Condition()

    def admit(self, turn: int, size: int) -> None:
        """Wait for the turn, and until there is room for `size`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._turn == turn and self._fits(size)))
            self._turn += 1
            self._held += size
            self._changed.notify_all()

    def release(self, size: int) -> None:
        with self._changed:
            self._held -= size
            self._changed.notify_all()

    def close(self) -> None:
        """Let all waiters through."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return not self._held or self._held + size <= self._size


@dataclass
class _Ticket:
    """One item's share of the budget."""

    budget: Budget
    turn: int
    size: int | None = None

    def admit(self, size: int) -> None:
        self.budget.admit(self.turn, size)
        self.size = size

    def release(self) -> None:
        self.budget.release(self.size or 0)


Admit = Callable[[int], None]
"""Waits until so many bytes may be held; called once, before they are read."""


def read_and_prepare(
    items: Iterable[T],
    read: Callable[[T, Admit], D],
    prepare: Callable[[T, D], R],
    *,
    readers: int,
    workers: int,
    in_flight: int,
    bytes_ahead: int,
) -> Generator[R]:
    """`prepare(item, read(item, admit))` for each item, as `map_bounded` does it.

    Reading waits for a network and preparing for a core, so each has threads of its own. At most `bytes_ahead` bytes,
    or one item, are read and not yet prepared.
    """
    reading, budget = ThreadPoolExecutor(readers), Budget(bytes_ahead)

    def begin(turn: int, item: T) -> tuple[T, Future[D], _Ticket]:
        ticket = _Ticket(budget, turn)
        return item, reading.submit(_read, item, read, ticket), ticket

    try:
        begun = (begin(turn, item) for turn, item in enumerate(items))
        yield from map_bounded(lambda each: _prepare(prepare, *each), begun, workers, in_flight=in_flight)
    finally:
        budget.close()
        reading.shutdown(cancel_futures=True)


def _read(item: T, read: Callable[[T, Admit], D], ticket: _Ticket) -> D:
    try:
        return read(item, ticket.admit)
    finally:
        if ticket.size is None:  # the next one's turn comes in any case
            ticket.admit(0)


def _prepare(prepare: Callable[[T, D], R], item: T, data: Future[D], ticket: _Ticket) -> R:
    try:
        return prepare(item, data.result())
    finally:
        ticket.release()
