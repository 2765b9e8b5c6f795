"""Table and images, joined: what the outputs are slices of."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixlake.matching.extracted import IS_STORED
from pixlake.matching.names import Matches, Positions
from pixlake.schemas import STORED

Mask = NDArray[np.bool_]
_ENTRY_BYTES = 8  # of a name and of a value, where they end


@dataclass(frozen=True)
class Joined:
    """Records in the order of their ids, images in the order of their paths, and which image is whose.

    `columns` is the table as it was read, `rows` the row in it of each record.
    """

    ids: pa.Array
    rows: Positions
    columns: pa.Table
    id_column: str | None
    images: pa.Table
    matches: Matches

    @cached_property
    def sizes(self) -> Positions:
        """Bytes of each image."""
        sizes: Positions = self.images["size"].to_numpy()
        return sizes

    def record_sizes(self) -> Positions:
        """Bytes of each record's images together."""
        total = np.concatenate(([0], np.cumsum(self.sizes[self.matches.images])))
        return np.diff(total[self.matches.starts])

    @cached_property
    def attribute_sizes(self) -> Positions:
        """Bytes in memory of each record's attributes: its texts, and the columns' names, which each record repeats."""
        names = self.columns.column_names
        row_sizes = np.full(self.columns.num_rows, sum(map(len, names)) + _ENTRY_BYTES * len(names), dtype=np.int64)
        for column in self.columns.columns:
            row_sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy()
        return row_sizes[self.rows]

    def image_columns(self, images: Positions) -> tuple[pa.Array, pa.Array]:
        """Paths and URIs of images."""
        some = self.images.select(["image_path", "image_uri"]).take(pa.array(images))
        return some["image_path"].combine_chunks(), some["image_uri"].combine_chunks()

    @cached_property
    def own(self) -> Mask:
        """Which images are the upload's own, and not in the lake already."""
        if IS_STORED not in self.images.column_names:
            return np.ones(self.images.num_rows, bool)
        own: Mask = ~self.images[IS_STORED].to_numpy()
        return own

    def image_times(self, images: Positions) -> pa.Array | None:
        """When each image was uploaded, where images have times of their own."""
        if STORED.name not in self.images.column_names:
            return None
        return self.images[STORED.name].take(pa.array(images)).combine_chunks()

    def image_lists(self, records: Positions) -> tuple[pa.Array, pa.Array]:
        """For each record the paths and the URIs of its images."""
        counts = self.matches.counts[records]
        offsets = np.concatenate(([0], np.cumsum(counts)))
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        images = self.matches.images[np.repeat(self.matches.starts[records], counts) + within]
        starts = pa.array(offsets.astype(np.int32))
        paths, uris = (pa.ListArray.from_arrays(starts, column) for column in self.image_columns(images))
        return paths, uris

    def attributes(self, records: Positions, kind: pa.MapType, *, with_id: bool) -> pa.Array:
        """For each record a map of `kind` from column names to values, null ones too."""
        names = [name for name in self.columns.column_names if with_id or name != self.id_column]
        some = self.columns.select(names).take(pa.array(self.rows[records]))
        count, width = len(records), len(names)
        offsets = pa.array(np.arange(count + 1, dtype=np.int32) * width)
        keys = pa.array(names, pa.string()).take(pa.array(np.tile(np.arange(width), count)))
        by_column = pa.concat_arrays([pa.array([], pa.string()), *(c for column in some for c in column.chunks)])
        by_row = np.arange(width * count).reshape(width, count).T.ravel()
        return pa.MapArray.from_arrays(offsets, keys, by_column.take(pa.array(by_row)), kind)
