"""Images that cannot be decoded are no record's: the parts of `records`, written before any image was decoded, are
mended before they are committed. So a record has an image where one can be used.

An image that another attempt may decode stays with its record, for a retry writes no records.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pixlake import parquet, rejects, storage
from pixlake.bundles.roles import EMBEDDER
from pixlake.messages import SplitAnswer
from pixlake.parts.lost import part_id
from pixlake.rejects import Reject, Stage
from pixlake.retries import PASSING
from pixlake.schemas import RECORDS

_OF_RECORDS = frozenset({"missing_image", "bad_prediction"})
"""Reasons of rejects that name a record."""
_READERS = 16


def drop_broken(files: Sequence[str], split: SplitAnswer, records: Sequence[str]) -> int:
    """Mend the parts `records` by the parts of rejects `files`; returns how many records have an image then.

    What the embedder can decode is an image; without one what the classifiers can. A second run changes nothing.
    """
    stage = Stage.EMBED if EMBEDDER in split.models else Stage.CLASSIFY
    told = [uri for uri in files if part_id(uri).startswith(stage)]
    with ThreadPoolExecutor(_READERS) as pool:
        written = [reject for data in pool.map(storage.read, told) for reject in rejects.decode(data)]
    return split.with_image if not written else mend_records(records, written)


def mend_records(records: Iterable[str], told: Iterable[Reject]) -> int:
    """Take images out of the parts of `records` that are rejected by Embed or Classify, for good; returns how many
    records have an image then."""
    broken = pa.array([each.source for each in told if each.reason not in PASSING | _OF_RECORDS], pa.string())
    return sum(_mended(records, broken))


def _mended(records: Iterable[str], broken: pa.Array) -> Iterator[int]:
    for uri in records:
        rows = pq.read_table(pa.BufferReader(storage.read(uri)))
        lists = rows["image_paths"].combine_chunks().cast(pa.list_(pa.string()))
        images, good = lists.flatten(), pc.invert(pc.is_in(lists.flatten(), value_set=broken))
        owners = pc.list_parent_indices(lists).filter(good).to_numpy()
        counts = np.bincount(owners, minlength=rows.num_rows)
        if len(owners) < len(images):
            offsets = pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
            kept = pa.ListArray.from_arrays(offsets, images.filter(good))
            parquet.write_part(uri, RECORDS, _replace(rows, image_paths=kept, has_image=pa.array(counts > 0)))
        yield int((counts > 0).sum())


def _replace(rows: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), values.cast(rows.schema.field(place).type))
    return rows
