"""Warnings about the tables of an upload that were not read: a reject alone is too easily missed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pixlake.formats import extension
from pixlake.rejects import Reject, Stage

_TABLES_ELSEWHERE = frozenset(
    {"xls", "xlsb", "ods", "numbers", "json", "geojson", "xml", "sav", "dta", "rds", "sas7bdat"}
    | {"feather", "arrow", "avro", "orc", "sqlite", "db", "h5", "hdf5", "mdb", "accdb"}
)
_SHOWN = 3


@dataclass
class UnreadTables:
    """Counts unread tables and sheets in a stream of rejects."""

    count: int = 0
    tables: list[str] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)

    def watch(self, rejects: Iterable[Reject]) -> Iterator[Reject]:
        """Pass the rejects on unchanged, and count."""
        for reject in rejects:
            if words := _describe(reject):
                self.count += 1
                kind = self.sheets if reject.reason == "other_sheet" else self.tables
                if len(kind) < _SHOWN:
                    kind.append(words)
            yield reject

    def warnings(self) -> tuple[str, ...]:
        """A sentence for each of the first, tables before sheets, and one for the others."""
        first = [*self.tables, *self.sheets][:_SHOWN]
        more = self.count - len(first)
        return (
            *first,
            *([f"Tables or sheets that were not read beside these: {more:,}, see the rejects"] if more else []),
        )


def _describe(reject: Reject) -> str:
    if reject.reason == "other_sheet":
        return f"A sheet was not read: {reject.detail}"[:500]
    if reject.stage == Stage.SPLIT and reject.reason in ("unreadable_table", "unsupported_type"):
        return f"A table was not read: {reject.detail}"[:500]
    named_so = reject.source.rpartition("/")[2] == "pixlake.json"
    if reject.reason == "unsupported_type" and extension(reject.source) in _TABLES_ELSEWHERE and not named_so:
        return f"A table was not read: {reject.source[-200:]!r}; save it as CSV, Excel (.xlsx), JSON or Parquet"
    return ""
