"""Groups of near-duplicates, against every pair compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixlake.search import duplicates
from pixlake.search.duplicates import find_groups, find_pairs
from tests.builders.examples import examples


def clustered(seed: int, count: int, dimensions: int, noise: float) -> NDArray[np.float32]:
    """Unit vectors about a third as many centers."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(max(1, count // 3), dimensions))
    points = centers[random.integers(len(centers), size=count)] + noise * random.normal(size=(count, dimensions))
    unit: NDArray[np.float32] = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return unit


def pairs(vectors: NDArray[np.float32], threshold: float) -> set[tuple[int, int]]:
    found = [
        (min(pair), max(pair))
        for first, second in find_pairs(vectors, threshold)
        for pair in zip(first.tolist(), second.tolist(), strict=True)
    ]
    assert len(found) == len(set(found)), "each pair once"
    return set(found)


@examples(40)
@given(
    st.integers(0, 2**32),
    st.integers(0, 60),
    st.sampled_from([2, 3, 40, 64]),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.sampled_from([0.5, 0.9, 0.99]),
)
def test_the_pairs_are_those_of_all_pairs(
    seed: int, count: int, dimensions: int, noise: float, threshold: float
) -> None:
    vectors = clustered(seed, count, dimensions, noise)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", 4)
        found = pairs(vectors, threshold)
    cosines = np.einsum("id,jd->ij", vectors, vectors, dtype=np.float64)
    expected = zip(*np.nonzero(np.triu(cosines >= threshold, 1)), strict=True)
    near = zip(*np.nonzero(np.triu(np.abs(cosines - threshold) < 1e-7, 1)), strict=True)
    assert found ^ {(int(one), int(other)) for one, other in expected} <= {(int(a), int(b)) for a, b in near}


@examples(40)
@given(st.integers(0, 2**32), st.integers(0, 60), st.sampled_from([0.0, 0.05]), st.sampled_from([0.5, 0.99]))
def test_the_groups_are_the_components_of_all_pairs(seed: int, count: int, noise: float, threshold: float) -> None:
    vectors = clustered(seed, count, 3, noise)
    groups = {row: {row} for row in range(count)}
    for one, other in pairs(vectors, threshold):
        groups[one] |= groups[other]
        for row in groups[one]:
            groups[row] = groups[one]
    expected = sorted({tuple(sorted(group)) for group in groups.values() if len(group) > 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", 4)
        assert find_groups(vectors, threshold) == [list(group) for group in expected]


def test_many_that_are_nearly_the_same_are_one_group() -> None:
    vectors = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (1_500, 1))
    vectors[:, 0] += np.linspace(0, 1e-3, 1_500, dtype=np.float32)
    assert find_groups(vectors, 0.99) == [list(range(1_500))]


def test_what_is_linked_by_others_is_one_group() -> None:
    angles = np.radians([0, 90, 8, 200, 16, 91])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert find_groups(vectors, float(np.cos(np.radians(10)))) == [[0, 2, 4], [1, 5]]
    assert find_groups(vectors, float(np.cos(np.radians(0.5)))) == []


def test_the_same_vector_many_times_is_one_group() -> None:
    vectors = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (100_000, 1))
    assert find_groups(vectors, 0.99) == [list(range(100_000))]
    assert find_groups(vectors[:1], 0.99) == find_groups(vectors[:0], 0.99) == []
