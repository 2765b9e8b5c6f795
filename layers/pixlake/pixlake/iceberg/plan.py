"""What one commit does to one partition, decided on one snapshot from keys alone, before any row is copied.

Of two rows with one key the newer stays, whichever is committed first. So each incoming row either finds no row of its
key, or replaces it, or is dropped because what is there is newer. Rows that no longer agree with `links`, or are older
than a complete upload, change or go in the same commit. Only data files with such rows are written again, and small
files ride along when there are many, so that many small commits do not leave many small files.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from operator import methodcaller

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from pixlake.iceberg.agreement import Agreement
from pixlake.iceberg.existing import ExistingFile, key_range, list_existing
from pixlake.iceberg.keys import deciding_columns, digest_rows, encode_keys, rank_rows
from pixlake.iceberg.merge import EMPTY_INDEX, KeyIndex, index_keys, join_indexes
from pixlake.messages import Effect
from pixlake.schemas import TableSchema

SMALL_FILES = 16
"""A commit leaves up to this many small files of a partition alone."""
_NO_AGREEMENT = Agreement()
_NONE = np.empty(0, np.int64)
_AS_PYTHON = methodcaller("as_py")
_SMALL_PART = 4  # a file below a quarter of the target size is small


@dataclass(frozen=True)
class Remains:
    """An existing file and the positions of the rows that it loses."""

    file: ExistingFile
    lost: np.ndarray


@dataclass(frozen=True)
class Stream:
    """Rows to write, in key order, into new files: those that `kept` numbers, and what remains of existing files."""

    schema: TableSchema
    incoming: KeyIndex
    kept: np.ndarray
    remains: tuple[Remains, ...] = ()
    agreement: Agreement = _NO_AGREEMENT

    @property
    def rows(self) -> int:
        return len(self.kept) + sum(part.file.file.record_count - len(part.lost) for part in self.remains)

    @property
    def identity(self) -> str:
        """The same for the same rows of the same files, so that what an earlier attempt wrote can be used again."""
        digest = sha256(self.agreement.identity + self.kept.tobytes())
        for part in self.remains:
            digest.update(f"\n{part.file.file.file_path}\n".encode() + part.lost.tobytes())
        return digest.hexdigest()

    def resolve(self) -> tuple[KeyIndex, np.ndarray]:
        """The index of all rows concerned, and the order to write them in."""
        if not self.remains:
            return self.incoming, self.kept
        added = index_keys([part.file.rows for part in self.remains], self.schema)
        joined = join_indexes(self.incoming, added)
        alive = np.ones(len(joined.keys), bool)
        alive[: len(self.incoming.keys)] = False
        alive[self.kept] = True
        lost = {part.file.rows.name: part.lost for part in self.remains}
        for source, offset in zip(joined.sources, joined.offsets, strict=False):
            alive[offset + lost.get(source.name, _NONE)] = False
        return joined, joined.order(alive)


@dataclass(frozen=True)
class Plan:
    """The files to take out of the table, the streams of rows that come in, and what this does to rows. No row is from
    before `horizon` then (microseconds since 1970)."""

    removed: tuple[DataFile, ...]
    streams: tuple[Stream, ...]
    effect: Effect
    horizon: int = 0

    @property
    def empty(self) -> bool:
        return not self.removed and not self.streams


def plan_commit(
    table: Table,
    schema: TableSchema,
    partition: str | None,
    incoming: KeyIndex,
    target_file_bytes: int,
    small_files: int = SMALL_FILES,
    agreement: Agreement = _NO_AGREEMENT,
) -> Plan:
    """Decide on the table's current snapshot. `small_files` is how many small files may stay as they are."""
    existing = list(list_existing(table, schema, partition))
    meeting = _Meeting(table, schema, incoming, agreement)
    replaced = meeting.meet(existing)
    small = _choose_small(existing, target_file_bytes, small_files)
    absorbed = tuple(_remains(table, existing[place], replaced.get(place)) for place in small)
    rewritten = [_remains(table, existing[place], lost) for place, lost in replaced.items() if place not in small]
    streams = [Stream(schema, incoming, meeting.kept, absorbed, agreement)]
    streams += [Stream(schema, EMPTY_INDEX, _NONE, (part,), agreement) for part in rewritten]
    removed = tuple(part.file.file for part in [*absorbed, *rewritten])
    return Plan(removed, tuple(stream for stream in streams if stream.rows), meeting.effect(), agreement.horizon)


class _Meeting:
    """Incoming rows, one a key, and what becomes of them and of the rows that are there."""

    def __init__(self, table: Table, schema: TableSchema, incoming: KeyIndex, agreement: Agreement) -> None:
        self._table, self._schema, self._agreement = table, schema, agreement
        self._incoming, self._order = incoming, incoming.order()
        self._keys = incoming.keys_in(self._order)
        self._ranks = incoming.ranks[self._order]
        self._keeps = np.ones(len(self._order), bool)
        self._found = np.zeros(len(self._order), bool)
        self._same = np.zeros(len(self._order), bool)
        self._removed = self._changed = 0
        self._columns = list(dict.fromkeys([*deciding_columns(schema), *schema.content, *agreement.columns]))

    @property
    def kept(self) -> np.ndarray:
        """The numbers of the incoming rows that come in."""
        kept: np.ndarray = self._order[self._keeps]
        return kept

    def meet(self, existing: Sequence[ExistingFile]) -> dict[int, np.ndarray]:
        """Which positions the files lose, by place in `existing`; none of a file whose rows only change."""
        written: dict[int, np.ndarray] = {}
        if len(self._order):
            self._keeps = ~self._agreement.outdated(self._keys, self._ranks)
        for place, file in enumerate(existing):
            if self._concerned(file):
                lost, changed = self._meet(file)
                if len(lost) or changed:
                    written[place] = lost
        return written

    def effect(self) -> Effect:
        """What becomes of rows, counted."""
        kept, found, same = self._keeps, self._found, self._same
        return Effect(
            new=int((kept & ~found).sum()),
            replaced=int((kept & found & ~same).sum()),
            unchanged=int((kept & same).sum()),
            older=int((~kept).sum()),
            removed=self._removed,
            changed=self._changed,
        )

    def _concerned(self, file: ExistingFile) -> bool:
        if self._agreement.concerns(self._table, file.file):
            return True
        if not len(self._order):
            return False
        span = key_range(self._keys[0].as_py(), self._keys[-1].as_py(), self._schema)
        return span.may_meet(self._table, file.file)

    def _meet(self, file: ExistingFile) -> tuple[np.ndarray, int]:
        """Positions of the rows that the file loses, and how many of the others change."""
        dead = file.dead(self._table.io)
        lost, changed, start = [_NONE], 0, 0
        for batch in file.rows.batches(self._columns):
            alive = np.ones(batch.num_rows, bool)
            alive[dead[(dead >= start) & (dead < start + batch.num_rows)] - start] = False
            gone, stale = self._compare(batch, alive)
            lost.append(np.flatnonzero(gone) + start)
            changed += stale
            start += batch.num_rows
        self._changed += changed
        return np.concatenate(lost), changed

    def _compare(self, batch: pa.RecordBatch, alive: np.ndarray) -> tuple[np.ndarray, int]:
        """Which rows go, and how many stay with other values; marks the incoming rows of their keys."""
        keys, ranks = encode_keys(batch, self._schema), rank_rows(batch, self._schema)
        gone = alive & self._agreement.outdated(keys, ranks)
        positions, places = _match(keys, self._keys)
        positions, places = positions[alive[positions]], places[alive[positions]]
        newer = (ranks[positions] > self._ranks[places]) & ~gone[positions]
        self._keeps[places[newer]] = False
        stale = self._agreement.stale(batch)
        self._found[places] = True
        if self._schema.content and len(places):
            equal = digest_rows(batch, self._schema)[positions] == self._digests[places]
            self._same[places[equal & ~stale[positions]]] = True
        replaced = positions[~newer & self._keeps[places]]
        gone[replaced] = True
        self._removed += int(gone.sum()) - len(replaced)
        return gone, int((stale & alive & ~gone).sum())

    @cached_property
    def _digests(self) -> np.ndarray:
        """Those of the incoming rows, which are read once more only where one finds a row of its key."""
        batches = (batch for source in self._incoming.sources for batch in source.batches(self._schema.content))
        found = np.concatenate([digest_rows(batch, self._schema) for batch in batches])
        digests: np.ndarray = found[self._order]
        return digests


def _match(existing: pa.Array, keys: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Positions in `existing` whose key is among the sorted `keys`, and the places there."""
    if not len(keys):
        return _NONE, _NONE
    bounds = pc.min_max(existing).as_py()
    low = bisect_left(keys, bounds["min"], key=_AS_PYTHON)
    high = bisect_right(keys, bounds["max"], key=_AS_PYTHON)
    found = pc.index_in(existing, value_set=keys[low:high])
    positions = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
    return positions, found.drop_null().to_numpy().astype(np.int64) + low


def _choose_small(existing: Sequence[ExistingFile], target: int, allowed: int) -> list[int]:
    """Places of the small files to merge into one, smallest first, up to the target size; none while there are few."""
    sizes = [file.file.file_size_in_bytes for file in existing]
    small = sorted((size, place) for place, size in enumerate(sizes) if size < target // _SMALL_PART)
    if len(small) <= allowed:
        return []
    fitting = int(np.searchsorted(np.cumsum([size for size, _ in small]), target, side="right"))
    return [place for _, place in small[:fitting]] if fitting > 1 else []


def _remains(table: Table, file: ExistingFile, replaced: np.ndarray | None) -> Remains:
    dead = file.dead(table.io)
    return Remains(file, dead if replaced is None else np.union1d(replaced, dead))
