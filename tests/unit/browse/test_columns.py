"""What images can be filtered by, however many values there are."""

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from pixlake.browse import columns
from pixlake.browse.columns import Filter, Value
from pixlake.schemas import RECORDS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping


def filters(*rows: "Mapping[str, str | None]") -> list[Filter]:
    """Of records with these attributes, in batches of two."""
    kind = RECORDS.columns.field("attributes").type
    found: dict[str, Counter[str]] = {}
    texts: set[str] = set()
    for start in range(0, len(rows), 2):
        batch = pa.array([list(row.items()) for row in rows[start : start + 2]], kind)
        columns._count_attributes(found, texts, batch)
    return [columns._describe_attribute(name, counts, texts) for name, counts in found.items()]


def test_values_are_counted_over_batches_the_most_frequent_first() -> None:
    (breed,) = filters({"breed": "tabby"}, {"breed": "manx"}, {"breed": "manx"}, {"breed": None}, {"breed": " "})
    assert breed == Filter("breed", True, False, True, [Value("manx", 2), Value("tabby", 1)])


def test_many_numbers_are_compared_and_few_are_names() -> None:
    rows = [{"age": f"{number}.5", "fold": str(number % 3)} for number in range(40)]
    age, fold = filters(*rows)
    assert (age.is_number, age.values) == (True, [])
    assert (fold.is_number, len(fold.values)) == (False, 3)
    assert not filters(*rows, {"age": "old"})[0].is_number


def test_an_attribute_of_many_values_has_none_and_is_not_counted_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_DISTINCT", 5)
    (name,) = filters(*({"name": f"cat {number}"} for number in range(40)))
    assert name == Filter("name", True, False, False, [])


def test_more_attributes_than_can_be_shown_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_COLUMNS", 2)
    assert len(filters({"a": "1", "b": "1", "c": "1"}, {"d": "1"})) == 2
