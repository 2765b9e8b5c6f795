"""All entries of one upload, on disk, and the decisions that need all of them at once.

Two million members would take gigabytes as objects. SQLite's private temporary database keeps them outside memory,
sorts them there, and is deleted with its connection. It takes a few hundred bytes of temporary disk an entry.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from operator import itemgetter

from pixlake.errors import BadUpload, StorageError
from pixlake.rejects import Reject, Stage
from pixlake.settings import PlanSettings
from pixlake.zips import names
from pixlake.zips.entries import Entry, Kind, rejected

_COLUMNS = ", ".join(Entry._fields)
_PLACES = ", ".join("?" * (len(Entry._fields) + 1))
_TEXT = frozenset({"path", "source_uri", "tag", "version", "uploaded_at", "reason", "detail"})
_SCHEMA = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -32768;
CREATE TABLE entry (
    position INTEGER PRIMARY KEY,
    {", ".join(f"{name} {'TEXT' if name in _TEXT else 'INTEGER'}" for name in Entry._fields)},
    fold TEXT
);
CREATE TABLE decision (position INTEGER PRIMARY KEY, verdict INTEGER);
CREATE TABLE reject (source TEXT, reason TEXT, detail TEXT);
"""
EMPTY = "empty"
"""The reason of an image without bytes."""
_WANTED = f"kind IN ({Kind.IMAGE:d}, {Kind.TABLE:d}, {Kind.OPTIONS:d})"


class _Verdict(IntEnum):
    KEPT = 0
    DROPPED = 1
    CASE_COLLISION = 2


@dataclass(frozen=True)
class Kept:
    """An entry that is used; `case_collision` if its path differs only in case from another's."""

    entry: Entry
    case_collision: bool


@contextmanager
def open_inventory() -> Iterator["Inventory"]:
    """An empty inventory. StorageError if the temporary disk is full."""
    with closing(sqlite3.connect("")) as database:
        try:
            database.executescript(_SCHEMA)
            yield Inventory(database)
        except sqlite3.Error as error:
            raise StorageError(f"the temporary disk cannot hold the upload's directory: {error}") from error


class Inventory:
    """Filled once by `fill`, then queried."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.fingerprint = ""

    def fill(self, entries: Iterable[Entry], limits: PlanSettings) -> None:
        """Store all entries, refuse forbidden ones, and choose among those of equal names. Afterwards `fingerprint` is
        a hex digest of the paths and contents of the entries that are used. Raises BadUpload `too_many_members`,
        `too_large`, `too_large_tables`, `ratio`, `overlapping_members`.
        """
        rows = ((None, *entry, _fold(entry)) for entry in map(_reject_empty, _within(entries, limits)))
        self._database.executemany(f"INSERT INTO entry VALUES (?, {_PLACES})", rows)
        self._refuse_overlaps()
        self.fingerprint = self._settle_names()
        self._settle_options()

    def tables(self) -> Iterator[Kept]:
        """The table files, in the order of the zip; of objects, by path."""
        return self._kept(Kind.TABLE)

    def images(self) -> Iterator[Kept]:
        """The images, in the same order."""
        return self._kept(Kind.IMAGE)

    def options(self) -> Entry | None:
        """The `pixlake.json` that is used."""
        return next((kept.entry for kept in self._kept(Kind.OPTIONS)), None)

    def rejects(self) -> Iterator[Reject]:
        """The entries left out, and those kept under another key, sorted."""
        found = self._database.execute(
            f"SELECT path, reason, detail FROM entry WHERE kind = {Kind.REJECTED:d} "
            "UNION ALL SELECT source, reason, detail FROM reject ORDER BY 1, 2, 3"
        )
        return (Reject(source, Stage.PLAN, reason, detail) for source, reason, detail in found)

    def _kept(self, kind: Kind) -> Iterator[Kept]:
        found = self._database.execute(
            f"SELECT {_COLUMNS}, coalesce(verdict, 0) AS verdict FROM entry LEFT JOIN decision USING (position) "
            f"WHERE kind = {kind:d} AND coalesce(verdict, 0) != {_Verdict.DROPPED:d} ORDER BY offset, path"
        )
        return (Kept(Entry._make(row[:-1]), row[-1] == _Verdict.CASE_COLLISION) for row in found)

    def _refuse_overlaps(self) -> None:
        """Members that share bytes make petabytes of a small zip (D. Fifield, "A better zip bomb", 2019)."""
        last_end, last_path = 0, ""
        found = self._database.execute("SELECT offset, end, path FROM entry WHERE end > 0 ORDER BY offset, end")
        for offset, end, path in found:
            if offset < last_end:
                raise BadUpload("overlapping_members", f"{path[:200]!a} and {last_path[:200]!a} share bytes of the zip")
            last_end, last_path = end, path

    def _settle_names(self) -> str:
        """Of equal paths the last is used, as by `unzip -o`; paths that differ in case are all used, each under its own
        key."""
        digest = hashlib.sha256()
        found = self._database.execute(
            f"SELECT fold, path, position, size, crc, tag FROM entry WHERE {_WANTED} ORDER BY fold, path, position"
        )
        for _, alike in groupby(found, itemgetter(0)):
            first = ""
            for path, same in groupby(alike, itemgetter(1)):
                _, _, position, *content = self._drop_older(path, same)
                digest.update("\0".join([path, *map(str, content), "\n"]).encode())
                if first:
                    detail = f"kept under a key of its own, for {first} differs from it only in case"
                    self._decide(position, _Verdict.CASE_COLLISION)
                    self._reject(path, "case_collision", detail)
                first = first or path
        return digest.hexdigest()

    def _drop_older(self, path: str, same: Iterator[tuple[object, ...]]) -> tuple[object, ...]:
        """The last of them; one reject for all others, for the key of a reject could not tell them apart."""
        count, last = 1, next(same)
        for newer in same:
            self._decide(last[2], _Verdict.DROPPED)
            count, last = count + 1, newer
        if count > 1:
            self._reject(path, "duplicate_name", f"of {count} entries of this name the last is used")
        return last

    def _settle_options(self) -> None:
        """`pixlake.json` is used at the root, else in the only folder; elsewhere it is an unknown file."""
        used = names.OPTIONS_NAME
        if not self._database.execute("SELECT 1 FROM entry WHERE path = ?", (used,)).fetchone():
            top = "substr(path, 1, instr(path, '/'))"
            low, high = self._database.execute(f"SELECT min({top}), max({top}) FROM entry WHERE kind != 0").fetchone()
            used = f"{low}{used}" if low and low == high else used
        dropped = f"SELECT position FROM decision WHERE verdict = {_Verdict.DROPPED:d}"
        unused = f"FROM entry WHERE kind = {Kind.OPTIONS:d} AND path != ? AND position NOT IN ({dropped})"
        reject = "'unsupported_type', 'options are read at the root of the upload, or of its only folder'"
        self._database.execute(f"INSERT INTO reject SELECT path, {reject} {unused}", (used,))
        self._database.execute(
            f"INSERT OR REPLACE INTO decision SELECT position, {_Verdict.DROPPED:d} {unused}", (used,)
        )

    def _decide(self, position: object, verdict: _Verdict) -> None:
        self._database.execute("INSERT INTO decision VALUES (?, ?)", (position, verdict))

    def _reject(self, path: str, reason: str, detail: str) -> None:
        self._database.execute("INSERT INTO reject VALUES (?, ?, ?)", (path, reason, detail))


def _reject_empty(entry: Entry) -> Entry:
    """An image without bytes is left out here: to write it, and to ask a decoder for it, costs as much as any other."""
    if entry.kind is not Kind.IMAGE or entry.size:
        return entry
    return rejected(entry.path, EMPTY, "the file has no bytes")._replace(offset=entry.offset, end=entry.end)


def _fold(entry: Entry) -> str:
    return "" if entry.kind in (Kind.IGNORED, Kind.REJECTED) else names.fold(entry.path)


# a small blank bitmap deflates beyond any ratio and is harmless
_HARMLESS = 1_000_000


def _within(entries: Iterable[Entry], limits: PlanSettings) -> Iterator[Entry]:
    """The entries, as long as they keep to the limits. The declared sizes are enforced while inflating."""
    size = compressed = tables = 0
    for count, entry in enumerate(entries, 1):
        size += entry.size
        compressed += entry.compressed
        tables += entry.size if entry.kind is Kind.TABLE else 0
        if count > limits.max_members:
            raise BadUpload("too_many_members", f"there are more than {limits.max_members} files; split the upload")
        if size > limits.max_total_bytes:
            raise BadUpload("too_large", f"the files take more than {limits.max_total_bytes} bytes; split the upload")
        if tables > limits.max_table_bytes:
            raise BadUpload("too_large_tables", f"the tables take more than {limits.max_table_bytes} bytes")
        yield entry
    if size >= _HARMLESS and size > compressed * limits.max_ratio:
        detail = f"{compressed} bytes inflate to {size}; MAX_RATIO allows {limits.max_ratio} times as many"
        raise BadUpload("ratio", detail)
