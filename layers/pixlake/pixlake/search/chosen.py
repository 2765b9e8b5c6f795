"""Which images a search may find."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

# in no experiment's name, and in no path
_BETWEEN = "\0"


@dataclass(frozen=True)
class Chosen:
    """Images by their experiment and path."""

    keys: pa.Array

    @classmethod
    def of(cls, images: Iterable[pa.RecordBatch]) -> "Chosen":
        """Those of batches with the columns experiment_id and image_path."""
        return cls(pa.chunked_array([_keys(batch) for batch in images], pa.string()).combine_chunks())

    def mark(self, images: pa.RecordBatch | pa.Table) -> pa.BooleanArray:
        """For each row of a batch with these columns whether it is one of them."""
        return pc.is_in(_keys(images), self.keys)


def _keys(images: pa.RecordBatch | pa.Table) -> pa.Array:
    keys = pc.binary_join_element_wise(images["experiment_id"], images["image_path"], _BETWEEN)
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
