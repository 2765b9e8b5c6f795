"""Images found by a column that names them, one or several a cell.

A path in a table was often written on another machine, in another folder, by a system that does not care about case.
So a reference means the image whose path ends most like it does. What is meant must be certain: where two images fit
equally well, neither is taken.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixlake.formats import IMAGE_EXTENSIONS
from pixlake.matching.names import Matches, Positions, comparable

MISSING, AMBIGUOUS = -1, -2
_SEPARATORS = r"\s*[;|]\s*"
_EXTENSION = r"(?s)\.([^./]*)$"
_QUERY = r"[?#].*$"
_IMAGE = rf"[^,;|]+\.(?:{'|'.join(sorted(IMAGE_EXTENSIONS))})(?:[?#][^\s,;|]*)?"
_FILE = rf"(?i)\.(?:{'|'.join(sorted(IMAGE_EXTENSIONS))})(?:[?#\]\"\s,;|]|$)"
_COMMA_LIST = rf"(?i)^(?:\s*,)*{_IMAGE}(?:\s*,(?:\s*{_IMAGE})?)*\s*$"


@dataclass(frozen=True)
class References:
    """The images that cells name, in order: the cell's row, the text, and the image's position, or MISSING, or
    AMBIGUOUS. `by_case` counts those that were found by a name in another case."""

    rows: Positions
    texts: pa.Array
    images: Positions
    by_case: int = 0

    @property
    def matched(self) -> int:
        """How many different images are named."""
        return int(np.count_nonzero(np.bincount(self.images[self.images >= 0])))

    @property
    def ambiguous(self) -> int:
        """How many references fit several images."""
        return int(np.count_nonzero(self.images == AMBIGUOUS))


def settle(references: References, columns: pa.Table, paths: pa.Array) -> References:
    """The references, those that several images fit told apart by the folder that a column of the same row names: by
    the one of `columns` that settles most."""
    unclear = np.flatnonzero(references.images == AMBIGUOUS)
    texts = _without_query(_as_path(references.texts.take(pa.array(unclear))))
    rows, ends = pa.array(references.rows[unclear]), comparable(paths)
    best = np.full(len(unclear), AMBIGUOUS, dtype=np.int64)
    for column in columns.columns:
        folders = _as_path(pc.utf8_trim_whitespace(column.take(rows).combine_chunks()))
        found = _by_whole_end(pc.binary_join_element_wise(folders, texts, "/"), ends)
        if (found >= 0).sum() > (best >= 0).sum():
            best = found
    images = references.images.copy()
    images[unclear] = np.where(best >= 0, best, AMBIGUOUS)
    return replace(references, images=images)


def read_references(cells: pa.Array, paths: pa.Array) -> References:
    """The references in `cells`, resolved among `paths`.

    A cell is a JSON list, several names with `;` or `|` between (or commas, where each is an image file's), or one name
    that may hold these characters.
    """
    rows, texts = _flatten(cells, paths)
    distinct = texts.dictionary_encode()
    references, ends = _as_path(distinct.dictionary), comparable(paths)
    found = _resolve(references, ends)
    cased = _resolve_by_case(references, ends, found)
    if not len(texts):
        return References(rows, texts, np.empty(0, np.int64))
    places = distinct.indices.to_numpy()
    by_case = int(((cased >= 0) & (found < 0))[places].sum())
    return References(rows, texts, cased[places], by_case)


def read_names(values: pa.Array) -> tuple[Positions, pa.Array]:
    """What values name image files, one or several each: the value's position, and the path, as images' are written."""
    named = pc.fill_null(pc.match_substring_regex(values, _FILE), False).to_numpy(zero_copy_only=False)
    rows, texts = _flatten(values.filter(pa.array(named)), pa.array([], pa.string()))
    paths = lower_extension(_as_path(_unquoted(_without_query(texts))))
    files = pc.match_substring_regex(paths, _FILE).to_numpy(zero_copy_only=False)
    return np.flatnonzero(named)[rows[files]], paths.filter(pa.array(files))


def shared_ends(texts: pa.Array, paths: pa.Array) -> Iterator[tuple[Positions, pa.Array]]:
    """The positions of texts that end with a whole path, and of that path; by one depth of folders after another."""
    deepest = pc.max(pc.count_substring(paths, "/")).as_py()
    for slashes in range(-1 if deepest is None else deepest, -1, -1):
        ends = pc.index_in(_end(texts, slashes), paths, skip_nulls=True)
        yield np.flatnonzero(ends.is_valid().to_numpy(zero_copy_only=False)), ends.drop_null()


def match_references(references: References, ranks: Positions, records: int, images: int) -> Matches:
    """Matches of `records` records; `ranks` is the record of each cell, -1 for a cell of no record.

    An image that several records name is that of the first row's.
    """
    usable = _usable(references, ranks) & ~find_taken(references, ranks)
    owners, named = ranks[references.rows[usable]], references.images[usable]
    order = np.argsort(owners, kind="stable")
    owners, named = owners[order], named[order]
    _, first = np.unique(owners * images + named, return_index=True)  # an image named twice in a cell counts once
    first.sort()
    owners, named = owners[first], named[first]
    record_of_image = np.full(images, -1, dtype=np.int64)
    record_of_image[named] = owners
    return Matches(record_of_image, np.searchsorted(owners, np.arange(records + 1)), named)


def find_taken(references: References, ranks: Positions) -> NDArray[np.bool_]:
    """The references of records to images that the record of an earlier row names."""
    taken = _usable(references, ranks)
    records = ranks[references.rows[taken]]
    _, first, places = np.unique(references.images[taken], return_index=True, return_inverse=True)
    taken[taken] = records[first][places] != records
    return taken


def _usable(references: References, ranks: Positions) -> NDArray[np.bool_]:
    usable: NDArray[np.bool_] = (references.images >= 0) & (ranks[references.rows] >= 0)
    return usable


def _flatten(cells: pa.Array, paths: pa.Array) -> tuple[Positions, pa.Array]:
    """Rows and single references, in order."""
    cells = pc.utf8_trim_whitespace(cells)
    listed = pc.fill_null(pc.starts_with(cells, "["), False).to_numpy(zero_copy_only=False)
    lists, single = _json_lists(cells.filter(pa.array(listed)).to_pylist()), cells.filter(pa.array(~listed))
    known = pa.chunked_array([paths, pc.replace_substring_regex(paths, "(?s)^.*/", "")])
    whole = pc.is_in(single, known.combine_chunks())
    commas = pc.match_substring_regex(single, _COMMA_LIST)
    split = pc.split_pattern_regex(pc.if_else(commas, pc.replace_substring(single, ",", ";"), single), _SEPARATORS)
    split = pc.if_else(whole, _lists_of_one(single), split)
    rows = [np.flatnonzero(~listed)[pc.list_parent_indices(split).to_numpy()]]
    texts = [pc.list_flatten(split)]
    rows.append(np.flatnonzero(listed)[pc.list_parent_indices(lists).to_numpy()])
    texts.append(pc.list_flatten(lists))
    all_rows, all_texts = np.concatenate(rows).astype(np.int64), pa.concat_arrays(texts)
    order = np.argsort(all_rows, kind="stable")
    order = order[pc.fill_null(pc.not_equal(all_texts, ""), False).to_numpy(zero_copy_only=False)[order]]
    return all_rows[order], all_texts.take(pa.array(order))


def _lists_of_one(values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1, dtype=np.int32)), values)


def _json_lists(cells: Iterable[str]) -> pa.Array:
    return pa.array([_json_list(cell) for cell in cells], pa.list_(pa.string()))


def _json_list(cell: str) -> list[str]:
    """A JSON list's items; a cell that only looks like one is a name."""
    try:
        return [str(item).strip() for item in msgspec.json.decode(cell, type=list) if item is not None]
    except (msgspec.DecodeError, RecursionError):
        return [cell]


def _as_path(texts: pa.Array) -> pa.Array:
    slashes = pc.replace_substring(comparable(texts), "\\", "/")
    return pc.replace_substring_regex(slashes, r"^(?:\.?/+)+", "")


def _resolve(references: pa.Array, paths: pa.Array) -> Positions:
    """The position in `paths` of each reference: by whole path, longest common end, then loosely."""
    found: Positions = pc.fill_null(pc.cast(pc.index_in(references, paths), pa.int64()), MISSING).to_numpy().copy()
    for loose_references, loose_paths in _forms(references, paths):
        left = np.flatnonzero(found == MISSING)
        if not len(left):
            break
        found[left] = _by_longest_end(loose_references.take(pa.array(left)), loose_paths)
    return found


def _resolve_by_case(references: pa.Array, paths: pa.Array, found: Positions) -> Positions:
    """What was `found`, and what is missing by names whatever their case, unless two references meet by it."""
    left = np.flatnonzero(found == MISSING)
    if not len(left) or not len(paths):
        return found
    lower = pc.utf8_lower(_unquoted(_without_query(references)))
    counted = pc.value_counts(lower)
    repeated = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    single = pc.if_else(pc.is_in(lower, repeated), None, lower).take(pa.array(left))
    images = pc.utf8_lower(paths)
    cased = found.copy()
    cased[left] = _by_longest_end(single, images)
    bare = pc.if_else(pc.match_substring_regex(single, _EXTENSION), None, single)
    loose = _by_longest_end(bare, pc.replace_substring_regex(images, _EXTENSION, ""))
    cased[left] = np.where(cased[left] == MISSING, loose, cased[left])
    return cased


def _forms(references: pa.Array, paths: pa.Array) -> Iterator[tuple[pa.Array, pa.Array]]:
    """As they are; of a URL without its query and percent signs; with extensions in lower case; and references without
    extension against paths without."""
    yield references, paths
    if pc.any(pc.match_substring_regex(references, _QUERY + "|%")).as_py():
        references = _unquoted(_without_query(references))
        yield references, paths
    yield lower_extension(references), lower_extension(paths)
    bare = pc.if_else(pc.match_substring_regex(references, _EXTENSION), None, references)
    yield bare, pc.replace_substring_regex(paths, _EXTENSION, "")


def _without_query(references: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(references, _QUERY, "")


def _unquoted(references: pa.Array) -> pa.Array:
    """Each `%20` as the character it stands for."""
    coded = pc.fill_null(pc.match_substring(references, "%"), False)
    return pc.replace_with_mask(
        references, coded, pa.array(map(unquote, references.filter(coded).to_pylist()), pa.string())
    )


def lower_extension(paths: pa.Array) -> pa.Array:
    """Paths with their extensions in lower case."""
    parts = pc.extract_regex(paths, r"(?s)^(?P<stem>.*)(?P<extension>\.[^./]*)$")
    lower = pc.utf8_lower(pc.struct_field(parts, "extension"))
    return pc.coalesce(pc.binary_join_element_wise(pc.struct_field(parts, "stem"), lower, ""), paths)


def _by_longest_end(references: pa.Array, paths: pa.Array) -> Positions:
    """By the most last parts of a path that a reference shares with any image, at least the file's name."""
    found = np.full(len(references), MISSING, dtype=np.int64)
    depths = pc.fill_null(pc.count_substring(references, "/"), -1).to_numpy()
    deepest = min(int(depths.max(initial=-1)), int(pc.max(pc.count_substring(paths, "/")).as_py() or 0))
    for slashes in range(deepest, -1, -1):
        left = np.flatnonzero((found == MISSING) & (depths >= slashes))
        if len(left):
            found[left] = _by_end(_end(references.take(pa.array(left)), slashes), _end(paths, slashes))
    return found


def _by_whole_end(references: pa.Array, paths: pa.Array) -> Positions:
    """By all parts of a reference, which a path must end with."""
    found = np.full(len(references), MISSING, dtype=np.int64)
    depths = pc.fill_null(pc.count_substring(references, "/"), -1).to_numpy()
    deepest = int(pc.max(pc.count_substring(paths, "/")).as_py() or 0)
    for slashes in np.unique(depths[(depths >= 0) & (depths <= deepest)]).tolist():
        here = np.flatnonzero(depths == slashes)
        found[here] = _by_end(references.take(pa.array(here)), _end(paths, slashes))
    return found


def _end(paths: pa.Array, slashes: int) -> pa.Array:
    """The last parts of paths, with `slashes` between them; null where a path has fewer."""
    return pc.struct_field(pc.extract_regex(paths, f"(?s)(?:^|/)(?P<end>(?:[^/]*/){{{slashes}}}[^/]*)$"), "end")


def _by_end(references: pa.Array, ends: pa.Array) -> Positions:
    counted = pc.value_counts(ends.drop_null())
    repeated = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    positions = pc.fill_null(pc.cast(pc.index_in(references, ends, skip_nulls=True), pa.int64()), MISSING)
    found: Positions = pc.if_else(pc.is_in(references, repeated), AMBIGUOUS, positions).to_numpy()
    return found
