"""An experiment's vectors of one model as a matrix on disk, with the columns that describe each image."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

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
    """`values` are float32 `[n, d]`, mapped from a file; `facts` has the columns COLUMNS without the first two, row by
    row."""

    values: NDArray[np.float32]
    facts: pa.Table

    def rank(self, rows: list[int]) -> list[Embedded]:
        """The images of `rows`, the one with most pixels first, then by path; scores are against the first."""
        images = list(zip(self.facts.take(rows).to_pylist(), rows, strict=True))
        images.sort(key=lambda image: (-image[0]["width"] * image[0]["height"], image[0]["image_path"]))
        first = self.values[images[0][1]]
        return [Embedded(**facts, score=float(first @ self.values[row])) for facts, row in images]


@contextmanager
def map_vectors(batches: Iterable[pa.RecordBatch], model: str) -> Iterator[Vectors]:
    """The vectors of `model` from one or more batches with COLUMNS, for the block."""
    facts: list[pa.RecordBatch] = []
    with TemporaryDirectory(prefix="pixlake-") as folder:
        path = Path(folder) / "vectors"
        with path.open("wb") as file:
            for batch in batches:
                rows = batch.filter(pc.equal(batch.column("model"), model))
                facts.append(rows.select(_FACTS))
                file.write(rows.column("embedding").flatten().to_numpy(zero_copy_only=False).tobytes())
        table = pa.Table.from_batches(facts)
        yield Vectors(np.memmap(path, np.float32, "r").reshape(table.num_rows, -1), table)
