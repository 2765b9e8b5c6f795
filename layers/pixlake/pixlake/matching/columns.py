"""Which column holds the ids of the records, and which names images: as told, or by what names and values say.

Images are the best witnesses: the column whose values are the names of most images, or of their folders. Then a column
called like a key, then one that is complete and unique. A column that names images is an id only where no other will
do, and the index that a data frame was saved with comes last.
"""

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.errors import BadTable
from pixlake.matching.kinds import Columns
from pixlake.matching.loosely import PathNames, in_lower_case, without_zeros
from pixlake.matching.names import comparable
from pixlake.matching.pairs import find_pair
from pixlake.matching.pieces import whole
from pixlake.matching.profiles import MOSTLY, NEARLY, Profile, called_like_images, looks_like_images, sample
from pixlake.matching.references import References, read_references, settle
from pixlake.matching.repeats import find_repeated


@dataclass(frozen=True)
class Choice:
    """A column and, in one sentence, why; `by_images` where images are named by its values, `doubtful` where it was
    only the best of columns that look like no key."""

    column: str
    why: str
    by_images: bool = False
    doubtful: bool = False


def check_column(columns: Sequence[str], option: str, name: str | None) -> None:
    """BadTable if the column that an option names is not in the table."""
    if name is not None and name not in columns:
        listed, near = ", ".join(map(repr, columns)), nearest_column(name, columns)
        raise BadTable(f"{option}: there is no column {name!r}{f'; {near}' if near else ''}; the columns are {listed}")


def nearest_column(name: str, columns: Sequence[str]) -> str:
    """The column that is nearly called `name`, as a question; empty where there is none."""
    written = {_plainly(column): column for column in reversed(columns)}
    found = get_close_matches(_plainly(name), written, 1)
    return f"is {written[found[0]]!r} meant?" if found else ""


def _plainly(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def choose_id(profiles: Sequence[Profile], names: PathNames, told: str | None, image_column: str | None) -> Choice:
    """The id column. BadTable if the values tell nothing, saying what to set."""
    if told is not None:
        return Choice(told, f"{told}: set by id_column")
    if choice := next(filter(None, (way() for way in _ways(profiles, names, image_column))), None):
        chosen = next(profile for profile in profiles if profile.name == choice.column)
        counts = chosen.row_number or (chosen.counts_rows and not choice.by_images)
        return replace(choice, why=f"{choice.why}; only a row number") if counts else choice
    if pair := find_pair(profiles):
        both = f"only {pair[0]!r} and {pair[1]!r} together do: join them into one column, and name it in id_column"
        raise BadTable(f"no column tells the rows apart, {both} in pixlake.json")
    listed = ", ".join(repr(profile.name) for profile in profiles)
    raise BadTable(f"no column tells the rows apart; set id_column in pixlake.json to one of {listed}")


def choose_images(columns: pa.Table, paths: pa.Array, told: str | None) -> tuple[str, References] | None:
    """The column that names images, with what it names; None where the images tell their records by their names."""
    if told is not None:
        return told, _settled(columns, told, paths)
    found = find_images(columns, paths)
    return max(found, key=lambda each: (each[1].matched, each[1].ambiguous)) if found else None


def find_images(columns: pa.Table, paths: pa.Array) -> list[tuple[str, References]]:
    """The columns that name images, each with what it names."""
    names = columns.column_names if len(paths) else ()
    likely = [name for name in names if called_like_images(name) or looks_like_images(columns[name])]
    found = [(name, _settled(columns, name, paths)) for name in likely]
    return [each for each in found if each[1].matched or each[1].ambiguous]


def _settled(columns: pa.Table, name: str, paths: pa.Array) -> References:
    """What the column names; what several images fit is told apart by the column that names their folders."""
    references = read_references(whole(columns[name]), paths)
    return settle(references, columns.drop_columns([name]), paths) if references.ambiguous else references


def _ways(
    profiles: Sequence[Profile], names: PathNames, image_column: str | None
) -> Iterator[Callable[[], Choice | None]]:
    """How an id column is found, from the surest way to the least sure."""
    columns = Columns(profiles, image_column)
    things, pictures, index = columns.things, columns.pictures, columns.index
    picture_keys = [each for each in pictures if each.image_key and each.name != image_column]
    named = {each.name.casefold() for each in profiles}
    keys = [each for each in columns.plausible if not _answers(each.name.casefold(), named)]
    ways = [partial(_by_images, things if image_column is None else columns.plausible, names), partial(_by_name, keys)]
    yield from ways if image_column is None else reversed(ways)
    if image_column is not None:
        yield partial(_by_repeats, things, next(each for each in profiles if each.name == image_column))
    yield partial(_by_name, picture_keys, called=lambda each: each.image_key and each.tells_apart(NEARLY))
    if image_column is None:
        yield partial(_by_images, index, names, at_least=0.5)
    yield partial(_by_values, columns.plausible, columns)
    yield partial(_by_images, pictures, names)
    yield partial(_by_name, pictures, called=lambda each: each.tells_apart(NEARLY))
    yield partial(_by_values, things, columns)
    yield partial(_by_values, [*things, *pictures], columns, plain=False)
    yield partial(_by_values, index, columns, plain=False)


def _by_images(profiles: Sequence[Profile], names: PathNames, at_least: float = 0.0) -> Choice | None:
    """By the most different names of images; of columns nearly as good the one that looks most like a key."""
    found = (
        _named_by(profiles, names.keys())
        or _changed_by(without_zeros, profiles, names.keys_without_zeros())
        or _changed_by(in_lower_case, profiles, names.keys_in_lower_case())
    )
    most = max((each.different for each in found), default=0)
    least = max(NEARLY * most, at_least * len(names.keys()))
    good = [each for each in found if each.different >= least]
    if not good:
        return None
    best = max(good, key=lambda each: (_merit(each.profile), each.different, each.profile.distinct))
    name, rows = best.profile.name, best.profile.rows
    return Choice(name, f"{name}: {best.values:,} of {rows:,} values are image names", by_images=True)


@dataclass(frozen=True)
class _Named:
    """How many of a column's values are image names, and how many different ones."""

    profile: Profile
    values: int
    different: int


def _named_by(profiles: Sequence[Profile], keys: pa.Array) -> list[_Named]:
    """The columns with image names in them that tell rows apart."""
    counted = [_Named(profile, *profile.matched(keys)) for profile in _promising(profiles, keys)]
    return [each for each in counted if each.different and each.profile.tells_apart(MOSTLY)]


def _changed_by(
    change: Callable[[pa.ChunkedArray], pa.ChunkedArray], profiles: Sequence[Profile], keys: pa.Array
) -> list[_Named]:
    """The same by what values are without leading zeros, or in another case."""
    if not len(keys):
        return []
    written = {profile.name: profile for profile in profiles}
    bare = [Profile(profile.name, change(profile.values), profile.rows) for profile in profiles]
    return [replace(each, profile=written[each.profile.name]) for each in _named_by(bare, keys)]


def _merit(profile: Profile) -> tuple[int, bool]:
    rank = profile.key_name
    return -99 if rank is None else -rank, profile.complete


def _promising(profiles: Sequence[Profile], keys: pa.Array) -> Sequence[Profile]:
    """The columns whose values may be image names and tell rows apart, by samples of the ones and then of the others:
    to compare all with all takes long where there are a million of each and many columns."""
    sampled = [profile for profile in profiles if _mostly_unique(profile.sample)]
    if not sampled or not len(keys):
        return []
    together = pa.chunked_array([chunk for profile in sampled for chunk in profile.sample.chunks], pa.string())
    found = pc.is_in(comparable(pc.utf8_trim_whitespace(together)), keys).to_numpy(zero_copy_only=False)
    parts = np.split(found, np.cumsum([len(profile.sample) for profile in sampled])[:-1])
    hits = [int(part.sum()) for part in parts]
    if not any(hits):
        some = sample(pa.chunked_array([keys])).combine_chunks()
        hits = [profile.matched(some)[1] for profile in sampled]
    most = max(hits)
    return [profile for profile, count in zip(sampled, hits, strict=True) if 0 < most <= 2 * count]


def _mostly_unique(values: pa.ChunkedArray) -> bool:
    return bool(pc.count_distinct(values).as_py() >= MOSTLY * len(values) > 0)


def _by_name(
    profiles: Sequence[Profile], called: Callable[[Profile], bool] = lambda each: each.key_name is not None
) -> Choice | None:
    """By the column's name: the one most surely a key's, of several the one with values in most rows."""
    named = [each for each in profiles if called(each)]
    if not named:
        return None
    best = max(named, key=lambda each: (each.tells_apart(NEARLY), _merit(each), each.filled))
    return Choice(
        best.name, f"{best.name}: called like an id, with {best.distinct:,} different values in {best.rows:,} rows"
    )


def _answers(name: str, names: Container[str]) -> bool:
    """Whether a column's `no` is an answer and no number: beside `smoker_no` there is `smoker_yes`."""
    return name.endswith("no") and f"{name[:-2]}yes" in names


def _by_repeats(things: Sequence[Profile], images: Profile) -> Choice | None:
    """By rows that repeat an id and agree in all but the image."""
    found = find_repeated(things, images)
    if found is None:
        return None
    profile, records = found
    why = f"{profile.name}: one row an image, {profile.filled:,} rows of {records:,} different values"
    return Choice(profile.name, why)


def _by_values(profiles: Sequence[Profile], columns: Columns, plain: bool = True) -> Choice | None:
    """By values that are all there and all different; `plain` if they must be short and no measures."""
    whole = [each for each in profiles if each.complete and not (plain and each.plainness is None)]
    if not whole:
        return None
    best = min(whole, key=lambda each: 3 if each.plainness is None else each.plainness)
    why = f"{best.name}: the first column whose {best.rows:,} values are all different"
    return Choice(best.name, why, doubtful=best.rows > 0 and columns.doubtful(best, first=best is profiles[0]))
