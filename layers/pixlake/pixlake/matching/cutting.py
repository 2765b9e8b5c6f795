"""Items in order, cut into batches: as few as the limits allow, and of nearly equal work."""

import numpy as np
from numpy.typing import NDArray

MEMORY_OF_A_CORE = 1_769
"""MB for which Lambda gives a function one core."""
DECODING = 0.03
"""Seconds of a core that an image takes besides its model: reading and decoding some megapixels."""


def fitting_rows(images_per_second: float, memory: int, seconds: float) -> int:
    """How many images a function of so much memory (MB) embeds in `seconds`, at least one; `images_per_second` is what
    one core takes through the model."""
    return max(1, int(seconds * memory / MEMORY_OF_A_CORE / (1 / images_per_second + DECODING)))


def cut(sizes: NDArray[np.int64], rows: int, size: int) -> list[tuple[int, int]]:
    """Ranges (start, stop) over items of `sizes` bytes, each of at most `rows` items and `size` bytes.

    An item above `size` gets a range of its own. The number of ranges is the least possible. Each end is put where
    the work left is shared equally by the ranges left, as far as the limits before and behind it allow; an item's
    work is the larger of the shares of a batch that its row and its bytes take.
    """
    count = len(sizes)
    total = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    work = np.concatenate(([0.0], np.cumsum(np.maximum(1 / rows, sizes / size))))
    earliest = _earliest_starts(total, rows, size)
    ranges: list[tuple[int, int]] = []
    start = 0
    for left in range(len(earliest) - 1, 0, -1):
        ideal = _nearest(work, work[start] + (work[count] - work[start]) / left)
        stop = min(max(ideal, earliest[left - 1], start + 1), _furthest_stop(total, start, rows, size))
        ranges.append((start, stop))
        start = stop
    return ranges


def _nearest(work: NDArray[np.float64], wanted: float) -> int:
    after = min(int(np.searchsorted(work, wanted)), len(work) - 1)
    return after - 1 if after and wanted - work[after - 1] < work[after] - wanted else after


def _furthest_stop(total: NDArray[np.int64], start: int, rows: int, size: int) -> int:
    fitting = int(np.searchsorted(total, total[start] + size, side="right")) - 1
    return min(max(fitting, start + 1), start + rows, len(total) - 1)


def _earliest_starts(total: NDArray[np.int64], rows: int, size: int) -> list[int]:
    """At position n, the first item from which n ranges reach the end; the last position is the ranges needed."""
    starts = [len(total) - 1]
    while starts[-1] > 0:
        stop = starts[-1]
        fitting = int(np.searchsorted(total, total[stop] - size))
        starts.append(max(min(fitting, stop - 1), stop - rows, 0))
    return starts
