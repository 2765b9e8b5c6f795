import pyarrow as pa
import pytest

from pixlake import schemas
from pixlake.report import agreement
from pixlake.report.agreement import compare_labels


def predictions(*rows: tuple[str | None, str | None, str]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    return pa.RecordBatch.from_arrays(
        [pa.array(column, pa.string()) for column in columns], ["record_id", "label", "modality"]
    )


def records(**labels: str | None) -> pa.RecordBatch:
    kind = schemas.RECORDS.columns.field("attributes").type
    attributes = pa.array([[("other", "x"), ("group", label)] for label in labels.values()], kind)
    return pa.RecordBatch.from_arrays([pa.array(list(labels)), attributes], ["record_id", "attributes"])


def test_labels_are_compared_by_record_whatever_the_order_of_the_parts() -> None:
    predicted = [
        predictions(("c", "fish", "tabular")),
        predictions(("a", "cat", "image+tabular"), ("b", "dog", "tabular")),
    ]
    found = compare_labels("group", 3, predicted, [records(a="cat", b="cat"), records(c="fish")])
    assert (found.compared, found.right) == (3, 2)
    assert (found.by_label, found.right_by_label) == ({"cat": 2, "fish": 1}, {"cat": 1, "fish": 1})
    assert (found.by_modality, found.right_by_modality) == (
        {"tabular": 2, "image+tabular": 1},
        {"tabular": 1, "image+tabular": 1},
    )
    assert not found.sampled


def test_records_without_a_label_on_either_side_are_not_compared() -> None:
    predicted = [
        predictions(("a", None, "tabular"), ("b", "dog", "tabular"), ("c", "x", "tabular"), (None, "x", "image"))
    ]
    found = compare_labels("group", 4, predicted, [records(a="cat", b=None, c="", d="cat")])
    assert found.compared == 0
    assert compare_labels("absent", 4, predicted, [records(a="cat", b="dog")]).compared == 0


@pytest.mark.parametrize(("total", "sampled"), [(1_000, False), (1_001, True)])
def test_of_many_records_a_sample_is_compared(monkeypatch: pytest.MonkeyPatch, total: int, sampled: bool) -> None:
    monkeypatch.setattr(agreement, "MAX_RECORDS", 1_000)
    names = {f"r{index}": "cat" for index in range(total)}
    rows = [(name, "cat", "tabular") for name in names]
    found = compare_labels("group", total, [predictions(*rows)], [records(**names)])
    assert found.sampled == sampled
    assert found.compared == found.right
    assert (found.compared == total) is not sampled
    assert found.compared > total // 3
