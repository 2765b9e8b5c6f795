import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.errors import BadRequest, CatalogError
from pixlake.pages import plane
from pixlake.pages.plane import project
from pixlake.search.quantized import Floats
from tests.builders.examples import examples


def draw(seed: int, count: int, dimensions: int) -> Floats:
    """Vectors that spread most along a first direction, less along a second, and little else."""
    random = np.random.default_rng(seed)
    spread = np.array([5.0, 2.0, *[0.1] * dimensions])[:dimensions]
    turned, _ = np.linalg.qr(random.normal(size=(dimensions, dimensions)))
    drawn: Floats = ((random.normal(size=(count, dimensions)) * spread) @ turned.T + 3).astype(np.float32)
    return drawn


@examples(30)
@given(st.integers(0, 2**32), st.integers(3, 60), st.integers(2, 30))
def test_places_are_those_of_the_singular_vectors(seed: int, count: int, dimensions: int) -> None:
    vectors = draw(seed, count, dimensions)
    method, places = project(vectors, "pca")
    centered = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    u, values, _ = np.linalg.svd(centered, full_matrices=False)
    expected = (u * values)[:, :2]
    expected *= np.sign((expected * places).sum(axis=0))
    assert method == "pca"
    np.testing.assert_allclose(places, expected, atol=1e-3 * values[0])


def test_the_same_vectors_have_the_same_places_in_any_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = draw(3, 50, 8)
    _, whole = project(vectors)
    monkeypatch.setattr(plane, "_CHUNK", 7)
    np.testing.assert_allclose(project(vectors)[1], whole, atol=1e-4)


def test_a_direction_has_one_sign_whatever_the_order_of_vectors() -> None:
    vectors = draw(5, 40, 6)
    np.testing.assert_allclose(project(vectors[::-1].copy())[1][::-1], project(vectors)[1], atol=1e-4)


@pytest.mark.parametrize("vectors", [np.ones((5, 4), np.float32), np.arange(4, dtype=np.float32)[:, None]])
def test_equal_vectors_and_those_of_one_dimension_have_places(vectors: Floats) -> None:
    _, places = project(vectors)
    assert places.shape == (len(vectors), 2)
    assert np.isfinite(places).all()


def test_a_vector_that_is_no_number_is_refused() -> None:
    vectors = draw(1, 5, 4)
    vectors[3, 2] = np.nan
    with pytest.raises(CatalogError, match="no number"):
        project(vectors)


def test_umap_that_is_not_installed_says_how_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane, "find_spec", lambda _: None)
    with pytest.raises(BadRequest, match=r"pip install umap-learn.*--method pca"):
        project(draw(1, 5, 4), "umap")
    assert project(draw(1, 5, 4), "auto")[0] == "pca"


UMAP = """
class UMAP:
    def __init__(self, **given): self.given = given
    def fit_transform(self, vectors):
        assert self.given["random_state"] == 0 and self.given["n_neighbors"] < len(vectors), self.given
        return vectors[:, :2].astype("float64")
"""


@pytest.mark.parametrize("count", [3, 40])
def test_umap_is_taken_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    (tmp_path / "umap.py").write_text(UMAP)
    monkeypatch.syspath_prepend(tmp_path)
    vectors = draw(1, count, 4)
    method, places = project(vectors)
    monkeypatch.delitem(sys.modules, "umap")
    assert method == "umap"
    np.testing.assert_array_equal(places, vectors[:, :2])
    assert project(vectors, "pca")[0] == "pca"
