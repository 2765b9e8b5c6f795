"""Images that are in the lake and that no upload named for a record, joined with the records that they fit.

A record and its image may come in different uploads, either first. Each upload, once its records and embeddings are
committed, looks at those of all, and again once it has changed anything: so of several at once, the last has seen all.
What fits is said in `links`; `agreement` then brings `records` and `embeddings` to follow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog

from pixlake.iceberg.catalog import load_table
from pixlake.iceberg.existing import list_existing, read_alive, stream_alive
from pixlake.iceberg.links import NO_IMAGE, Links, is_named, resolve
from pixlake.schemas import EMBEDDINGS, LINKS, RECORDS

_PAIR = ("image_path", "record_id")
_ORDER = [(name, "ascending") for name in _PAIR]
_OF_RECORDS = ("record_id", "image_paths", "uploaded_at")


class Fitting(Protocol):
    """What some images fit."""

    @property
    def columns(self) -> Sequence[str]:
        """Those of `records` that are looked at."""
        ...

    def of(self, records: pa.RecordBatch) -> pa.Table:
        """The images that fit records with these columns: `image_path`, `record_id` and a `place` below 0."""
        ...


Fit = Callable[[pa.Array], Fitting]
"""Of the paths of images."""


@dataclass(frozen=True)
class Latecomers:
    """The rows that `links` lacks, and those that fit no longer, or otherwise than they did; these go first, and leave
    `trace` where they were all: without a row an experiment is taken for one from before the table. Which images and
    records do not agree with it then."""

    rows: pa.Table
    unfit: pa.Table
    trace: pa.Table
    images: pa.Array
    records: pa.Array


def find_latecomers(catalog: Catalog, experiment_id: str, fit: Fit) -> Latecomers | None:
    """What of the experiment fits and is not joined yet; None where nothing is. Rows of `links` have the time of the
    image or of the record, whichever is older, for they go with either."""
    said = read_alive(load_table(catalog, LINKS.name), LINKS, experiment_id, LINKS.columns.names)
    if not said.num_rows and not _has_records(catalog, experiment_id):
        return None
    images = _images(catalog, experiment_id)
    named = said.filter(is_named(said))["image_path"].combine_chunks()
    unnamed = images.filter(pc.invert(pc.is_in(images["image_path"], value_set=named)))
    if not unnamed.num_rows and not _fitted(said, named).num_rows:
        return None
    records, pairs = _fitting(catalog, experiment_id, fit(unnamed["image_path"].combine_chunks()))
    unfit = _without(_fitted(said, named), pairs, (*_PAIR, "place"))
    left = _without(said, unfit)
    rows = _unsaid(_timed(pairs, unnamed, records, experiment_id), left)
    links = resolve(pa.concat_tables([_without(left, rows), rows]))
    trace = _without_image(unfit.slice(0, 0 if left.num_rows else 1))
    found = Latecomers(rows, unfit, trace, _disowned(images, links), _unillustrated(records, links))
    return found if any(map(len, (rows, unfit, found.images, found.records))) else None


def _has_records(catalog: Catalog, experiment_id: str) -> bool:
    return any(True for _ in list_existing(load_table(catalog, RECORDS.name), RECORDS, experiment_id))


def _without(rows: pa.Table, others: pa.Table, names: Sequence[str] = _PAIR) -> pa.Table:
    """The rows of other pairs than the others'; or that differ in one of the columns `names`."""
    joined = rows.join(others.select(names), list(names), join_type="left anti")
    return joined.select(rows.column_names).cast(rows.schema)


def _without_image(rows: pa.Table) -> pa.Table:
    place = rows.schema.get_field_index("image_path")
    return rows.set_column(place, rows.schema.field(place), pa.repeat(NO_IMAGE, rows.num_rows))


def _fitted(said: pa.Table, named: pa.Array) -> pa.Table:
    """What is said to fit, of images that no upload named."""
    fitted = said.filter(pc.and_(pc.invert(is_named(said)), pc.not_equal(said["image_path"], NO_IMAGE)))
    return fitted.filter(pc.invert(pc.is_in(fitted["image_path"], value_set=named)))


def _images(catalog: Catalog, experiment_id: str) -> pa.Table:
    """The experiment's images, by whatever models: a record of each, and when it was uploaded last."""
    columns = ("image_path", "record_id", "uploaded_at")
    rows = read_alive(load_table(catalog, EMBEDDINGS.name), EMBEDDINGS, experiment_id, columns)
    return rows.group_by(["image_path", "record_id"]).aggregate([("uploaded_at", "max")]).rename_columns(columns)


def _fitting(catalog: Catalog, experiment_id: str, fitting: Fitting) -> tuple[pa.Table, pa.Table]:
    """All records, and the pairs that fit."""
    table = load_table(catalog, RECORDS.name)
    columns = list(dict.fromkeys([*_OF_RECORDS, *fitting.columns]))
    read = [pa.schema([RECORDS.columns.field(name) for name in _OF_RECORDS]).empty_table()]
    pairs = [pa.schema([LINKS.columns.field(name) for name in ("image_path", "record_id", "place")]).empty_table()]
    for rows in stream_alive(table, RECORDS, experiment_id, columns):
        pairs.append(fitting.of(rows.select(list(fitting.columns))))
        read.append(pa.Table.from_batches([rows.select(list(_OF_RECORDS))], read[0].schema))
    return pa.concat_tables(read).combine_chunks(), pa.concat_tables(pairs).combine_chunks()


def _timed(pairs: pa.Table, images: pa.Table, records: pa.Table, experiment_id: str) -> pa.Table:
    """The pairs as rows of `links`."""
    times = [
        table["uploaded_at"].combine_chunks().take(_index(pairs[name], table[name]))
        for table, name in ((images, "image_path"), (records, "record_id"))
    ]
    older = pc.if_else(pc.less(times[0], times[1]), times[0], times[1])
    columns = {name: pairs[name] for name in pairs.column_names}
    columns |= {"experiment_id": pa.repeat(experiment_id, pairs.num_rows), "uploaded_at": older, "processed_at": older}
    return pa.table([columns[name] for name in LINKS.columns.names], schema=LINKS.columns)


def _index(values: pa.ChunkedArray, among: pa.ChunkedArray) -> pa.Array:
    return pc.index_in(values.combine_chunks(), among.combine_chunks())


def _unsaid(rows: pa.Table, said: pa.Table) -> pa.Table:
    """The rows that `links` does not have, or with an older time."""
    known = said.select(["image_path", "record_id", "uploaded_at"]).rename_columns(["image_path", "record_id", "known"])
    joined = rows.join(known, ["image_path", "record_id"], join_type="left outer")
    newer = pc.fill_null(pc.greater(joined["uploaded_at"], joined["known"]), True)
    return joined.filter(newer).select(LINKS.columns.names).sort_by(_ORDER).cast(LINKS.columns)


def _disowned(images: pa.Table, links: Links) -> pa.Array:
    """The images whose record is another."""
    paths, have = images["image_path"].combine_chunks(), images["record_id"].combine_chunks()
    return paths.filter(pc.not_equal(pc.fill_null(have, ""), pc.fill_null(links.owners_of(paths), "")))


def _unillustrated(records: pa.Table, links: Links) -> pa.Array:
    """The records whose images are others."""
    ids = records["record_id"].combine_chunks()
    have, must = (
        pc.binary_join(lists.cast(pa.list_(pa.string())), "\0")
        for lists in (records["image_paths"].combine_chunks(), links.images_of(ids))
    )
    return ids.filter(pc.not_equal(have, must))
