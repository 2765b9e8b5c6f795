"""How well the nearest images agree with the labels: each image asks for the others."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VOTERS = 5
"""Neighbours that vote on an image's label, and of which one is to have it."""

Vectors = NDArray[np.float32]
Order = NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """Shares of the `images` whose nearest image (`recall_1`), or one of the first five (`recall_5`), has their label,
    and whose label the five give by a vote (`accuracy`). `frequent` is the share of the most frequent label."""

    images: int
    recall_1: float
    recall_5: float
    accuracy: float
    frequent: float


def rank_others(vectors: Vectors) -> Order:
    """`[n, n - 1]`: for each image the others, nearest first, by the cosine of unit vectors."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    order: Order = np.argsort(-likeness, axis=1, kind="stable")[:, :-1]
    return order


def agree(vectors: Vectors, labels: Sequence[str | None]) -> Agreement | None:
    """Of the images with a label that another has, too; None where there are none."""
    counts = Counter(label for label in labels if label is not None)
    known = [place for place, label in enumerate(labels) if label is not None and counts[label] > 1]
    if not known:
        return None
    named = [str(labels[place]) for place in known]
    votes = [[named[other] for other in row[:VOTERS]] for row in rank_others(vectors[known]).tolist()]
    pairs = list(zip(named, votes, strict=True))
    return Agreement(
        images=len(known),
        recall_1=_share(label == each[0] for label, each in pairs),
        recall_5=_share(label in each for label, each in pairs),
        # of a tie the nearest one's label
        accuracy=_share(label == Counter(each).most_common(1)[0][0] for label, each in pairs),
        frequent=max(Counter(named).values()) / len(named),
    )


def _share(hits: Iterable[bool]) -> float:
    return float(np.mean(list(hits)))
