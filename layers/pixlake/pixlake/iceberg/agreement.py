"""What the rows of a table agree with beyond it: whose an image is (`links`), and which uploads were complete.

An agreement is made anew for each attempt of a commit, from `links` as it is after the attempt has looked at its table.
So whoever commits last to a table has seen what all the others said (docs/adr/0014).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from pixlake.iceberg.existing import KeyRange, key_range
from pixlake.iceberg.keys import encode_keys, is_preferred, key_columns, uploaded_of
from pixlake.iceberg.links import Links, find_sorted, read_links
from pixlake.messages import Effect
from pixlake.schemas import EMBEDDINGS, PREDICTIONS, RECORDS, TableSchema

Mask = NDArray[np.bool_]
_LISTS = pa.list_(pa.string())  # those that may hold null, as all functions take them
COMPLETE = "pixlake.complete."
"""Before an experiment's name: the table property that says when its newest complete upload was uploaded."""


@dataclass(frozen=True)
class Agreement:
    """What rows agree with: rows uploaded before `horizon` (microseconds since 1970) go, of all files if `everything`.

    As it is, for tables without columns that follow from `links`.
    """

    horizon: int = 0
    everything: bool = False
    columns: tuple[str, ...] = ()
    identity: bytes = b""

    def concerns(self, table: Table, file: DataFile) -> bool:  # noqa: ARG002
        """Whether rows of the file may have to change."""
        return self.everything

    def outdated(self, keys: pa.Array, ranks: np.ndarray) -> Mask:  # noqa: ARG002
        """The rows that go, or do not come in."""
        older: Mask = uploaded_of(ranks) < self.horizon
        return older

    def stale(self, rows: pa.RecordBatch) -> Mask:
        """The rows that stay, with other values."""
        return np.zeros(rows.num_rows, bool)

    def apply(self, rows: pa.Table) -> pa.Table:
        """The rows with the values that they must have."""
        return rows


@dataclass(frozen=True)
class Withdrawal(Agreement):
    """Some rows of a table of which no two have one key hold no longer: those of the encoded `keys`, sorted."""

    schema: TableSchema = field(kw_only=True)
    keys: pa.Array = field(kw_only=True)

    @classmethod
    def of(cls, rows: pa.Table, schema: TableSchema) -> Self:
        """The withdrawal of `rows`."""
        encoded = [encode_keys(batch, schema) for batch in rows.to_batches()]
        return cls(schema=schema, keys=pa.concat_arrays(encoded).sort() if encoded else pa.array([], pa.large_string()))

    def concerns(self, table: Table, file: DataFile) -> bool:
        if not len(self.keys):
            return False
        return key_range(self.keys[0].as_py(), self.keys[-1].as_py(), self.schema).may_meet(table, file)

    def outdated(self, keys: pa.Array, ranks: np.ndarray) -> Mask:
        gone: Mask = pc.is_in(keys, value_set=self.keys).to_numpy(zero_copy_only=False)
        return gone | super().outdated(keys, ranks)


class Unfit(Withdrawal):
    """Some rows of `links` fit no longer; those of their keys that an upload named meanwhile stay."""

    def outdated(self, keys: pa.Array, ranks: np.ndarray) -> Mask:
        unnamed: Mask = ~is_preferred(ranks)
        return (super().outdated(keys, ranks) & unnamed) | Agreement.outdated(self, keys, ranks)


@dataclass(frozen=True)
class _Linked(Agreement):
    """`touched` are values of the table's first key column about which the upload may have said something."""

    schema: TableSchema = EMBEDDINGS
    links: Links = field(kw_only=True)
    touched: pa.Array = field(kw_only=True)

    def concerns(self, table: Table, file: DataFile) -> bool:
        if self.everything or not len(self.touched):
            return self.everything
        bounds = pc.min_max(self.touched).as_py()
        return KeyRange(key_columns(self.schema)[0], bounds["min"], bounds["max"], False).may_meet(table, file)

    def stale(self, rows: pa.RecordBatch) -> Mask:
        key = rows.column(key_columns(self.schema)[0])
        near = np.ones(len(key), bool) if self.everything else _mask(find_sorted(key, self.touched).is_valid())
        return near & self._differs(rows)

    def _differs(self, rows: pa.RecordBatch) -> Mask:
        raise NotImplementedError


class _Owned(_Linked):
    """`embeddings`: each image has the record whose image it is."""

    def _differs(self, rows: pa.RecordBatch) -> Mask:
        have, must = rows.column("record_id"), self.links.owners_of(rows.column("image_path"))
        return _mask(pc.not_equal(pc.fill_null(have, ""), pc.fill_null(must, "")))

    def apply(self, rows: pa.Table) -> pa.Table:
        owners = self.links.owners_of(rows["image_path"].combine_chunks())
        return _set(rows, record_id=owners)


class _Illustrated(_Linked):
    """`records`: each record has the images that are its own."""

    def _differs(self, rows: pa.RecordBatch) -> Mask:
        have, must = rows.column("image_paths").cast(_LISTS), self.links.images_of(rows.column("record_id"))
        return _mask(pc.not_equal(pc.binary_join(have, "\0"), pc.binary_join(must, "\0")))

    def apply(self, rows: pa.Table) -> pa.Table:
        images = self.links.images_of(rows["record_id"].combine_chunks())
        return _set(rows, has_image=pc.greater(pc.list_value_length(images), 0), image_paths=images)


class _Orphaned(_Linked):
    """`predictions`: an image that a record was ever said to have has no prediction of its own. `touched` are keys."""

    def concerns(self, table: Table, file: DataFile) -> bool:
        near = KeyRange("record_id", "", None, True)
        return self.everything or (len(self.touched) > 0 and near.may_meet(table, file))

    def outdated(self, keys: pa.Array, ranks: np.ndarray) -> Mask:
        claimed = _mask(find_sorted(keys, self.touched).is_valid())
        return claimed | super().outdated(keys, ranks)

    def stale(self, rows: pa.RecordBatch) -> Mask:
        return np.zeros(rows.num_rows, bool)


_KINDS: dict[str, tuple[type[_Linked], tuple[str, ...]]] = {
    EMBEDDINGS.name: (_Owned, ("record_id",)),
    RECORDS.name: (_Illustrated, ("image_paths",)),
    PREDICTIONS.name: (_Orphaned, ()),
}


@dataclass
class Upload:
    """What an upload of an experiment has to do with `links`: `record_ids` are its own records, `said` is what became
    of the rows that name its images. `everything` where all rows of the experiment may have to change, `images` where
    rows of these images have to, whatever records they have."""

    links: Table
    partition: str
    record_ids: pa.Array
    said: Effect
    everything: bool = False
    images: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    _cached: tuple[int | None, Links] | None = None

    def agree(self, schema: TableSchema) -> Callable[[], Agreement]:
        """What makes the agreement of a table, by `links` as it is when called."""
        return lambda: self._make(schema)

    def _make(self, schema: TableSchema) -> Agreement:
        snapshot, links = self._read()
        kind, columns = _KINDS[schema.name]
        return kind(
            everything=self.everything,
            columns=columns,
            identity=str(snapshot).encode(),
            schema=schema,
            links=links,
            touched=self._touched(schema, links),
        )

    def _touched(self, schema: TableSchema, links: Links) -> pa.Array:
        if schema is PREDICTIONS:
            return _orphan_keys(pc.unique(links.said["image_path"].combine_chunks()))
        images = links.images_near(self.record_ids)
        if schema is EMBEDDINGS:
            return pc.unique(pa.concat_arrays([images, self.images])).sort()
        # also records of which nothing is said but that they lost an image
        return pc.unique(pa.concat_arrays([links.records_near(images), self.record_ids])).sort()

    def _read(self) -> tuple[int | None, Links]:
        snapshot = self.links.refresh().current_snapshot()
        current = snapshot.snapshot_id if snapshot else None
        if self._cached is None or self._cached[0] != current:
            self._cached = current, read_links(self.links, self.partition)
        return self._cached


def find_horizon(table: Table, partition: str | None) -> datetime:
    """When the newest complete upload of an experiment was uploaded; 1970 where there is none."""
    return datetime.fromtimestamp(_known(table, partition) / 1_000_000, UTC)


def with_horizon(agreement: Agreement, table: Table, partition: str | None, complete: int | None) -> Agreement:
    """With the horizon that the table has, or that the upload sets by being `complete` at that time."""
    known = _known(table, partition)
    if complete is None:
        return replace(agreement, horizon=known)
    return replace(agreement, horizon=max(known, complete), everything=True)


def _known(table: Table, partition: str | None) -> int:
    return int(table.properties.get(f"{COMPLETE}{partition}", 0))


def _orphan_keys(paths: pa.Array) -> pa.Array:
    """The keys of predictions of images without a record, sorted."""
    nobody = pa.nulls(len(paths), pa.string())
    return encode_keys(pa.RecordBatch.from_arrays([nobody, paths], ["record_id", "image_path"]), PREDICTIONS).sort()


def _set(rows: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), values.cast(rows.schema.field(place).type))
    return rows


def _mask(values: pa.Array) -> Mask:
    mask: Mask = values.to_numpy(zero_copy_only=False)
    return mask
