"""Vectors of one model as a matrix on disk, with the columns that describe each image."""

from collections.abc import Iterable
from dataclasses import dataclass
from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_FACTS = ["image_path", "record_id", "image_uri", "width", "height"]
COLUMNS = ("model", "embedding", *_FACTS)


@dataclass(frozen=True)
class Embedded:
    """An image with a vector, `width` and `height` in pixels; `score` is its cosine to another, between -1 and 1."""

    image_path: str
    record_id: str | None
    image_uri: str
    width: int
    height: int
    score: float


@dataclass(frozen=True)
class Vectors:
    """`values` are float32 `[n, d]`, mapped from a file; `facts` has the other columns, row by row."""

    values: NDArray[np.float32]
    facts: pa.Table

    def rank(self, rows: list[int]) -> list[Embedded]:
        """The images of `rows`, the one with most pixels first, then by path; scores are against the first."""
        images = list(zip(self.facts.select(_FACTS).take(rows).to_pylist(), rows, strict=True))
        images.sort(key=lambda image: (-image[0]["width"] * image[0]["height"], image[0]["image_path"]))
        first = self.values[images[0][1]]
        return [Embedded(**facts, score=float(first @ self.values[row])) for facts, row in images]


def map_vectors(batches: Iterable[pa.RecordBatch], model: str) -> Vectors:
    """The vectors of `model` from one or more batches with COLUMNS, and the other columns, with one batch in memory.

    They lie in a nameless file, which is deleted with the last use of its map.
    """
    facts = []
    with TemporaryFile(prefix="pixlake-") as file:
        for batch in batches:
            rows = batch.filter(pc.equal(batch["model"], model))
            facts.append(rows.drop_columns(["model", "embedding"]))
            file.write(rows["embedding"].flatten().to_numpy(zero_copy_only=False).tobytes())
        file.flush()
        found = pa.Table.from_batches(facts)
        return Vectors(np.memmap(file, np.float32, "r").reshape(found.num_rows, -1), found)
