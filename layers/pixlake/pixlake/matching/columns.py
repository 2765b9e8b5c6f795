"""Which column holds the ids of the records, and which names images: as told, or by what the values say.

Ids are found by the images if they can be: the column whose values are the names of most images. Where a column names
the images, or no name fits, a column called like an id is taken, else the first that tells all rows apart.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.errors import BadTable
from pixlake.formats import IMAGE_EXTENSIONS
from pixlake.matching.names import ImageNames, comparable
from pixlake.matching.references import References, read_references

_SAMPLE_ROWS = 5_000
# Of a column's rows with a value, and of its values that differ. The rest is rejected row by row, so a column that is
# nearly perfect will do; on the word of images, or of a name that means nothing else, a worse one.
_NEARLY, _MOSTLY = 0.9, 0.5
_IMAGE_VALUE = rf"(?i)\.(?:{'|'.join(sorted(IMAGE_EXTENSIONS))})\"?\s*(?:$|[;|,\]])"
# from the surest to the least sure
_ID_NAMES = (
    (re.compile(r"id|uuid|guid|uid", re.I), _MOSTLY),
    (re.compile(r"(record|row|item|object|sample|primary)[ _.-]?(id|key)|key|identifier", re.I), _MOSTLY),
    (re.compile(r".*([ _.-][iI][dD]|[a-z0-9]I[dD]|[A-Z]ID)|ID[ _.-].*"), _NEARLY),
    (re.compile(r"(image|img|photo|picture|file)([ _.-]?(file[ _.-]?)?(name|path|file))?", re.I), _NEARLY),
)


@dataclass(frozen=True)
class Choice:
    """A column and, in one sentence, why."""

    column: str
    why: str


@dataclass(frozen=True)
class Profile:
    """One column, and how many rows it could have a value in (a file may lack the column)."""

    name: str
    values: pa.ChunkedArray
    rows: int

    @cached_property
    def filled(self) -> int:
        return len(self.values) - int(self.values.null_count)

    @cached_property
    def distinct(self) -> int:
        return int(pc.count_distinct(self.values).as_py())

    def tells_apart(self, share: float) -> bool:
        """Whether at least this share of rows has a value, and this share of the values differ."""
        return 0 < self.filled >= share * self.rows and self.distinct >= share * self.filled

    def matched(self, keys: pa.Array) -> tuple[int, int]:
        """How many values are among `keys`, and how many different ones."""
        trimmed = comparable(pc.utf8_trim_whitespace(self.values))
        found = trimmed.filter(pc.is_in(trimmed, keys))
        return len(found), int(pc.count_distinct(found).as_py())


def check_column(columns: Sequence[str], option: str, name: str | None) -> None:
    """BadTable if the column that an option names is not in the table."""
    if name is not None and name not in columns:
        raise BadTable(f"{option}: there is no column {name!r}; the columns are {', '.join(map(repr, columns))}")


def choose_id(profiles: Sequence[Profile], names: ImageNames, told: str | None, image_column: str | None) -> Choice:
    """The id column. BadTable if the values tell nothing, saying what to set."""
    if told is not None:
        return Choice(told, f"{told}: set by id_column")
    by_images, by_name = partial(_by_images, profiles, names.keys()), partial(_by_name, profiles)
    first, second = (by_name, by_images) if image_column is not None else (by_images, by_name)
    if choice := first() or second() or _by_values(profiles):
        return choice
    listed = ", ".join(repr(profile.name) for profile in profiles)
    raise BadTable(f"no column tells the rows apart; set id_column in pixlake.json to one of {listed}")


def choose_images(columns: pa.Table, paths: pa.Array, told: str | None) -> tuple[str, References] | None:
    """The column that names images, with what it names; None where the images tell their records by their names."""
    if told is not None:
        return told, read_references(columns[told].combine_chunks(), paths)
    best: tuple[str, References] | None = None
    most = 0
    for name in columns.column_names if len(paths) else ():
        if not _looks_like_images(columns[name]):
            continue
        references = read_references(columns[name].combine_chunks(), paths)
        if references.matched > most:
            best, most = (name, references), references.matched
    return best


def _by_images(profiles: Sequence[Profile], keys: pa.Array) -> Choice | None:
    """By the most different names of images; of several such columns, by the most different values."""
    best: Choice | None = None
    most = (0, 0)
    for profile in _promising(profiles, keys):
        values, different = profile.matched(keys)
        if different and (different, profile.distinct) > most and profile.tells_apart(_MOSTLY):
            most = different, profile.distinct
            best = Choice(profile.name, f"{profile.name}: {values:,} of {profile.rows:,} values are image names")
    return best


def _promising(profiles: Sequence[Profile], keys: pa.Array) -> Sequence[Profile]:
    """The columns whose values may be image names and tell rows apart, by samples of the ones and then of the others:
    to compare all with all takes long where there are a million of each and many columns."""
    sampled = [(profile, _sample(profile.values)) for profile in profiles]
    sampled = [(profile, sample) for profile, sample in sampled if _mostly_unique(sample)]
    if not sampled:
        return []
    together = pa.chunked_array([chunk for _, sample in sampled for chunk in sample.chunks], pa.string())
    found = pc.is_in(comparable(pc.utf8_trim_whitespace(together)), keys).to_numpy(zero_copy_only=False)
    hits = [int(part.sum()) for part in np.split(found, np.cumsum([len(sample) for _, sample in sampled])[:-1])]
    if not any(hits):
        some = _sample(pa.chunked_array([keys])).combine_chunks()
        hits = [profile.matched(some)[1] for profile, _ in sampled]
    most = max(hits)
    return [profile for (profile, _), count in zip(sampled, hits, strict=True) if 0 < most <= 2 * count]


def _mostly_unique(values: pa.ChunkedArray) -> bool:
    return bool(pc.count_distinct(values).as_py() >= _MOSTLY * len(values) > 0)


def _by_name(profiles: Sequence[Profile]) -> Choice | None:
    """By the column's name; of several the one with values in most rows."""
    for pattern, share in _ID_NAMES:
        named = [each for each in profiles if pattern.fullmatch(each.name) and each.tells_apart(share)]
        if named:
            best = max(named, key=lambda profile: profile.filled)
            why = f"{best.name}: called like an id, with {best.distinct:,} different values in {best.rows:,} rows"
            return Choice(best.name, why)
    return None


def _by_values(profiles: Sequence[Profile]) -> Choice | None:
    """By values that are all there and all different."""
    for profile in profiles:
        if profile.filled == len(profile.values) == profile.distinct:
            why = f"{profile.name}: the first column whose {profile.rows:,} values are all different"
            return Choice(profile.name, why)
    return None


def _looks_like_images(column: pa.ChunkedArray) -> bool:
    sample = _sample(column)
    matching = pc.sum(pc.match_substring_regex(sample, _IMAGE_VALUE)).as_py() or 0
    return bool(2 * matching >= len(sample) > 0)


def _sample(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Some values from all over, no nulls."""
    filled = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    chosen = np.linspace(0, len(filled) - 1, min(len(filled), _SAMPLE_ROWS)).astype(np.int64)
    return values.take(pa.array(filled[chosen]))
