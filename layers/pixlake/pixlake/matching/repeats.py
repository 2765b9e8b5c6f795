"""Tables of one row an image: the id is repeated, and the rows of an id differ in nothing but the image they name."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixlake.matching.kinds import called_like_kind
from pixlake.matching.pieces import whole
from pixlake.matching.profiles import NEARLY, Profile, called_like_key
from pixlake.matching.records import Records, select_records

_IMAGES_A_RECORD = 10  # on the average; what is repeated more often is a kind of things, and no thing
_PLACE = re.compile(r".*(position|order|sort|seq|sequence|index|rank|no|nr|num|number)\.?", re.I)


def agreeing(columns: Iterable[pa.ChunkedArray], records: Records) -> NDArray[np.bool_]:
    """For each repeated row whether it says nothing in `columns` that the first row of its id does not say."""
    same = np.ones(len(records.repeated), dtype=bool)
    for column in columns if len(same) else ():
        same &= ~_differs(column, records)
    return same


def differences(columns: pa.Table, records: Records) -> list[list[str]]:
    """For each repeated row the columns in which it says what the first row of its id does not say."""
    listed: list[list[str]] = [[] for _ in records.repeated]
    for name in columns.column_names if listed else ():
        for row in np.flatnonzero(_differs(columns[name], records)).tolist():
            listed[row].append(name)
    return listed


def _differs(column: pa.ChunkedArray, records: Records) -> NDArray[np.bool_]:
    """A row without a value says nothing."""
    values, others = (column.take(pa.array(rows)) for rows in (records.repeated, records.firsts))
    differs: NDArray[np.bool_] = pc.and_(values.is_valid(), pc.fill_null(pc.not_equal(values, others), True)).to_numpy()
    return differs


def counts_images(profile: Profile, records: Records) -> bool:
    """Whether the column is called like a place and counts the rows of each id, from 0 or 1."""
    if not len(records.repeated) or not _PLACE.fullmatch(profile.name):
        return False
    values, firsts = (profile.values.take(pa.array(rows)) for rows in (records.repeated, records.firsts))
    return any(_counted(values, firsts, _places(records), start) for start in (0, 1))


def _counted(values: pa.ChunkedArray, firsts: pa.ChunkedArray, places: NDArray[np.int64], start: int) -> bool:
    follows = pc.equal(values, pc.cast(pa.array(places + start), pa.string()))
    fits = pc.and_(pc.equal(firsts, str(start)), follows)
    return bool(pc.mean(pc.fill_null(fits, False)).as_py() >= NEARLY)


def _places(records: Records) -> NDArray[np.int64]:
    """For each repeated row how many rows of its id are before it."""
    order = np.argsort(records.firsts, kind="stable")
    ids = records.firsts[order]
    places = np.empty(len(ids), dtype=np.int64)
    places[order] = 1 + np.arange(len(ids)) - np.searchsorted(ids, ids)
    return places


def find_repeated(things: Sequence[Profile], images: Profile) -> tuple[Profile, int] | None:
    """The column that is the id of a table of one row an image, with how many different ids it has: called like a key,
    filled, repeated, and with rows that agree in the other `things`."""
    for profile in sorted(filter(_may_repeat, things), key=lambda each: called_like_key(each.name) or 0):
        if profile.distinct >= images.distinct:
            continue
        records = select_records(whole(profile.values))
        others = (each for each in things if each is not profile and not counts_images(each, records))
        same = agreeing((each.values for each in others), records)
        if same.mean() >= NEARLY:
            return profile, len(records.ids)
    return None


def _may_repeat(profile: Profile) -> bool:
    return (
        called_like_key(profile.name) is not None
        and not called_like_kind(profile.name)
        and profile.filled >= NEARLY * profile.rows
        and profile.distinct < profile.filled <= _IMAGES_A_RECORD * profile.distinct
    )
