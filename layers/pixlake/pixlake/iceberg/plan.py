"""What one commit does to one partition, decided on one snapshot from keys alone, before any row is copied.

Of two rows with one key the newer stays, whichever is committed first. So each incoming row either finds no row of its
key, or replaces it, or is dropped because what is there is newer. Only data files that lose rows are written again,
and small files ride along when there are many, so that many small commits do not leave many small files.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import methodcaller

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from pixlake.iceberg.existing import ExistingFile, key_range, list_existing
from pixlake.iceberg.keys import deciding_columns, encode_keys, rank_rows
from pixlake.iceberg.merge import EMPTY_INDEX, KeyIndex, index_keys, join_indexes
from pixlake.schemas import TableSchema

SMALL_FILES = 16
"""A commit leaves up to this many small files of a partition alone."""
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

    @property
    def rows(self) -> int:
        return len(self.kept) + sum(part.file.file.record_count - len(part.lost) for part in self.remains)

    @property
    def identity(self) -> str:
        """The same for the same rows of the same files, so that what an earlier attempt wrote can be used again."""
        digest = sha256(self.kept.tobytes())
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
    """The files to take out of the table, and the streams of rows that come in."""

    removed: tuple[DataFile, ...]
    streams: tuple[Stream, ...]

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
) -> Plan:
    """Decide on the table's current snapshot. `small_files` is how many small files may stay as they are."""
    existing = list(list_existing(table, schema, partition))
    order = incoming.order()
    keeps, replaced = _decide(table, schema, existing, incoming, order)
    small = _choose_small(existing, target_file_bytes, small_files)
    absorbed = tuple(_remains(table, existing[place], replaced.get(place)) for place in small)
    rewritten = [_remains(table, existing[place], lost) for place, lost in replaced.items() if place not in small]
    streams = [Stream(schema, incoming, order[keeps], absorbed)]
    streams += [Stream(schema, EMPTY_INDEX, _NONE, (part,)) for part in rewritten]
    removed = tuple(part.file.file for part in [*absorbed, *rewritten])
    return Plan(removed, tuple(stream for stream in streams if stream.rows))


def _decide(
    table: Table, schema: TableSchema, existing: Sequence[ExistingFile], incoming: KeyIndex, order: np.ndarray
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Which incoming rows stay, by place in `order`, and which positions the files lose, by place in `existing`."""
    keeps = np.ones(len(order), bool)
    replaced: dict[int, np.ndarray] = {}
    if not len(order):
        return keeps, replaced
    keys = incoming.keys_in(order)
    span = key_range(keys[0].as_py(), keys[-1].as_py(), schema)
    for place, file in enumerate(existing):
        if span.may_meet(table, file.file):
            lost = _meet(table, schema, file, keys, incoming.ranks[order], keeps)
            if len(lost):
                replaced[place] = lost
    return keeps, replaced


def _meet(
    table: Table, schema: TableSchema, file: ExistingFile, keys: pa.Array, ranks: np.ndarray, keeps: np.ndarray
) -> np.ndarray:
    """Positions of the file's rows that incoming rows replace; clears `keeps` for incoming rows that are dropped."""
    dead = file.dead(table.io)
    lost = [_NONE]
    start = 0
    for batch in file.rows.batches(deciding_columns(schema)):
        positions, places = _match(encode_keys(batch, schema), keys)
        alive = ~np.isin(positions + start, dead)
        positions, places = positions[alive], places[alive]
        newer = rank_rows(batch, schema)[positions] > ranks[places]
        keeps[places[newer]] = False
        lost.append(positions[~newer] + start)
        start += batch.num_rows
    return np.concatenate(lost)


def _match(existing: pa.Array, keys: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Positions in `existing` whose key is among the sorted `keys`, and the places there."""
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
