"""The rows of a table that cannot be used: the first one by one, the others counted, so that a file of nothing else
takes neither memory nor the table of rejects."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from pixlake.errors import BadTable

NAMED = 1_000
# A file is taken for no table where so many rows cannot be read, and not one in ten can.
HOPELESS = 1_000_000


@dataclass(frozen=True)
class Fault:
    """A row that cannot be used; `reason` is a code, `detail` a sentence."""

    row: int
    reason: str
    detail: str


@dataclass
class Faults:
    """Those of one table. The first NAMED of them are kept, of the others only how many have which reason."""

    first: list[Fault] = field(default_factory=list)
    more: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return len(self.first) + self.more.total()

    def add(self, fault: Fault) -> None:
        """Take in the next."""
        if len(self.first) < NAMED:
            self.first.append(fault)
        else:
            self.more[fault.reason] += 1

    def add_rows(self, faults: Sequence[Fault]) -> None:
        """Take in what was found later in rows of any number; the first are the first by row again."""
        together = sorted([*self.first, *faults], key=attrgetter("row"))
        self.first = together[:NAMED]
        self.more.update(fault.reason for fault in together[NAMED:])

    def check(self, where: str, good: int) -> None:
        """BadTable where nearly all rows are faults, and they are many; `good` counts the others."""
        if (count := self.count) >= HOPELESS and count > 9 * good:
            raise BadTable(
                f"{where}: it is taken for no table, for of its first {good + count:,} rows {count:,} cannot be read; "
                f"row {self.first[0].row + 1}: {self.first[0].detail}"
            )
