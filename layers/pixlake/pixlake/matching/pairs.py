"""Two columns that tell the rows apart together, where none does alone: a firm and a year, a plate and a well."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixlake.matching.profiles import Profile

_CANDIDATES = 8  # columns; all their pairs are tried
_SAMPLE_ROWS = 1_000  # most pairs fail on these


def find_pair(profiles: Sequence[Profile]) -> tuple[str, str] | None:
    """The first two columns that look like keys, have a value in each row, and no two rows with the same of both."""
    candidates = [each for each in profiles if _may_be_half(each)][:_CANDIDATES]
    coded = {each.name: _codes(each.values) for each in candidates}
    for one, other in combinations(candidates, 2):
        first, second = coded[one.name], coded[other.name]
        if all(_apart(first[:rows], second[:rows]) for rows in (_SAMPLE_ROWS, len(first))):
            return one.name, other.name
    return None


def _may_be_half(profile: Profile) -> bool:
    whole = profile.filled == len(profile.values) == profile.rows
    return whole and profile.plainness in (0, 1) and 1 < profile.distinct < profile.rows


def _codes(values: pa.ChunkedArray) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = values.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes


def _apart(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    together = first * (int(second.max(initial=0)) + 1) + second
    return len(np.unique(together)) == len(together)
