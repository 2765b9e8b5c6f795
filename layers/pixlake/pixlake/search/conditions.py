"""Conditions on images with their answers, kept while the tables are the same: evaluating one takes far longer than
the search that asks it.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field

from pixlake.schemas import EMBEDDINGS, PREDICTIONS, RECORDS, TABLES
from pixlake.search.chosen import Chosen

_CAPACITY = 64 << 20  # bytes
_ALWAYS_READ = frozenset(table.name for table in (EMBEDDINGS, PREDICTIONS, RECORDS))
# what gives another answer each time; a text that only holds such a word is evaluated each time, which is never wrong
_CHANGING = re.compile(r"now|rand|uuid|shuffle|current_|localtime|tablesample", re.IGNORECASE)

Key = Hashable
Evaluate = Callable[[], Chosen]


def tables_of(where: str) -> Collection[str]:
    """The tables that a condition in SQL may read: those that describe images, and what its subqueries name."""
    return sorted(name for name in TABLES if name in _ALWAYS_READ or name in where.lower())


@dataclass
class Conditions:
    """The latest answers, of `capacity` bytes at most, for any number of threads."""

    capacity: int = _CAPACITY
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _kept: OrderedDict[Key, Chosen] = field(default_factory=OrderedDict)

    def choose(self, where: str, asked: Key, evaluate: Evaluate) -> Chosen:
        """The images for which `where` holds. `asked` is all else that the answer follows from: the snapshots of
        `tables_of` the condition, the experiment, the model.
        """
        if _CHANGING.search(where):
            return evaluate()
        key = where, asked
        with self._turn:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        chosen = evaluate()
        with self._turn:
            self._kept[key] = chosen
            self._kept.move_to_end(key)
            while sum(kept.nbytes for kept in self._kept.values()) > self.capacity:
                self._kept.popitem(last=False)
        return chosen
