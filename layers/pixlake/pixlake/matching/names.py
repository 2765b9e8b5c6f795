"""Images found by their names: the record `R` has the images `R.jpg` and `R-1.jpg`, `R-2.jpg`, …, in any folder."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Positions = NDArray[np.int64]
_MAX_DIGITS = 18  # what an int64 holds for certain


@dataclass(frozen=True)
class ImageNames:
    """What the names of images say, row by row: `stems` are without folder and extension, `bases` are stems without
    a last `-N` (null where there is none), `numbers` are these N (-1 where there is none)."""

    stems: pa.Array
    bases: pa.Array
    numbers: Positions

    def keys(self) -> pa.Array:
        """Every id that an image's name may stand for, once each."""
        return pc.unique(pa.chunked_array([self.stems, self.bases.drop_null()]))


@dataclass(frozen=True)
class Matches:
    """Which images each record has: those of record r are `images[starts[r]:starts[r + 1]]`, in their order.

    `record_of_image` is -1 for an orphan.
    """

    record_of_image: Positions
    starts: Positions
    images: Positions

    @property
    def matched(self) -> int:
        """How many images are some record's."""
        return int((self.record_of_image >= 0).sum())

    @property
    def counts(self) -> Positions:
        """The number of images of each record."""
        return np.diff(self.starts)


def comparable(text: pa.Array) -> pa.Array:
    """Text in one Unicode form, for a Mac writes file names in another than tables use."""
    if pc.all(pc.string_is_ascii(text)).as_py() is not False:
        return text
    return pc.utf8_normalize(text, "NFC")


def parse_names(paths: pa.Array) -> ImageNames:
    """What the names in `paths` say. A name without extension is its own stem."""
    bare = pc.replace_substring_regex(comparable(paths), "(?s)^.*/", "")
    stems = pc.replace_substring_regex(bare, r"(?s)^(.+)\.[^.]*$", r"\1")
    parts = pc.extract_regex(stems, r"(?s)^(?P<base>.+)-(?P<number>[0-9]+)$")
    digits = pc.struct_field(parts, "number")
    fitting = pc.if_else(pc.less_equal(pc.binary_length(digits), _MAX_DIGITS), digits, "9" * _MAX_DIGITS)
    numbers = pc.fill_null(pc.cast(fitting, pa.int64()), -1).to_numpy()
    return ImageNames(stems, pc.struct_field(parts, "base"), numbers)


def match_names(names: ImageNames, ids: pa.Array) -> Matches:
    """Match images, in order of their paths, with unique `ids`. A whole stem wins over a stem before `-N`.

    Images of a record are in the order of N, an image without N first, then of their paths.
    """
    keys = comparable(ids)
    whole = pc.index_in(names.stems, keys)
    based = pc.index_in(names.bases, keys, skip_nulls=True)
    records = pc.fill_null(pc.cast(pc.coalesce(whole, based), pa.int64()), -1).to_numpy()
    numbers = np.where(whole.is_valid().to_numpy(zero_copy_only=False), -1, names.numbers)
    order = np.lexsort((numbers, records))
    return group(records, order[np.searchsorted(records[order], 0) :], len(ids))


def group(records: Positions, images: Positions, count: int) -> Matches:
    """Matches of `count` records, of which each image has at most one, from `images` ordered by record."""
    starts = np.concatenate(([0], np.cumsum(np.bincount(records[images], minlength=count))))
    return Matches(records, starts, images)
