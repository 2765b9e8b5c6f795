"""Whose an image is, decided from what uploads said of it: the table `links`.

A row says when an upload last named the image for the record. It holds as long as neither the image has been named for
another record since, nor the record been given other images. Both only ever become true, so the order in which uploads
are committed does not matter (docs/adr/0014). Or it says that the image fits the record, which no upload named it for
(`latecomers`); it holds where no upload named the image at all, and no other record fits as well (docs/adr/0023).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import methodcaller

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyiceberg.table import Table

from pixlake.iceberg.existing import list_existing, read_alive
from pixlake.iceberg.rows import Rows
from pixlake.schemas import BY_FIT, LINKS, RECORDS

_NAMING = ("experiment_id", "record_id", "image_paths", "uploaded_at", "processed_at")
Places = NDArray[np.int64]
NO_IMAGE = ""
"""In place of an image's path: the record had another image at that time, which has been deleted (`erasure`)."""
_AS_PYTHON = methodcaller("as_py")
_WORST = 1 << 8
AFTER_NAMED = 1 << 30
"""The place from which on images that fit a record are among its images."""
_READ = ("image_path", "record_id", "place", "uploaded_at", "processed_at")


class NamedImages:
    """Rows of `records` as rows of `links`: one for each image that a record names."""

    def __init__(self, records: Rows) -> None:
        self.name = f"links of {records.name}"
        self._records = records

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in self._records.batches(_NAMING):
            links = _unnest(batch)
            if links.num_rows:
                yield links.select(list(columns))


@dataclass(frozen=True)
class Links:
    """What holds of an experiment: the images `paths[i]`, sorted, are those of the records `owners[i]`. `records` are
    these records, sorted; those of `records[i]` are `images[starts[i]:starts[i + 1]]`, in their order. `said` are all
    rows of `links`, those that hold no more among them."""

    paths: pa.Array
    owners: pa.Array
    records: pa.Array
    starts: Places
    images: pa.Array
    said: pa.Table

    def owners_of(self, paths: pa.Array) -> pa.Array:
        """The record of each image, null for none."""
        return self.owners.take(find_sorted(paths, self.paths))

    def images_of(self, record_ids: pa.Array) -> pa.Array:
        """The images of each record, as lists."""
        places = pc.fill_null(find_sorted(record_ids, self.records), len(self.records)).to_numpy()
        lengths = np.append(np.diff(self.starts), 0)[places]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        images = self.images.take(pa.array(np.repeat(self.starts[places], lengths) + within))
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), images)

    def images_near(self, record_ids: pa.Array) -> pa.Array:
        """Every image that was ever said to be one of these records'."""
        found = _distinct(self.said, "image_path", "record_id", record_ids)
        return found.filter(pc.not_equal(found, NO_IMAGE))

    def records_near(self, paths: pa.Array) -> pa.Array:
        """Every record that was ever said to have one of these images."""
        return _distinct(self.said, "record_id", "image_path", paths)


def find_sorted(values: pa.Array, among: pa.Array) -> pa.Array:
    """The place of each value in the sorted `among`, null for none; quick where the values lie close together."""
    bounds = pc.min_max(values).as_py()
    if bounds["min"] is None:
        return pa.nulls(len(values), pa.int64())
    low = bisect_left(among, bounds["min"], key=_AS_PYTHON)
    high = bisect_right(among, bounds["max"], key=_AS_PYTHON)
    return pc.add(pc.index_in(values, value_set=among[low:high]).cast(pa.int64()), low)


def is_named(said: pa.Table) -> pa.ChunkedArray:
    """Which rows are of images that an upload named for the record."""
    return pc.greater_equal(said["place"], 0)


def resolve(said: pa.Table) -> Links:
    """Which rows of `links` hold."""
    of_upload = is_named(said)
    named = said.filter(of_upload)
    fitting = said.filter(pc.invert(of_upload))
    some = pa.concat_tables([_holding(named), _fitting_best(fitting, named["image_path"])])
    some = some.sort_by([("image_path", "ascending"), ("record_id", "ascending")])
    some = some.filter(pc.not_equal(some["image_path"], NO_IMAGE))
    # of two that two executions said at the same moment, one
    keep = np.ones(some.num_rows, bool)
    keep[1:] = pc.not_equal(some["image_path"][1:], some["image_path"][:-1]).to_numpy()
    some = some.filter(pa.array(keep))
    paths, owners = (some[name].combine_chunks() for name in ("image_path", "record_id"))
    names = pc.unique(owners).sort()
    codes = pc.index_in(owners, value_set=names).to_numpy()
    order = np.lexsort((some["place"].to_numpy(), codes))
    starts = np.concatenate(([0], np.cumsum(np.bincount(codes, minlength=len(names)))))
    return Links(paths, owners, names, starts, paths.take(pa.array(order)), said)


def _holding(named: pa.Table) -> pa.Table:
    """Of what uploads named, what is the newest both of its image and of its record."""
    moments = _moments(named)
    paths, records = (named[name].combine_chunks().dictionary_encode().indices for name in ("image_path", "record_id"))
    holds = _newest(paths.to_numpy(), moments) & _newest(records.to_numpy(), moments)
    return named.filter(pa.array(holds))


def _fitting_best(fitting: pa.Table, named: pa.ChunkedArray) -> pa.Table:
    """Of images that were never `named`, the one record each that fits best; places come after those of others."""
    left = fitting.filter(pc.invert(pc.is_in(fitting["image_path"], value_set=named.combine_chunks())))
    paths = left["image_path"].combine_chunks().dictionary_encode().indices.to_numpy()
    levels, numbers = np.divmod(-1 - left["place"].to_numpy().astype(np.int64), BY_FIT)
    best = _newest(paths, -levels + _WORST)
    alone = np.bincount(paths[best], minlength=1)[paths] == 1 if len(paths) else best
    places = pa.array((AFTER_NAMED + numbers).astype(np.int32))
    return left.set_column(left.schema.get_field_index("place"), left.schema.field("place"), places).filter(
        pa.array(best & alone)
    )


def read_links(table: Table, partition: str) -> Links:
    """What the table says of an experiment. All of its links are held in memory, about 100 bytes each."""
    return resolve(read_alive(table, LINKS, partition, _READ))


def is_linked(links: Table, partition: str) -> bool:
    """Whether the table knows of the experiment, or has forgotten it by a complete upload."""
    return any(True for _ in list_existing(links, LINKS, partition))


def values_of(sources: Sequence[Rows], name: str) -> pa.Array:
    """The values of a column of text in all sources."""
    columns = [batch.column(name) for source in sources for batch in source.batches([name])]
    return pa.concat_arrays([pa.array([], pa.string()), *columns])


def read_named(records: Table, partition: str) -> pa.Table:
    """The rows of `records` with images, as rows of `links`: for lakes from before that table."""
    rows = read_alive(records, RECORDS, partition, _NAMING)
    return pa.Table.from_batches([_unnest(batch) for batch in rows.to_batches()], LINKS.columns)


def _unnest(batch: pa.RecordBatch) -> pa.RecordBatch:
    lists = batch.column("image_paths")
    rows = lists.value_parent_indices()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    starts = np.concatenate(([0], np.cumsum(lengths)))[:-1]
    columns = {name: batch.column(name).take(rows) for name in _NAMING if name != "image_paths"}
    columns["image_path"] = lists.flatten()
    columns["place"] = pa.array((np.arange(len(rows)) - starts[rows.to_numpy()]).astype(np.int32))
    return pa.RecordBatch.from_arrays([columns[name] for name in LINKS.columns.names], schema=LINKS.columns)


def _moments(said: pa.Table) -> NDArray[np.int64]:
    """A number for each row, in the order of `uploaded_at`, then of `processed_at`."""
    ranks = []
    for name in ("uploaded_at", "processed_at"):
        values, places = np.unique(said[name].cast(pa.int64()).to_numpy(), return_inverse=True)
        ranks.append((places, len(values)))
    (uploaded, _), (processed, count) = ranks
    moments: NDArray[np.int64] = uploaded * count + processed
    return moments


def _newest(groups: NDArray[np.int32], moments: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a row is of the greatest moment of its group."""
    last = np.full(int(groups.max(initial=-1)) + 1, -1)
    np.maximum.at(last, groups, moments)
    newest: NDArray[np.bool_] = last[groups] == moments
    return newest


def _distinct(said: pa.Table, wanted: str, given: str, values: pa.Array) -> pa.Array:
    found = pc.is_in(said[given], value_set=values)
    return pc.unique(said[wanted].combine_chunks().filter(found.combine_chunks()))
