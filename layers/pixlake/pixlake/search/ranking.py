"""The vectors nearest to a query, exactly: bounds from codes leave few candidates, whose scores are then computed.

Ties are sorted by experiment and path, so the answer is that of comparing every vector in float64.
"""

import heapq
import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixlake.cores import available_cores
from pixlake.search.quantized import Codes, Floats, Query

_CANDIDATES = 2_048  # compared at once
_FEW = 0.25
"""The share of a span of vectors below which theirs are copied together, in place of comparing the span."""
_ALONE = 50_000  # rows that one thread scans as fast as several
# candidates for each hit, of which near-duplicates are left out
_SPARE = 4

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Hit:
    """An image with its cosine to the query, between -1 and 1."""

    image_path: str
    score: float
    record_id: str | None
    experiment_id: str
    image_uri: str


class Block(Protocol):
    """Vectors with their codes and their images, row by row."""

    @property
    def codes(self) -> Codes: ...

    @property
    def facts(self) -> pa.RecordBatch:
        """With the columns of `Hit` but its score."""
        ...

    def read(self, places: Places) -> Floats:
        """The vectors of some rows, float32 `[n, d]`."""
        ...


@dataclass(frozen=True)
class Part:
    """A block, and which of its rows may be found, in ascending order; None for all."""

    block: Block
    places: Places | None = None

    @property
    def size(self) -> int:
        """How many rows may be found."""
        return len(self.block.codes.values if self.places is None else self.places)


def find_nearest(parts: Sequence[Part], vector: Floats, count: int) -> list[Hit]:
    """The `count` images with the greatest dot product with `vector`, float32 `[d]`, best first."""
    return [hit for hit, _ in _find(parts, Query.of(vector), count)]


def find_distinct(parts: Sequence[Part], vector: Floats, count: int, threshold: float) -> list[Hit]:
    """The same without an image whose dot product with a better one is at least `threshold`, which is below 1."""
    query, asked = Query.of(vector), _SPARE * count
    while True:
        found = _find(parts, query, asked)
        distinct = _leave_out(found, threshold, count)
        if len(distinct) == count or len(found) < asked:
            return distinct
        asked *= _SPARE


def _leave_out(found: list[tuple[Hit, Floats]], threshold: float, count: int) -> list[Hit]:
    kept: list[tuple[Hit, Floats]] = []
    for hit, vector in found:
        if len(kept) == count:
            break
        if not kept or (np.array([other for _, other in kept]) @ vector < threshold).all():
            kept.append((hit, vector))
    return [hit for hit, _ in kept]


def _find(parts: Sequence[Part], query: Query, count: int) -> list[tuple[Hit, Floats]]:
    floor = _Floor(count)
    parts = [part for part in parts if part.size]
    if sum(part.size for part in parts) > _ALONE and len(parts) > 1:
        with ThreadPoolExecutor(min(available_cores(), len(parts))) as pool:
            scanned = list(pool.map(lambda part: _scan(part, query, floor), parts))
    else:
        scanned = [_scan(part, query, floor) for part in parts]
    best: list[tuple[Hit, Floats]] = []
    promising = sorted(zip(parts, scanned, strict=True), key=lambda each: -each[1][1].max(initial=-np.inf))
    for part, (places, high) in promising:
        # in float64, where no score is rounded to more than it is
        least = max(float(floor.value), best[-1][0].score if len(best) == count else -math.inf)
        for candidates in _cut(places[high >= np.float64(least)]):
            best = heapq.nsmallest(count, [*best, *_score(part.block, candidates, query, best, count)], key=_order)
    return best


class _Floor:
    """What the last of the best scores is at least, as far as bounds tell; for several threads."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._best = np.empty(0, np.float32)
        self._turn = threading.Lock()
        self.value = np.float32(-np.inf)

    def raise_by(self, low: Floats) -> None:
        """Take account of vectors whose scores are at least `low`."""
        some = low[low > self.value]
        with self._turn:
            best = np.concatenate([self._best, some])
            if len(best) >= self._count:
                best = np.partition(best, len(best) - self._count)[-self._count :]
                self.value = max(self.value, best[0])
            self._best = best


def _scan(part: Part, query: Query, floor: _Floor) -> tuple[Places, Floats]:
    """The rows that may be among the best so far, with what their scores are at most."""
    low, high = _bound(part.block.codes, part.places, query)
    floor.raise_by(low)
    possible = np.flatnonzero(high >= floor.value)
    return possible if part.places is None else part.places[possible], high[possible]


def _bound(codes: Codes, places: Places | None, query: Query) -> tuple[Floats, Floats]:
    """What the scores of some rows are at least and at most; where they lie close together, of the span compared as it
    lies."""
    if places is None or not len(places):
        return query.bound(codes if places is None else codes.take(places))
    first, end = int(places[0]), int(places[-1]) + 1
    if len(places) < _FEW * (end - first):
        return query.bound(codes.take(places))
    low, high = query.bound(codes.cut(first, end))
    return low[places - first], high[places - first]


def _cut(places: Places) -> Iterator[Places]:
    return (places[start : start + _CANDIDATES] for start in range(0, len(places), _CANDIDATES))


def _score(
    block: Block, places: Places, query: Query, best: list[tuple[Hit, Floats]], count: int
) -> Iterator[tuple[Hit, Floats]]:
    """The candidates that are not worse than the best so far."""
    vectors = block.read(places)
    scores = query.score(vectors)
    least = best[-1][0].score if len(best) == count else -np.inf
    if len(scores) > count:
        least = max(least, float(np.partition(scores, len(scores) - count)[-count]))
    good = np.flatnonzero(scores >= least)
    shown = block.facts.select(["image_path", "record_id", "experiment_id", "image_uri"])
    rows = shown.take(pa.array(places[good])).to_pylist()
    for place, row in zip(good.tolist(), rows, strict=True):
        yield Hit(score=float(scores[place]), **row), vectors[place]


def _order(found: tuple[Hit, Floats]) -> tuple[float, str, str]:
    hit, _ = found
    return -hit.score, hit.experiment_id, hit.image_path
