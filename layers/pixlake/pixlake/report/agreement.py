"""The agreement of predictions with the labels in the upload's own table, where it names a label column.

Both sides are streamed; of a large upload a sample of the records is compared, chosen by a hash of their ids.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

MAX_RECORDS = 100_000


@dataclass
class Agreement:
    """Records that have both labels. The counters are by modality, and by the label in the table."""

    column: str
    sampled: bool
    compared: int = 0
    right: int = 0
    by_modality: Counter[str] = field(default_factory=Counter)
    right_by_modality: Counter[str] = field(default_factory=Counter)
    by_label: Counter[str] = field(default_factory=Counter)
    right_by_label: Counter[str] = field(default_factory=Counter)

    def add(self, given: str, predicted: str, modality: str) -> None:
        """Count one record."""
        right = given == predicted
        self.compared += 1
        self.right += right
        self.by_modality[modality] += 1
        self.right_by_modality[modality] += right
        self.by_label[given] += 1
        self.right_by_label[given] += right


def compare_labels(
    column: str, total: int, predictions: Iterable[pa.RecordBatch], records: Iterable[pa.RecordBatch]
) -> Agreement:
    """The agreement of `total` records' predictions (record_id, label, modality) with `column` of their attributes."""
    every = -(-total // MAX_RECORDS) or 1
    predicted = {record_id: label for record_id, *label in _sample(predictions, every, "label", "modality")}
    agreement = Agreement(column, sampled=every > 1)
    for batch in records:
        given = pc.map_lookup(batch.column("attributes"), pa.scalar(column), "first")
        labelled = pa.RecordBatch.from_arrays([batch.column("record_id"), given], ["record_id", "given"])
        for record_id, label in _sample([labelled], every, "given"):
            if label and record_id in predicted:
                agreement.add(label, *predicted[record_id])
    return agreement


def _sample(batches: Iterable[pa.RecordBatch], every: int, first: str, *more: str) -> Iterator[tuple[str, ...]]:
    """The rows with a record and a value in `first` whose id's hash falls into the sample."""
    for batch in batches:
        rows = batch.select(["record_id", first, *more])
        rows = rows.filter(pc.and_(pc.is_valid(rows.column(0)), pc.is_valid(rows.column(1))))
        for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            if zlib.crc32(row[0].encode()) % every == 0:
                yield row
