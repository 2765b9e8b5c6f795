"""The nearest of vectors, against all of them compared in float64."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixlake.search import quantized, ranking
from pixlake.search.chosen import Chosen
from pixlake.search.quantized import Codes, Floats, Query, encode
from pixlake.search.ranking import Hit, Part, Places, find_distinct, find_nearest
from tests.builders.examples import examples

FACTS = pa.schema([(name, pa.string()) for name in ("image_path", "record_id", "experiment_id", "image_uri")])


@dataclass(frozen=True)
class Batch:
    """Vectors in memory; `read_places` tells what was compared exactly."""

    codes: Codes
    facts: pa.RecordBatch
    vectors: Floats
    read_places: list[Places]

    def read(self, places: Places) -> Floats:
        self.read_places.append(places)
        found: Floats = self.vectors[places]
        return found


def batches_of(vectors: Floats, size: int, dead: Sequence[int] = ()) -> list[Part]:
    """Rows are named by their numbers, in two experiments; those of `dead` may not be found."""
    parts = []
    for start in range(0, len(vectors), size):
        some = vectors[start : start + size]
        rows = [
            {"image_path": f"{row:05d}", "record_id": None, "experiment_id": f"e{row % 2}", "image_uri": "file:///x"}
            for row in range(start, start + len(some))
        ]
        alive = np.array([place for place in range(len(some)) if start + place not in dead], np.intp)
        batch = Batch(encode(some), pa.RecordBatch.from_pylist(rows, FACTS), some, [])
        parts.append(Part(batch, alive if dead else None))
    return parts


def crowded(seed: int, count: int, dimensions: int = 6) -> Floats:
    """Vectors of which many are near others, or the same, or opposite; most of unit length."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(max(1, count // 4), dimensions))
    spread = random.choice([0, 1e-7, 1e-3, 0.2, 1], size=(count, 1))
    points = centers[random.integers(len(centers), size=count)] + spread * random.normal(size=(count, dimensions))
    points *= random.choice([-1, 1], size=(count, 1))
    unit: Floats = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return unit * random.choice([1, 1, 1, 1e-20, 1e-32, 0, 1e6], size=(count, 1)).astype(np.float32)


def compare_all(vectors: Floats, rows: Sequence[int], query: Floats, count: int) -> list[tuple[float, int]]:
    """Scores and numbers of the best, ties by experiment and path."""
    scores = np.einsum("ij,j->i", vectors.astype(np.float64), query.astype(np.float64)).tolist()
    best = sorted(rows, key=lambda row: (-scores[row], f"e{row % 2}", row))[:count]
    return [(scores[row], row) for row in best]


def shown(hits: list[Hit]) -> list[tuple[float, int]]:
    return [(hit.score, int(hit.image_path)) for hit in hits]


@examples(100)
@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(1, 300), st.integers(1, 40), st.integers(1, 70))
def test_the_nearest_are_those_of_comparing_all_in_float64(
    seed: int, total: int, dimensions: int, count: int, size: int
) -> None:
    vectors = crowded(seed, total, dimensions)
    for query in (vectors[0], -vectors[-1], crowded(seed + 1, 1, dimensions)[0]):
        found = find_nearest(batches_of(vectors, size), query, count)
        assert shown(found) == compare_all(vectors, range(total), query, count)


def test_threads_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "_ALONE", 0)
    for seed in range(20):
        vectors = crowded(seed, 200)
        found = find_nearest(batches_of(vectors, 30), vectors[seed], 15)
        assert shown(found) == compare_all(vectors, range(200), vectors[seed], 15)


def test_ties_are_sorted_by_experiment_and_path() -> None:
    vectors = np.repeat(crowded(3, 1), 40, axis=0)
    found = find_nearest(batches_of(vectors, 7), vectors[0], 25)
    assert [int(hit.image_path) for hit in found] == [*range(0, 40, 2), *range(1, 10, 2)]


@examples(60)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 80), st.sets(st.integers(0, 59), min_size=1))
def test_rows_that_may_not_be_found_are_not(seed: int, total: int, count: int, dead: set[int]) -> None:
    vectors = crowded(seed, total)
    alive = [row for row in range(total) if row not in dead]
    found = shown(find_nearest(batches_of(vectors, 7, [*dead]), vectors[0], count))
    assert found == compare_all(vectors, alive, vectors[0], count)


@examples(100)
@given(
    st.integers(0, 2**32),
    st.integers(1, 120),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(0, 119), st.integers(1, 30), st.integers(1, 6)), max_size=4),
)
def test_the_nearest_of_some_rows_are_exact_whether_scattered_or_in_runs(
    seed: int, total: int, count: int, runs: list[tuple[int, int, int]]
) -> None:
    vectors = crowded(seed, total)
    rows = sorted({row for start, length, step in runs for row in range(start, start + length, step) if row < total})
    dead = [row for row in range(total) if row not in rows]
    for query in (vectors[0], crowded(seed + 1, 1)[0]):
        found = shown(find_nearest(batches_of(vectors, 50, dead), query, count))
        assert found == compare_all(vectors, rows, query, count)


@pytest.mark.parametrize("rows", [range(300, 700), range(100, 900, 100), [0, 999], []])
def test_of_a_few_rows_only_the_codes_around_them_are_scanned(rows: Sequence[int]) -> None:
    vectors = crowded(7, 1_000)
    asked: list[int] = []

    class Watched(Query):
        def bound(self, codes: Codes) -> tuple[Floats, Floats]:
            asked.append(len(codes.values))
            return super().bound(codes)

    dead = sorted(set(range(1_000)) - set(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "Query", Watched)
        find_nearest(batches_of(vectors, 1_000, dead), vectors[0], 3)
    assert sum(asked) == len(rows)


def test_of_many_vectors_few_are_compared_exactly() -> None:
    random = np.random.default_rng(5)
    vectors = random.normal(size=(20_000, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    parts = batches_of(vectors, 5_000)
    find_nearest(parts, vectors[0], 10)
    compared = [len(places) for part in parts if isinstance(part.block, Batch) for places in part.block.read_places]
    assert 10 <= sum(compared) < 400


def test_a_vector_that_is_no_number_is_never_found() -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[1, 2], vectors[2, 0] = np.nan, np.inf
    assert [int(hit.image_path) for hit in find_nearest(batches_of(vectors, 3), vectors[0], 4)] == [0, 3]


@examples(100)
@given(st.integers(0, 2**32), st.integers(1, 100), st.integers(1, 2_000))
def test_a_dot_product_is_within_its_bounds(seed: int, total: int, dimensions: int) -> None:
    vectors = crowded(seed, total, dimensions)
    for vector in (vectors[0], crowded(seed + 1, 1, dimensions)[0]):
        query = Query.of(vector)
        low, high = query.bound(encode(vectors))
        exact = vectors.astype(np.float64) @ vector.astype(np.float64)
        assert (low <= exact).all()
        assert (exact <= high).all()


def test_vectors_are_encoded_alike_in_any_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = crowded(1, 50)
    whole = encode(vectors)
    monkeypatch.setattr(quantized, "_CHUNK", 7)
    parts = encode(vectors)
    for name in ("values", "scales", "lengths", "residuals"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


# ---- distinct -----------------------------------------------------------------------------------------------------


def unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    found: Floats = (vectors / np.where(lengths, lengths, 1)).astype(np.float32)
    return found


def greedy(vectors: NDArray[np.float64], query: Floats, count: int, threshold: float) -> list[int]:
    """Row by row, best first: each that is apart from all that were taken before it."""
    taken: list[int] = []
    for row in sorted(range(len(vectors)), key=lambda row: (-float(vectors[row] @ query), f"e{row % 2}", row)):
        if all(vectors[row] @ vectors[other] < threshold for other in taken):
            taken.append(row)
    return taken[:count]


@examples(60)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 12), st.sampled_from([0.5, 0.9, 0.999]))
def test_distinct_hits_are_those_taken_one_by_one(seed: int, total: int, count: int, threshold: float) -> None:
    vectors = unit(crowded(seed, total))
    query = vectors[0]
    found = [row for _, row in shown(find_distinct(batches_of(vectors, 7), query, count, threshold))]
    expected = greedy(vectors.astype(np.float64), query, count, threshold)
    assert len(found) == len(expected)
    # which of two equals comes first depends on how a product of several rows is rounded
    np.testing.assert_allclose(vectors[found] @ query, vectors[expected] @ query, atol=1e-5)
    for place, row in enumerate(found):
        assert all(vectors[row] @ vectors[other] < threshold + 1e-6 for other in found[:place])


def test_a_path_of_another_experiment_is_not_chosen() -> None:
    images = pa.RecordBatch.from_pylist([{"experiment_id": "e1", "image_path": "00000"}])
    (part,) = batches_of(crowded(1, 10), 10)
    assert not Chosen.of([images]).mark(part.block.facts).true_count
    assert not Chosen.of([]).mark(part.block.facts).true_count
