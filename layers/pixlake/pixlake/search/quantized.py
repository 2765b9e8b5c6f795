"""Vectors as int8 codes, with bounds that their dot products with a query cannot leave.

A vector is v = s·c + r with a code c of integers from -127 to 127, a scale s and a residual r; a query is q = t·u + p
alike. So v·q = s·t·(c·u) + (s·c)·p + r·q, and by Cauchy-Schwarz v·q is at most |s·c||p| + |r||q| from
s·t·(c·u).
"""

from dataclasses import dataclass

import numpy as np
import simsimd
from numpy.typing import NDArray

_LARGEST = 127
_CHUNK = 2_048  # vectors: what stays in a processor's cache
_SMALLEST = 1e-30
"""A vector without a greater value has a code of zeros."""
# of float32 products and sums of these, in relation to |v||q|
_ROUNDING = 1e-6
_UNDERFLOW = 1e-36
"""More than is lost where products are too small for float32."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Codes:
    """Of n vectors of d dimensions: `values` int8 `[n, d]`; `scales`, `lengths` (of scale times code) and `residuals`
    (the lengths of what codes leave out) float32 `[n]`. A vector with a value that is not finite has NaN there.
    """

    values: NDArray[np.int8]
    scales: Floats
    lengths: Floats
    residuals: Floats

    def take(self, places: NDArray[np.intp]) -> "Codes":
        """Those of some of the vectors."""
        return Codes(self.values[places], self.scales[places], self.lengths[places], self.residuals[places])

    def cut(self, first: int, end: int) -> "Codes":
        """Those of the vectors from `first` to before `end`, not copied."""
        span = slice(first, end)
        return Codes(self.values[span], self.scales[span], self.lengths[span], self.residuals[span])


def encode(vectors: Floats) -> Codes:
    """The codes of float32 vectors, `[n, d]`."""
    codes = Codes(np.empty(vectors.shape, np.int8), *(np.empty(len(vectors), np.float32) for _ in range(3)))
    for start in range(0, len(vectors), _CHUNK):
        _encode(vectors[start : start + _CHUNK], codes, slice(start, start + _CHUNK))
    return codes


def _encode(vectors: Floats, codes: Codes, place: slice) -> None:
    largest = np.abs(vectors).max(axis=1, initial=0)
    finite, coded = np.isfinite(largest), largest > _SMALLEST
    scales: Floats = np.where(finite & coded, largest / np.float32(_LARGEST), np.float32(1)).astype(
        np.float32, copy=False
    )
    # in units of the scale, where no square underflows
    scaled: Floats = (
        np.where((finite & coded)[:, None], vectors, np.float32(0)).astype(np.float32, copy=False) / scales[:, None]
    )
    values: Floats = np.rint(scaled)
    left_out = np.where(coded, scales * _lengths(scaled - values), largest * np.float32(np.sqrt(vectors.shape[1])))
    codes.values[place] = values
    codes.scales[place] = scales
    codes.lengths[place] = scales * _lengths(values)
    codes.residuals[place] = np.where(finite, left_out * np.float32(1 + 1e-5), np.nan)


def _lengths(vectors: Floats) -> Floats:
    lengths: Floats = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return lengths * np.float32(1 + 1e-5)


@dataclass(frozen=True)
class Query:
    """A vector to compare others with: `exact` is float64 `[d]`."""

    exact: NDArray[np.float64]
    codes: Codes

    @classmethod
    def of(cls, vector: Floats) -> "Query":
        """A float32 vector, `[d]`."""
        return cls(vector.astype(np.float64), encode(np.ascontiguousarray(vector[None], np.float32)))

    def bound(self, codes: Codes) -> tuple[Floats, Floats]:
        """What the dot product with each vector is at least and at most, float32 `[n]`; NaN where it is not finite."""
        if not len(codes.values):
            return codes.scales, codes.scales
        products = np.empty((1, len(codes.values)), np.float32)
        simsimd.cdist(self.codes.values, codes.values, metric="dot", out=products)
        middle = products[0] * (codes.scales * self.codes.scales[0])
        length = float(np.linalg.norm(self.exact))
        reach = codes.residuals * np.float32(length * (1 + _ROUNDING))
        reach += codes.lengths * np.float32(float(self.codes.residuals[0]) + length * _ROUNDING)
        reach += np.float32(_UNDERFLOW)
        return middle - reach, middle + reach

    def score(self, vectors: Floats) -> NDArray[np.float64]:
        """The dot product with each of float32 vectors, `[n, d]`, in float64; the same for equal vectors."""
        scores: NDArray[np.float64] = np.einsum("ij,j->i", vectors.astype(np.float64), self.exact)
        return scores
