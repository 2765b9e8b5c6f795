"""Counts for the page's plots and reject list, one batch of rows at a time: they grow with the kinds of rows, not with
their number.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.rejects import Reject

SCORE_BINS = 20
_EXACT_SIZES = 500
_STEPS_PER_OCTAVE = 4
_VALUE_SAMPLE = 20_000
_FIRST_REJECTS = 10


@dataclass
class PredictionTally:
    """Labels, scores by modality (`SCORE_BINS` equal bins of 0 to 1), and the first regression values."""

    labels: Counter[str] = field(default_factory=Counter)
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    rows: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count one batch with the columns label, score, value and modality."""
        self.rows += batch.num_rows
        for entry in batch.column("label").drop_null().value_counts():
            self.labels[entry["values"].as_py()] += entry["counts"].as_py()
        for modality in pc.unique(batch.column("modality")).to_pylist():
            rows = batch.filter(pc.equal(batch.column("modality"), modality))
            scores = rows.column("score").drop_null().to_numpy(zero_copy_only=False)
            counts = np.histogram(scores[np.isfinite(scores)], bins=SCORE_BINS, range=(0.0, 1.0))[0]
            self.scores[modality] = self.scores.get(modality, np.zeros(SCORE_BINS, np.int64)) + counts
        room = _VALUE_SAMPLE - len(self.values)
        values = batch.column("value").drop_null()[:room].to_numpy(zero_copy_only=False)
        self.values.extend(values[np.isfinite(values)].tolist())


@dataclass
class SizeTally:
    """Images by width and height in pixels: exact while there are few sizes, else by quarters of an octave."""

    cells: Counter[tuple[int, int]] = field(default_factory=Counter)
    rows: int = 0
    smallest: tuple[int, ...] = ()
    largest: tuple[int, ...] = ()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count one batch with the columns width and height."""
        if not batch.num_rows:
            return
        self.rows += batch.num_rows
        pairs = np.stack([batch.column(name).to_numpy(zero_copy_only=False) for name in ("width", "height")], axis=1)
        extremes = np.concatenate([pairs, *(np.array([each]) for each in (self.smallest, self.largest) if each)])
        self.smallest, self.largest = tuple(extremes.min(axis=0).tolist()), tuple(extremes.max(axis=0).tolist())
        cells, counts = np.unique(pairs, axis=0, return_counts=True)
        for (width, height), count in zip(cells.tolist(), counts.tolist(), strict=True):
            self.cells[width, height] += count
        if len(self.cells) > _EXACT_SIZES:
            self._coarsen()

    @property
    def extent(self) -> str:
        """The range of widths and heights, in words; empty without images."""
        if not self.rows:
            return ""
        (narrow, low), (wide, high) = self.smallest, self.largest
        if (narrow, low) == (wide, high):
            return f"all {wide:,} × {high:,}"
        return f"{narrow:,} to {wide:,} wide, {low:,} to {high:,} high"

    def _coarsen(self) -> None:
        cells: Counter[tuple[int, int]] = Counter()
        for (width, height), count in self.cells.items():
            cells[_rounded(width), _rounded(height)] += count
        self.cells = cells


def _rounded(pixels: int) -> int:
    steps = round(math.log2(max(pixels, 1)) * _STEPS_PER_OCTAVE)
    return round(2 ** (steps / _STEPS_PER_OCTAVE))


@dataclass
class RejectGroup:
    """The rejects of one reason: their number, by stage, and the first few."""

    reason: str
    stages: Counter[str] = field(default_factory=Counter)
    first: list[Reject] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.stages.total()


def group_rejects(rejects: Iterable[Reject]) -> list[RejectGroup]:
    """Groups by reason, the largest first."""
    groups: dict[str, RejectGroup] = {}
    for reject in rejects:
        group = groups.setdefault(reject.reason, RejectGroup(reject.reason))
        group.stages[reject.stage] += 1
        if len(group.first) < _FIRST_REJECTS:
            group.first.append(reject)
    return sorted(groups.values(), key=lambda group: (-group.count, group.reason))


def count_reasons(groups: Iterable[RejectGroup], most: int = 3) -> dict[str, int]:
    """The most frequent reasons, with their numbers."""
    return dict(Counter({group.reason: group.count for group in groups}).most_common(most))
