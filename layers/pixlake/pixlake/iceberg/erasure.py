"""Images and records out of an experiment: no row of a table names them afterwards.

A commit a table, without a lock, as those of uploads (`commit`). A record that loses an image keeps its row without
it. In `links` the place of what a record had last is kept by a row without an image: no earlier image takes it.
"""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog

from pixlake.iceberg.agreement import Agreement, Upload, Withdrawal
from pixlake.iceberg.catalog import load_table
from pixlake.iceberg.commit import Origin, Target, commit_upload
from pixlake.iceberg.existing import read_alive
from pixlake.iceberg.keys import deciding_columns
from pixlake.iceberg.links import NO_IMAGE, is_linked, is_named, read_named, resolve
from pixlake.iceberg.rows import TableRows
from pixlake.iceberg.translation import translated
from pixlake.messages import Effect
from pixlake.schemas import EMBEDDINGS, LINKS, PREDICTIONS, RECORDS, REJECTS, TableSchema
from pixlake.settings import CompactSettings

_SECONDS = 240.0
_NAMES_AT_ONCE = 500  # in one regular expression


@dataclass(frozen=True)
class Subjects:
    """Images by their paths and records by their ids, of one experiment."""

    experiment_id: str
    images: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()

    def named_by(self, rows: pa.Table, schema: TableSchema) -> pa.ChunkedArray:
        """For each row of a table whether it names one of them."""
        if schema is REJECTS:
            return pc.or_(self._is_of(rows["source"]), self._is_told(rows["detail"]))
        columns = {"image_path": self.images, "record_id": self.records}
        found = [_among(rows[name], names) for name, names in columns.items() if name in rows.column_names]
        return reduce(pc.or_, found)

    def _is_of(self, sources: pa.ChunkedArray) -> pa.ChunkedArray:
        return _among(sources, self.images | self.records)

    def _is_told(self, details: pa.ChunkedArray) -> pa.ChunkedArray:
        """A path is recognised wherever it stands; an id, which may be a short number, only between quotes."""
        found = pc.is_null(details)
        forms = [(self.images, r"(?:^|\W)(?:%s)(?:\W|$)"), (self.records, "['\"](?:%s)['\"]")]
        for pattern in (form % some for names, form in forms for some in _alternatives(names)):
            found = pc.or_(found, pc.match_substring_regex(details, pattern))
        return found


def with_images(catalog: Catalog, subjects: Subjects) -> Subjects:
    """The same with all images of the records: those that they were ever said to have, but for what is another's now.

    Raises CatalogError, StorageError.
    """
    links = resolve(_read_links(catalog, subjects.experiment_id))
    said = links.images_near(pa.array(sorted(subjects.records), pa.string()))
    owners = links.owners_of(said).to_pylist()
    mine = (path for path, owner in zip(said.to_pylist(), owners, strict=True) if owner in {None, *subjects.records})
    embedded = _find(catalog, EMBEDDINGS, subjects, ("image_path", "record_id"))["image_path"].to_pylist()
    return replace(subjects, images=subjects.images.union(mine, embedded))


def find_rows(catalog: Catalog, subjects: Subjects) -> dict[str, pa.Table]:
    """The rows that name them, by table, with the columns that tell rows apart. Of a record that loses an image the row
    is not among them. Raises CatalogError, StorageError."""
    return {
        schema.name: _find(catalog, schema, subjects) for schema in (RECORDS, LINKS, EMBEDDINGS, PREDICTIONS, REJECTS)
    }


def erase_rows(catalog: Catalog, subjects: Subjects) -> None:
    """Take the rows that name them out of every table; repeated it changes nothing.

    Snapshots of before still have them, until `maintenance` expires these. Raises CommitConflict where others come
    first until the deadline, CatalogError and StorageError.
    """
    deadline = time.monotonic() + _SECONDS

    def target(schema: TableSchema) -> Target:
        table, size = load_table(catalog, schema.name), CompactSettings.target_file_bytes
        return Target(table, schema, subjects.experiment_id, size, deadline)

    losers = _unlink(catalog, target(LINKS), subjects)
    for schema in (EMBEDDINGS, PREDICTIONS, REJECTS, RECORDS):
        _withdraw(target(schema), _find(catalog, schema, subjects))
    links = load_table(catalog, LINKS.name)
    upload = Upload(links, subjects.experiment_id, losers, Effect())
    if len(losers):
        commit_upload(target(RECORDS), [], Origin(_identity(), agree=upload.agree(RECORDS), deletion=True))


def _unlink(catalog: Catalog, target: Target, subjects: Subjects) -> pa.Array:
    """Take their rows out of `links`; the ids of the records that have lost images, now or by an attempt of before."""
    said = _read_links(catalog, subjects.experiment_id)
    gone = said.filter(subjects.named_by(said, LINKS))
    left = list(_hold_places(said, gone, subjects))
    sources = [TableRows("places", pa.Table.from_pylist(left, LINKS.columns))]
    if not is_linked(target.table, subjects.experiment_id):  # from before that table
        sources.append(TableRows("links of records", said))
    _withdraw(target, gone, sources)
    places = said.filter(pc.equal(said["image_path"], NO_IMAGE))["record_id"].to_pylist()
    return pa.array(sorted({*places, *(row["record_id"] for row in left)}), pa.string())


def _hold_places(said: pa.Table, gone: pa.Table, subjects: Subjects) -> Iterator[dict[str, object]]:
    """A row without an image for each record that stays and loses what it was last said to have, or what fitted it."""
    losers = sorted({*gone["record_id"].to_pylist()} - subjects.records)
    said = said.append_column("named", is_named(said))
    order = [(name, "ascending") for name in ("named", "uploaded_at", "processed_at")]
    rows = said.filter(_among(said["record_id"], losers)).sort_by(order).to_pylist()
    newest = {row["record_id"]: row for row in rows}
    for record_id in losers:
        row = newest[record_id]
        yield row | {"image_path": NO_IMAGE, "place": min(row["place"], 0)}


def _read_links(catalog: Catalog, experiment_id: str) -> pa.Table:
    with translated(f"table {LINKS.name}"):
        links = load_table(catalog, LINKS.name)
        if is_linked(links, experiment_id):
            return read_alive(links, LINKS, experiment_id, LINKS.columns.names)
        return read_named(load_table(catalog, RECORDS.name), experiment_id)


def _find(catalog: Catalog, schema: TableSchema, subjects: Subjects, columns: Sequence[str] = ()) -> pa.Table:
    columns = columns or [*deciding_columns(schema), *(["detail"] if schema is REJECTS else [])]
    with translated(f"table {schema.name}"):
        rows = read_alive(load_table(catalog, schema.name), schema, subjects.experiment_id, columns)
    return rows.filter(subjects.named_by(rows, schema))


def _withdraw(target: Target, rows: pa.Table, sources: Iterable[TableRows] = ()) -> None:
    agreement: Agreement = Withdrawal.of(rows, target.schema)
    if rows.num_rows:
        commit_upload(target, list(sources), Origin(_identity(), agree=lambda: agreement, deletion=True))


def _identity() -> str:
    return f"delete {uuid4()}"


def _alternatives(names: Iterable[str]) -> Iterator[str]:
    escaped = sorted(map(re.escape, names))
    for start in range(0, len(escaped), _NAMES_AT_ONCE):
        yield "|".join(escaped[start : start + _NAMES_AT_ONCE])


def _among(values: pa.ChunkedArray, names: Iterable[str]) -> pa.ChunkedArray:
    """Null is none of them."""
    return pc.is_in(values, value_set=pa.array(sorted(names), pa.string()))
