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

    `record_of_image` is -1 for an orphan. `by_case` counts the images found by a name in another case.
    """

    record_of_image: Positions
    starts: Positions
    images: Positions
    by_case: int = 0

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


@dataclass(frozen=True)
class Owners:
    """The record of each image, -1 for none, and its place among that record's images: they are in the order of these
    numbers, then of their paths."""

    records: Positions
    numbers: Positions

    def or_else(self, others: "Owners") -> "Owners":
        """These, and for images without a record the others."""
        have = self.records >= 0
        records, numbers = (self.records, others.records), (self.numbers, others.numbers)
        return Owners(np.where(have, *records), np.where(have, *numbers))

    @property
    def images(self) -> int:
        """How many images have a record."""
        return int((self.records >= 0).sum())

    @property
    def different(self) -> int:
        """How many records have an image."""
        return int(np.count_nonzero(np.bincount(self.records[self.records >= 0])))

    def matches(self, count: int) -> Matches:
        """As matches of `count` records."""
        order = np.lexsort((self.numbers, self.records))
        return group(self.records, order[np.searchsorted(self.records[order], 0) :], count)


def find_owners(stems: pa.Array, bases: pa.Array, numbers: Positions, keys: pa.Array) -> Owners:
    """The records whose keys are the stems, or else the bases, of images; null is no key.

    A record's images are in the order of N, an image without N first, then of their paths.
    """
    whole, based = find(stems, keys), find(bases, keys)
    return Owners(np.where(whole >= 0, whole, based), np.where(whole >= 0, -1, numbers))


def find(values: pa.Array, keys: pa.Array) -> Positions:
    """The position of each value in `keys`, -1 for none and for null."""
    # only of keys that are values: of each key that it looks among, Arrow makes a copy
    there = np.flatnonzero(pc.is_in(keys, values, skip_nulls=True).to_numpy(zero_copy_only=False))
    found = pc.index_in(values, keys.take(pa.array(there)), skip_nulls=True)
    places = pc.fill_null(pc.cast(found, pa.int64()), -1).to_numpy()
    positions: Positions = np.append(there, -1)[places]
    return positions


def group(records: Positions, images: Positions, count: int) -> Matches:
    """Matches of `count` records, of which each image has at most one, from `images` ordered by record."""
    starts = np.concatenate(([0], np.cumsum(np.bincount(records[images], minlength=count))))
    return Matches(records, starts, images)
