"""The split into rows to learn from, to choose the best epoch by, and held out: stratified, by a seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.values import read_number
from pixlake.errors import BadTable

Problem = Literal["binary", "multiclass", "regression"]
Rows = NDArray[np.int64]
LEAST_ROWS = 30
_LEAST_OF_CLASS = 5  # one to hold out, one to choose by, and a few to learn from
_MOST_CLASSES_OF_NUMBERS = 20
_VALIDATION = 0.15


@dataclass(frozen=True)
class Parts:
    """Disjoint rows of the records; `left_out` counts the rows of each label with too few of them."""

    problem: Problem
    learning: Rows
    validation: Rows
    heldout: Rows
    left_out: dict[str, int]


def find_problem(labels: Sequence[str]) -> Problem:
    """A regression for many different numbers, else a classification."""
    distinct = set(labels)
    numbers = all(read_number(each) is not None for each in distinct)
    if numbers and len(distinct) > _MOST_CLASSES_OF_NUMBERS:
        return "regression"
    return "binary" if len(distinct) == 2 else "multiclass"


def divide(labels: Sequence[str], problem: Problem | None, holdout: float, seed: int) -> Parts:
    """Draw the parts, each class in its share. BadTable for too few labels or rows."""
    problem = problem or find_problem(labels)
    counts = Counter(labels)
    rare = {} if problem == "regression" else {each: n for each, n in counts.items() if n < _LEAST_OF_CLASS}
    rows = np.array([row for row, label in enumerate(labels) if label not in rare], dtype=np.int64)
    _check(problem, [labels[row] for row in rows], rare)
    classes = np.zeros(len(rows)) if problem == "regression" else np.array([labels[row] for row in rows])
    random = np.random.default_rng(seed)
    rest, heldout = _draw(rows, classes, holdout, random)
    known = dict(zip(rows.tolist(), classes.tolist(), strict=True))
    learning, validation = _draw(rest, np.array([known[row] for row in rest.tolist()]), _VALIDATION, random)
    return Parts(problem, learning, validation, heldout, rare)


def _check(problem: Problem, labels: Sequence[str], rare: dict[str, int]) -> None:
    kinds = set(labels)
    if problem == "regression":
        if strange := sorted(each for each in kinds if read_number(each) is None):
            raise BadTable(f"a regression needs numbers, and the label has {strange[0]!r}")
    elif len(kinds) < 2:
        found = f"only {kinds.pop()!r}" if kinds else "none"
        few = f"; of {len(rare)} others there are fewer than {_LEAST_OF_CLASS} rows each" if rare else ""
        raise BadTable(f"there must be two labels at least to tell apart, and there is {found}{few}")
    elif problem == "binary" and len(kinds) > 2:
        raise BadTable(f"a binary problem has two labels, not {len(kinds)}: {', '.join(sorted(kinds)[:5])}, …")
    if len(labels) < LEAST_ROWS:
        raise BadTable(f"{len(labels)} labelled rows are too few to learn and evaluate: {LEAST_ROWS} at least")


def _draw(rows: Rows, classes: NDArray[np.generic], share: float, random: np.random.Generator) -> tuple[Rows, Rows]:
    """(left, drawn), sorted; of each class its share, at least one."""
    drawn = []
    for each in np.unique(classes):
        mixed = random.permutation(rows[classes == each])
        drawn.append(mixed[: max(1, round(share * len(mixed)))])
    chosen = np.sort(np.concatenate(drawn))
    return np.setdiff1d(rows, chosen), chosen
