import re

import numpy as np
import pyarrow as pa

from pixlake.rejects import Reject
from pixlake.report.tallies import PredictionTally, SizeTally, group_rejects


def sizes(*pairs: tuple[int, int]) -> pa.RecordBatch:
    columns = [pa.array(column, pa.int32()) for column in zip(*pairs, strict=True)]
    return pa.RecordBatch.from_arrays(columns, ["width", "height"])


def test_few_sizes_are_exact() -> None:
    tally = SizeTally()
    tally.add(sizes((640, 480), (640, 480), (33, 77)))
    assert tally.cells == {(640, 480): 2, (33, 77): 1}
    assert tally.extent == "33 to 640 wide, 77 to 480 high"
    alone = SizeTally()
    alone.add(sizes((5, 6)))
    assert (alone.extent, SizeTally().extent) == ("all 5 × 6", "")


def test_many_sizes_are_binned_and_every_image_is_counted() -> None:
    tally, generator = SizeTally(), np.random.default_rng(3)
    for _ in range(20):
        tally.add(sizes(*generator.integers(1, 100_000, (5_000, 2)).tolist()))
    assert tally.cells.total() == tally.rows == 100_000
    assert len(tally.cells) < 6_000
    assert re.fullmatch(r"\d{1,2} to 99,9\d\d wide, \d{1,2} to 99,9\d\d high", tally.extent)
    assert {width for width, _ in tally.cells} <= {round(2 ** (step / 4)) for step in range(70)}


def test_predictions_are_counted_by_label_score_and_modality() -> None:
    tally = PredictionTally()
    rows = [
        {"label": "a", "score": 0.04, "value": None, "modality": "tabular"},
        {"label": "a", "score": 1.0, "value": None, "modality": "image+tabular"},
        {"label": "b", "score": float("nan"), "value": None, "modality": "tabular"},
        {"label": None, "score": None, "value": 2.5, "modality": "tabular"},
    ]
    schema = pa.schema(
        [("label", pa.string()), ("score", pa.float64()), ("value", pa.float64()), ("modality", pa.string())]
    )
    tally.add(pa.RecordBatch.from_pylist(rows, schema))
    assert tally.labels == {"a": 2, "b": 1}
    assert (tally.scores["tabular"][0], tally.scores["image+tabular"][-1]) == (1, 1)
    assert sum(counts.sum() for counts in tally.scores.values()) == 2
    assert (tally.values, tally.rows) == ([2.5], 4)


def test_rejects_are_grouped_by_reason_with_the_stages_counted() -> None:
    rejects = [Reject(f"{n}", "embed", "empty", "") for n in range(30)] + [Reject("x", "classify", "empty", "")]
    (group,) = group_rejects(iter(rejects))
    assert (group.reason, group.count, len(group.first)) == ("empty", 31, 10)
    assert group.stages == {"embed": 30, "classify": 1}
