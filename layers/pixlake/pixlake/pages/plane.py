"""Vectors in two dimensions, so that what is alike lies together.

By PCA: the covariance is summed over the vectors as they are read, and its eigenvectors are exact, so memory follows
from the dimensions alone and the same vectors always give the same map. By UMAP where `umap-learn` is installed.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from pixlake.errors import BadRequest, CatalogError
from pixlake.search.quantized import Floats

METHODS = ("auto", "pca", "umap")
_CHUNK = 8_192  # vectors in float64
_SEED = 0


def project(vectors: Floats, method: str = "auto") -> tuple[str, Floats]:
    """Of float32 vectors `[n, d]` their places `[n, 2]`, and the method that `method` stands for.

    Raises BadRequest where UMAP is asked for and not installed, CatalogError for a value that is no number.
    """
    if not all(np.isfinite(chunk).all() for chunk in _chunks(vectors)):
        raise CatalogError("a vector of the table has a value that is no number: embed the images again")
    installed = find_spec("umap") is not None
    if method == "umap" and not installed:
        raise BadRequest("umap-learn is not installed: `pip install umap-learn`, or take --method pca")
    if method == "umap" or (method == "auto" and installed):
        return "umap", _umap(vectors)
    return "pca", _pca(vectors)


def _pca(vectors: Floats) -> Floats:
    mean = sum(chunk.sum(axis=0) for chunk in _chunks(vectors)) / len(vectors)
    covariance = sum((chunk - mean).T @ (chunk - mean) for chunk in _chunks(vectors))
    _, components = np.linalg.eigh(covariance)
    # eigenvalues ascend; the sign of an eigenvector is arbitrary
    plane = np.zeros((vectors.shape[1], 2))
    for column, component in enumerate(components.T[:-3:-1]):
        plane[:, column] = component * np.sign(component[np.abs(component).argmax()])
    return np.concatenate([((chunk - mean) @ plane).astype(np.float32) for chunk in _chunks(vectors)])


def _chunks(vectors: Floats) -> Iterator[NDArray[np.float64]]:
    return (vectors[start : start + _CHUNK].astype(np.float64) for start in range(0, len(vectors), _CHUNK))


def _umap(vectors: Floats) -> Floats:
    # not by a statement: no function has it, nor do their requirements
    umap = import_module("umap")
    neighbors = min(15, len(vectors) - 1)
    # of fewer vectors than it has neighbors or dimensions of its start, the spectral start fails
    start = "spectral" if len(vectors) > 16 else "random"
    reducer = umap.UMAP(n_components=2, metric="cosine", random_state=_SEED, n_neighbors=neighbors, init=start)
    places: Floats = np.asarray(reducer.fit_transform(vectors), np.float32)
    return places
