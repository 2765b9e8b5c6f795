"""The nearest of vectors, against all of them compared in float64."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixlake.search.chosen import Chosen
from pixlake.search.nearest import Block, Hit, find_hits, keep
from tests.builders.examples import examples

Vectors = NDArray[np.float32]


def blocks_of(vectors: Vectors, size: int) -> list[Block]:
    rows = pa.Table.from_pylist(
        [
            {"image_path": f"{row:03d}", "record_id": None, "experiment_id": f"e{row % 2}", "image_uri": "file:///x"}
            for row in range(len(vectors))
        ]
    )
    return [(vectors[at : at + size], rows.slice(at, size)) for at in range(0, len(vectors), size)]


def crowded(seed: int, count: int) -> Vectors:
    """Unit vectors of which many are near others, or the same."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(max(1, count // 4), 6))
    spread = random.choice([0, 1e-3, 0.2, 1], size=(count, 1))
    points = centers[random.integers(len(centers), size=count)] + spread * random.normal(size=(count, 6))
    unit: Vectors = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return unit


def greedy(vectors: Vectors, rows: list[int], query: Vectors, count: int, threshold: float) -> list[int]:
    """Row by row, best first: each that is apart from all that were taken before it."""
    taken: list[int] = []
    for row in sorted(rows, key=lambda row: (-float(vectors[row] @ query), f"e{row % 2}", row)):
        if all(vectors[row] @ vectors[other] < threshold for other in taken):
            taken.append(row)
    return taken[:count]


def rows_of(hits: list[Hit]) -> list[int]:
    return [int(hit.image_path) for hit in hits]


@examples(60)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 12), st.sampled_from([0.5, 0.9, 0.999]))
def test_distinct_hits_are_those_taken_one_by_one(seed: int, total: int, count: int, threshold: float) -> None:
    vectors = crowded(seed, total)
    query = vectors[0]
    found = rows_of(find_hits(lambda: blocks_of(vectors, 7), query, count, threshold))
    expected = greedy(vectors, list(range(total)), query, count, threshold)
    assert len(found) == len(expected)
    # which of two equals comes first depends on how a product of several rows is rounded
    np.testing.assert_allclose(vectors[found] @ query, vectors[expected] @ query, atol=1e-5)
    assert len(found) == len(set(found))
    for place, row in enumerate(found):
        assert all(vectors[row] @ vectors[other] < threshold + 1e-6 for other in found[:place])


@examples(40)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 80), st.sets(st.integers(0, 59)))
def test_only_chosen_images_are_found(seed: int, total: int, count: int, wanted: set[int]) -> None:
    vectors = crowded(seed, total)
    rows = pa.RecordBatch.from_pylist(
        [{"experiment_id": f"e{row % 2}", "image_path": f"{row:03d}"} for row in wanted],
        pa.schema([("experiment_id", pa.string()), ("image_path", pa.string())]),
    )
    chosen = Chosen.of([rows])
    found = rows_of(find_hits(lambda: keep(blocks_of(vectors, 7), chosen), vectors[0], count))
    there = {row for row in wanted if row < total}
    assert set(found) <= there
    assert len(found) == min(count, len(there))


def test_a_path_of_another_experiment_is_not_chosen() -> None:
    vectors = crowded(1, 10)
    images = pa.RecordBatch.from_pylist([{"experiment_id": "e1", "image_path": "000"}])
    assert find_hits(lambda: keep(blocks_of(vectors, 3), Chosen.of([images])), vectors[0], 5) == []
    assert find_hits(lambda: keep(blocks_of(vectors, 3), Chosen.of([])), vectors[0], 5) == []
