"""Which records an image fits that came without them, pair by pair.

What fits is decided from the image's path and the record's row alone, whatever else is there. So it is the same
whichever came first, and however many uploads brought them (docs/adr/0023). `iceberg.links` decides between pairs.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixlake.matching.loosely import PathNames, in_numbered_folders, last_numbers, parse_paths, without_zeros
from pixlake.matching.names import Positions, comparable
from pixlake.matching.references import lower_extension, read_names, shared_ends
from pixlake.schemas import BY_FIT, LINKS

_PAIRS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
_IN_ROW, _BY_TEXT, _BY_NUMBER, _BY_CASE = 0, 1, 8, 9
"""How well a pair fits, best first; from `_BY_TEXT` and `_BY_CASE` on by stem, stem before `-N`, innermost folder, …"""
_DEEPEST = 6
_GREATEST = BY_FIT - 2
_COLUMNS = ("image_path", "record_id", "place")
_SCHEMA = pa.schema([LINKS.columns.field(name) for name in _COLUMNS])


class Fits:
    """Images that no upload named for a record, by what their paths say."""

    columns = ("record_id", "attributes")
    """Of a record, what is looked at."""

    def __init__(self, paths: pa.Array) -> None:
        self._paths = paths
        self._names = parse_paths(paths)

    def of(self, records: pa.RecordBatch) -> pa.Table:
        """Each pair of an image and one of the records that fit, once, as columns of `links`.

        A record fits whose row names the image, by a path that ends with the image's whole path; and one whose id the
        path holds, as a name or a folder, unless its row names images.
        """
        rows, texts = _named(records.column("attributes"))
        ids = records.column("record_id")
        naming = np.zeros(len(ids), bool)
        naming[rows] = True
        found = [*self._in_rows(ids, rows, texts), *self._by_id(ids.filter(pa.array(~naming)))]
        pairs = pa.concat_tables([_SCHEMA.empty_table(), *found])
        best = pairs.group_by(["image_path", "record_id"]).aggregate([("place", "max")])
        return best.rename_columns(_COLUMNS).select(_COLUMNS).cast(_SCHEMA)

    def _in_rows(self, ids: pa.Array, rows: Positions, texts: pa.Array) -> Iterator[pa.Table]:
        for named, ends in shared_ends(texts, self._ends):
            images = self._paths.take(ends)
            order = np.arange(len(named)) - np.searchsorted(rows[named], rows[named])
            yield _pairs(images, ids.take(pa.array(rows[named])), _places(_IN_ROW, order))

    @cached_property
    def _ends(self) -> pa.Array:
        return lower_extension(comparable(self._paths))

    def _by_id(self, ids: pa.Array) -> Iterator[pa.Table]:
        keys = comparable(ids)
        for images, forms in ((self._texts, keys), (self._numbers, without_zeros(keys)), (self._cases, _lower(keys))):
            known = pa.table({"key": forms, "record_id": ids}).filter(pc.is_in(forms, images["key"], skip_nulls=True))
            joined = images.join(known, "key", join_type="inner").combine_chunks()
            yield joined.select(_COLUMNS).cast(_SCHEMA)

    @cached_property
    def _texts(self) -> pa.Table:
        """What may be an id, by image. A number is one only as a file's name, where no folder is a number: images and
        folders are numbered for other reasons."""
        names, count = self._names.names, len(self._paths)
        numbered = in_numbered_folders(self._names)
        everyone = np.arange(count)
        given = [(names.stems, everyone, 0, np.full(count, -1)), (names.bases, everyone, 1, names.numbers)]
        tables = []
        for texts, images, rank, numbers in [*given, *_folders(self._names)]:
            number = without_zeros(texts).is_valid().to_numpy(zero_copy_only=False)
            doubtful = number & (numbered[images] if rank < 2 else True)
            keep = pa.array(texts.is_valid().to_numpy(zero_copy_only=False) & ~doubtful)
            places = pa.array(_places(_BY_TEXT + rank, numbers + 1))
            table = pa.table({"key": texts, "image_path": self._paths.take(pa.array(images)), "place": places})
            tables.append(table.filter(keep))
        return pa.concat_tables(tables).combine_chunks()

    @cached_property
    def _numbers(self) -> pa.Table:
        return self._as(without_zeros(self._texts["key"].combine_chunks()), _BY_NUMBER - _BY_TEXT, ranked=False)

    @cached_property
    def _cases(self) -> pa.Table:
        return self._as(_lower(self._texts["key"].combine_chunks()), _BY_CASE - _BY_TEXT)

    def _as(self, keys: pa.Array, worse: int, ranked: bool = True) -> pa.Table:
        """The same in another form of the keys, which fits worse."""
        table = self._texts.set_column(0, "key", keys)
        levels, numbers = np.divmod(-1 - table["place"].to_numpy(), BY_FIT)
        levels = worse + (levels if ranked else _BY_TEXT)
        return table.set_column(2, "place", pa.array(_places(levels, numbers))).filter(keys.is_valid())


def _folders(paths: PathNames) -> Iterator[tuple[pa.Array, Positions, int, Positions]]:
    """The folders of images: their names, the images, how far inside they are, and the images' numbers."""
    inside = paths.folders.take(pa.array(paths.places))
    images, numbers = np.arange(len(inside)), last_numbers(paths.names.stems)
    for rank in range(2, _DEEPEST + 1):
        found = pc.extract_regex(inside, r"(?s)^(?P<above>.*/)?(?P<name>[^/]+)$")
        left = found.is_valid().to_numpy(zero_copy_only=False)
        if not left.any():
            return
        found, images, numbers = found.filter(pa.array(left)), images[left], numbers[left]
        yield pc.struct_field(found, "name"), images, rank, numbers
        inside = pc.replace_substring_regex(pc.struct_field(found, "above"), "/$", "")


def _named(attributes: pa.Array) -> tuple[Positions, pa.Array]:
    """The images that rows name, in order: the row, and the text."""
    pairs = attributes.cast(_PAIRS)
    rows, values = pc.list_parent_indices(pairs).to_numpy(), pc.struct_field(pc.list_flatten(pairs), "value")
    cells, texts = read_names(values)
    return rows[cells].astype(np.int64), texts


def _lower(texts: pa.Array) -> pa.Array:
    """In lower case; null where there is no letter."""
    lower = pc.utf8_lower(texts)
    return pc.if_else(pc.equal(lower, pc.utf8_upper(texts)), pa.scalar(None, pa.string()), lower)


def _places(level: int | NDArray[np.int64], number: NDArray[np.int64]) -> NDArray[np.int32]:
    places: NDArray[np.int32] = (-1 - (level * BY_FIT + np.minimum(number, _GREATEST))).astype(np.int32)
    return places


def _pairs(images: pa.Array, ids: pa.Array, places: NDArray[np.int32]) -> pa.Table:
    return pa.table([images, ids, pa.array(places)], schema=_SCHEMA)
