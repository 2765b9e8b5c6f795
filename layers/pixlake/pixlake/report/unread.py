"""Warnings about the tables of an upload that were not read: a reject alone is too easily missed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pixlake.formats import extension
from pixlake.rejects import Reject

_TABLES_ELSEWHERE = frozenset(
    {"xlsx", "xls", "xlsm", "xlsb", "ods", "numbers", "json", "geojson", "xml", "sav", "dta", "rds", "sas7bdat"}
    | {"feather", "arrow", "avro", "orc", "sqlite", "db", "h5", "hdf5", "mdb", "accdb"}
)
_SHOWN = 3


@dataclass
class UnreadTables:
    """Counts unread tables in a stream of rejects."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def watch(self, rejects: Iterable[Reject]) -> Iterator[Reject]:
        """Pass the rejects on unchanged, and count."""
        for reject in rejects:
            if words := _describe(reject):
                self.count += 1
                if len(self.first) < _SHOWN:
                    self.first.append(words)
            yield reject

    def warnings(self) -> tuple[str, ...]:
        """A sentence for each of the first, and one for the others."""
        more = self.count - len(self.first)
        return (*self.first, *([f"{more:,} more tables were not read: see the rejects"] if more else []))


def _describe(reject: Reject) -> str:
    if reject.reason == "unreadable_table":
        return f"A table was not read: {reject.detail}"[:500]
    named_so = reject.source.rpartition("/")[2] == "pixlake.json"
    if reject.reason == "unsupported_type" and extension(reject.source) in _TABLES_ELSEWHERE and not named_so:
        return f"A table was not read: {reject.source[-200:]!r}; save it as CSV, JSON Lines or Parquet"
    return ""
