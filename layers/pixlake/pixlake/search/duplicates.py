"""Groups of images that are nearly the same: every pair of vectors with a cosine of at least a threshold, exactly.

A million vectors make 5 x 10^11 pairs, so most are skipped by bounds that miss none:

- The vectors are ordered as by a k-d tree (Bentley 1975) over their leading principal components, and cut into blocks.
  A component is a projection, so two unit vectors a and b of cosine c are at most sqrt(2 - 2c) apart in it; two blocks
  whose boxes are further apart hold no pair.
- Rows that are equal are one: a thousand blank images have the vector of one.
- With p the components kept and r the length of the rest, a·b <= p_a·p_b + r_a r_b (Cauchy-Schwarz). Only pairs whose
bound reaches the threshold are compared in full.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_COMPONENTS = 64
_BLOCK = 1_024  # vectors
_SAMPLE = 16_384  # vectors that the components are computed from
_ROUNDING = 1e-5  # of sums of float32 products, about 1 in all

Vectors = NDArray[np.float32]
Positions = NDArray[np.intp]


def find_groups(vectors: Vectors, threshold: float) -> list[list[int]]:
    """Groups of two or more rows of `vectors` (float32 `[n, d]`, of unit length), linked by pairs with a cosine of at
    least `threshold`; each in ascending order, the groups by their first rows. `vectors` may be mapped from a file; 65
    floats a vector are in memory besides.
    """
    links = _Links(len(vectors))
    firsts = _find_firsts(vectors)
    links.join(np.arange(len(vectors)), firsts)
    for first, second in find_pairs(vectors, threshold, np.unique(firsts)):
        links.join(first, second)
    return links.groups()


def find_pairs(
    vectors: Vectors, threshold: float, rows: Positions | None = None
) -> Iterator[tuple[Positions, Positions]]:
    """The rows of each such pair, once, as two arrays of equal length; of all rows, or among these."""
    rows = np.arange(len(vectors)) if rows is None else rows
    if len(rows) < 2:
        return
    codes = _encode(vectors)
    blocks = _cut(codes[:, :-1], rows)
    low = np.array([codes[block, :-1].min(axis=0) for block in blocks])
    high = np.array([codes[block, :-1].max(axis=0) for block in blocks])
    reach = max(2 - 2 * (threshold - _ROUNDING), 0)
    for index, block in enumerate(blocks):
        gaps = np.maximum(np.maximum(low[index:] - high[index], low[index] - high[index:]), 0)
        for other in np.flatnonzero((gaps**2).sum(axis=1) <= reach) + index:
            left, right = np.nonzero(codes[block] @ codes[blocks[other]].T >= threshold - _ROUNDING)
            first, second = block[left], blocks[other][right]
            kept = first < second if other == index else np.ones(len(first), np.bool_)
            yield from _confirm(vectors, first[kept], second[kept], threshold)


def _find_firsts(vectors: Vectors) -> Positions:
    """For each row the first row that is equal to it."""
    seen: dict[int, int] = {}
    firsts = np.arange(len(vectors))
    for row, vector in enumerate(vectors):
        first = seen.setdefault(hash(vector.tobytes()), row)
        if first != row and np.array_equal(vectors[first], vector):
            firsts[row] = first
    return firsts


def _confirm(
    vectors: Vectors, first: Positions, second: Positions, threshold: float
) -> Iterator[tuple[Positions, Positions]]:
    for start in range(0, len(first), _BLOCK):
        some, others = first[start : start + _BLOCK], second[start : start + _BLOCK]
        near = np.einsum("ij,ij->i", vectors[some], vectors[others], dtype=np.float64) >= threshold
        if near.any():
            yield some[near], others[near]


def _encode(vectors: Vectors) -> Vectors:
    """Each vector's leading components, and the length of the rest."""
    sample = vectors[:: -(-len(vectors) // _SAMPLE)].astype(np.float64)
    _, directions = np.linalg.eigh(sample.T @ sample)
    leading = directions[:, ::-1][:, :_COMPONENTS].astype(np.float32)
    codes = np.empty((len(vectors), leading.shape[1] + 1), dtype=np.float32)
    for start in range(0, len(vectors), _SAMPLE):
        some = vectors[start : start + _SAMPLE]
        parts = some @ leading
        rest = np.einsum("ij,ij->i", some, some) - np.einsum("ij,ij->i", parts, parts)
        codes[start : start + len(some), :-1] = parts
        codes[start : start + len(some), -1] = np.sqrt(np.maximum(rest, 0))
    return codes


def _cut(codes: Vectors, rows: Positions) -> list[Positions]:
    """Blocks of rows, halved at the median of the component in which they differ most."""
    if len(rows) <= _BLOCK:
        return [rows]
    some = codes[rows]
    widest = int(np.argmax(some.var(axis=0)))
    middle = len(rows) // 2
    order = rows[np.argpartition(some[:, widest], middle)]
    return _cut(codes, order[:middle]) + _cut(codes, order[middle:])


class _Links:
    """Disjoint sets of rows: roots hook onto smaller roots, many at once (Shiloach and Vishkin 1982)."""

    def __init__(self, count: int) -> None:
        self._parents = np.arange(count)

    def join(self, first: Positions, second: Positions) -> None:
        while True:
            one, other = self._roots(first), self._roots(second)
            apart = one != other
            if not apart.any():
                return
            first, second = one[apart], other[apart]
            np.minimum.at(self._parents, np.maximum(first, second), np.minimum(first, second))

    def groups(self) -> list[list[int]]:
        """The sets of two or more rows."""
        found: dict[int, list[int]] = {}
        for row, root in enumerate(self._roots(np.arange(len(self._parents))).tolist()):
            if root != row:
                found.setdefault(root, [root]).append(row)
        return sorted(found.values())

    def _roots(self, rows: Positions) -> Positions:
        found: Positions = self._parents[rows]
        while ((above := self._parents[found]) != found).any():
            found = above
        self._parents[rows] = found
        return found
