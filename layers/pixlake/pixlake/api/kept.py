"""Answers that take long to make, kept while the rows that they follow from are the same."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Kept(Generic[T]):
    """The latest `count` answers. One is made at a time, in a thread; who asks for the same meanwhile waits for it."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._turn = anyio.Lock()
        self._limiter = anyio.CapacityLimiter(1)
        self._answers: OrderedDict[Hashable, T] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The answer of this key, made if it is not there."""
        if key in self._answers:
            return self._answers[key]
        async with self._turn:
            if key not in self._answers:
                self._answers[key] = await anyio.to_thread.run_sync(make, limiter=self._limiter)
            self._answers.move_to_end(key)
            while len(self._answers) > self._count:
                self._answers.popitem(last=False)
            return self._answers[key]
