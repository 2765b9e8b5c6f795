"""Images found by more than their names: by the folder they lie in, and by numbers written with leading zeros.

The record `INV-1001` has the images `img/INV-1001/1.jpg`, and the record `1` has `00001-1.jpg` unless another id is the
same number. A name that says the id as it is comes first, unless the folders tell more records apart.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixlake.matching.names import (
    ImageNames,
    Matches,
    Owners,
    Positions,
    comparable,
    find,
    find_owners,
    parse_names,
)
from pixlake.matching.pieces import pieces

_LAST_NUMBER = r"(?s)^.*?(?P<number>[0-9]{1,18})$"


@dataclass(frozen=True)
class PathNames:
    """What the paths of images say: their names, and the folders they lie in. `places` is the folder of each image,
    a position in `folders`, which are paths."""

    names: ImageNames
    folders: pa.Array
    places: Positions

    @cached_property
    def parts(self) -> tuple[pa.Array, Positions]:
        """Each folder's name and those of the folders above it, the outermost first, with the folder's position."""
        split = pc.split_pattern(self.folders, "/")
        return pc.list_flatten(split), pc.list_parent_indices(split).to_numpy()

    @cached_property
    def _keys(self) -> pa.Array:
        return pc.unique(pa.chunked_array([self.names.keys(), pc.unique(self.parts[0])]))

    def keys(self) -> pa.Array:
        """Every id that an image's path may stand for, once each."""
        return self._keys

    def keys_in_lower_case(self) -> pa.Array:
        """Those that no other is the same as in lower case."""
        return pc.unique(in_lower_case(self._keys).drop_null())

    def keys_without_zeros(self) -> pa.Array:
        """Those that are numbers, without leading zeros."""
        return pc.unique(without_zeros(self._keys).drop_null())


def parse_paths(paths: pa.Array) -> PathNames:
    """What `paths` say. An image at the root lies in the folder of the empty name, which no id is."""
    bare = pc.replace_substring_regex(comparable(paths), r"(?s)/?[^/]*$", "")
    folders = bare.dictionary_encode()
    return PathNames(parse_names(paths), folders.dictionary, folders.indices.to_numpy().astype(np.int64))


def without_zeros(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Whole numbers without leading zeros; null for any other text."""
    return pc.struct_field(pc.extract_regex(pc.utf8_trim_whitespace(texts), r"^0*(?P<number>[0-9]+)$"), "number")


def match_paths(paths: PathNames, ids: pa.Array) -> Matches:
    """Match images, in order of their paths, with unique `ids`: by name and by folder, as written or as numbers.

    What tells more records apart comes first, a name where both tell as many. Images of a folder are in the order of
    the last numbers in their names.
    """
    keys = comparable(ids)
    by_name, by_folder = _by_name(paths, keys), _by_folder(paths, keys)
    first, second = _in_order(by_name, by_folder)
    elsewhere = first is by_folder and in_numbered_folders(paths)
    owners = first.or_else(_without_numbers(second, first, keys, elsewhere))
    if owners.images == len(paths.places):
        return owners.matches(len(ids))
    first, second = _in_order(*_by_case(paths, keys))
    cased = owners.or_else(first.or_else(second))
    return replace(cased.matches(len(ids)), by_case=cased.images - owners.images)


def _in_order(by_name: Owners, by_folder: Owners) -> tuple[Owners, Owners]:
    """What tells more records apart, and the other."""
    return (by_folder, by_name) if by_folder.different > by_name.different else (by_name, by_folder)


def _without_numbers(second: Owners, first: Owners, keys: pa.Array, elsewhere: NDArray[np.bool_] | bool) -> Owners:
    """`second` without images of numbered records that have some by `first`, or that are `elsewhere`: images and
    folders are numbered for other reasons."""
    found = [without_zeros(some).is_valid().to_numpy(zero_copy_only=False) for some in pieces(keys)]
    numbered = np.concatenate(found) if found else np.zeros(0, dtype=bool)
    taken = np.zeros(len(keys), dtype=bool)
    taken[first.records[first.records >= 0]] = True
    if not len(keys):
        return second
    foreign = (second.records >= 0) & numbered[second.records] & (taken[second.records] | elsewhere)
    return Owners(np.where(foreign, -1, second.records), second.numbers)


def in_numbered_folders(paths: PathNames) -> NDArray[np.bool_]:
    """For each image whether a folder that it lies in is a number."""
    parts, folders = paths.parts
    numbered = np.zeros(len(paths.folders), dtype=bool)
    numbered[folders[without_zeros(parts).is_valid().to_numpy(zero_copy_only=False)]] = True
    return numbered[paths.places]


def _by_name(paths: PathNames, keys: pa.Array) -> Owners:
    names = paths.names
    owners = find_owners(names.stems, names.bases, names.numbers, keys)
    if owners.images == len(paths.places):
        return owners
    stems, bases = without_zeros(names.stems), without_zeros(names.bases)
    if stems.null_count == len(stems) and bases.null_count == len(bases):
        return owners
    return owners.or_else(find_owners(stems, bases, names.numbers, _numbers(keys)))


def _by_case(paths: PathNames, keys: pa.Array) -> tuple[Owners, Owners]:
    """By name and by folder, whatever the case of letters, unless two ids, or two names, meet by it."""
    names, lower = paths.names, in_lower_case(keys)
    bases = pc.if_else(pc.is_valid(stems := in_lower_case(names.stems)), pc.utf8_lower(names.bases), None)
    by_name = find_owners(stems, bases, names.numbers, lower)
    return by_name, _in_folders(paths, find(in_lower_case(paths.parts[0]), lower))


def in_lower_case(texts: pa.Array) -> pa.Array:
    """Texts in lower case; null where two that differ are one by it, and where there is no letter."""
    different = pc.unique(texts.drop_null())
    counted = pc.value_counts(pc.utf8_lower(different))
    repeated = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    lower = pc.utf8_lower(texts)
    none = pc.or_(pc.is_in(lower, repeated, skip_nulls=True), pc.equal(lower, pc.utf8_upper(texts)))
    return pc.if_else(none, pa.scalar(None, pa.string()), lower)


def _by_folder(paths: PathNames, keys: pa.Array) -> Owners:
    """The records that the innermost folders name."""
    parts, _ = paths.parts
    found = find(parts, keys)
    bare = without_zeros(parts)
    if bare.null_count < len(bare) and (found < 0).any():
        found = np.where(found >= 0, found, find(bare, _numbers(keys)))
    return _in_folders(paths, found)


def _in_folders(paths: PathNames, found: Positions) -> Owners:
    """The records of the images in folders, by the record that is `found` for each part of a folder's path."""
    _, folders = paths.parts
    named = np.full(len(paths.folders), -1, dtype=np.int64)
    named[folders[found >= 0]] = found[found >= 0]  # of several the last, which is the innermost
    records = named[paths.places]
    numbers = np.full(len(records), -1, dtype=np.int64)
    if len(inside := np.flatnonzero(records >= 0)):
        numbers[inside] = last_numbers(paths.names.stems.take(pa.array(inside)))
    return Owners(records, numbers)


def last_numbers(stems: pa.Array) -> Positions:
    """The number at the end of each name, -1 for none."""
    last = pc.struct_field(pc.extract_regex(stems, _LAST_NUMBER), "number")
    numbers: Positions = pc.fill_null(pc.cast(last, pa.int64()), -1).to_numpy()
    return numbers


def _numbers(keys: pa.Array) -> pa.Array:
    """Ids without leading zeros; null where an id is no number, or two are the same one."""
    numbers = without_zeros(keys)
    counted = pc.value_counts(numbers.drop_null())
    repeated = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    return pc.if_else(pc.is_in(numbers, repeated, skip_nulls=True), pa.scalar(None, pa.string()), numbers)
