"""Which images a search may find."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_PLACE = 8  # bytes of a row's number, which the indexes keep for each path


@dataclass(frozen=True, eq=False)
class Chosen:
    """The paths of images, by their experiment."""

    paths: dict[str, pa.ChunkedArray]

    @classmethod
    def of(cls, images: Iterable[pa.RecordBatch]) -> "Chosen":
        """Those of batches with the columns experiment_id and image_path."""
        found: dict[str, list[pa.Array]] = {}
        for batch in images:
            for experiment_id in batch["experiment_id"].unique().to_pylist():
                mine = pc.equal(batch["experiment_id"], experiment_id)
                found.setdefault(experiment_id, []).append(batch["image_path"].filter(mine))
        return cls({experiment_id: pa.chunked_array(paths, pa.string()) for experiment_id, paths in found.items()})

    @property
    def nbytes(self) -> int:
        """Of the paths, and of their rows in indexes."""
        return sum(paths.nbytes + _PLACE * len(paths) for paths in self.paths.values())

    def mark(self, images: pa.RecordBatch) -> pa.BooleanArray:
        """For each row of a batch with these columns whether it is one of them."""
        marks = pa.repeat(pa.scalar(False), images.num_rows)
        for experiment_id, paths in self.paths.items():
            mine = pc.equal(images["experiment_id"], experiment_id)
            if mine.true_count:
                marks = pc.or_(marks, pc.and_(mine, pc.is_in(images["image_path"], value_set=paths)))
        return marks
