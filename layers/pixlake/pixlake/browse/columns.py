"""The columns that images can be filtered by, with their most frequent values."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite

import pyarrow as pa
import pyarrow.compute as pc

from pixlake.browse.rows import Load, read_rows
from pixlake.report.words import shorten

MOST_COLUMNS = 100
MOST_VALUES = 50
_DISTINCT = 1_000
"""Values of one attribute that are counted; of one with more the frequent ones are not told from the others."""
_FEW_NUMBERS = 10  # fewer distinct numbers are names: of classes, of folds
_LONGEST = 200


@dataclass(frozen=True)
class Value:
    """A text with the number of rows that have it."""

    value: str
    count: int


@dataclass(frozen=True)
class Filter:
    """A column of predictions or of images, or a record's attribute; `values`, the most frequent first, are all that
    there are where it `is_whole`, and none where there are too many."""

    name: str
    is_attribute: bool
    is_number: bool
    is_whole: bool = False
    values: list[Value] = field(default_factory=list)


_SIZES = [Filter(name, is_attribute=False, is_number=True) for name in ("width", "height")]


def list_filters(load: Load, experiment_id: str | None) -> list[Filter]:
    """The columns that have a value, of one experiment or of all: predictions', then attributes', then sizes."""
    return [*_predicted(load, experiment_id), *_recorded(load, experiment_id), *_SIZES]


def _predicted(load: Load, experiment_id: str | None) -> Iterator[Filter]:
    labels: Counter[str] = Counter()
    models: Counter[str] = Counter()
    numbers = dict.fromkeys(("score", "value"), False)
    for batch in read_rows(load("predictions"), "predictions", experiment_id, ["label", "model", "score", "value"]):
        _count(labels, batch["label"])
        _count(models, batch["model"])
        numbers = {name: known or bool(pc.is_finite(batch[name]).true_count) for name, known in numbers.items()}
    for name, counts in (("label", labels), ("predicted_by", models)):
        if counts:
            yield _describe(name, counts, is_attribute=False, is_number=False)
    for name, known in numbers.items():
        if known:
            yield Filter(name, is_attribute=False, is_number=True)


def _count(counts: Counter[str], values: pa.Array) -> None:
    if len(counts) <= _DISTINCT:
        for each in values.drop_null().value_counts():
            counts[each["values"].as_py()] += each["counts"].as_py()


def _recorded(load: Load, experiment_id: str | None) -> Iterator[Filter]:
    found: dict[str, Counter[str]] = {}
    texts: set[str] = set()
    for batch in read_rows(load("records"), "records", experiment_id, ["attributes"]):
        _count_attributes(found, texts, batch["attributes"])
    for name, counts in found.items():
        if counts:
            yield _describe_attribute(name, counts, texts)


def _count_attributes(found: dict[str, Counter[str]], texts: set[str], attributes: pa.MapArray) -> None:
    """Into `found`, and into `texts` the names of those with a value that is no number."""
    pairs = pa.table({"name": attributes.keys, "value": attributes.items})
    many = pa.array([name for name, counts in found.items() if len(counts) > _DISTINCT], pa.string())
    pairs = pairs.filter(pc.and_(pc.is_valid(pairs["value"]), pc.invert(pc.is_in(pairs["name"], value_set=many))))
    for row in pairs.group_by(["name", "value"]).aggregate([([], "count_all")]).to_pylist():
        if row["name"] not in found and len(found) >= MOST_COLUMNS:
            continue
        counts = found.setdefault(row["name"], Counter())
        if len(counts) <= _DISTINCT and row["value"].strip():
            counts[row["value"]] += row["count_all"]
            if row["name"] not in texts and not _is_number(row["value"]):
                texts.add(row["name"])


def _describe_attribute(name: str, counts: Counter[str], texts: set[str]) -> Filter:
    return _describe(name, counts, is_attribute=True, is_number=name not in texts and len(counts) > _FEW_NUMBERS)


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _describe(name: str, counts: Counter[str], *, is_attribute: bool, is_number: bool) -> Filter:
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    whole = len(ordered) <= MOST_VALUES
    shown = [] if is_number or len(ordered) > _DISTINCT else ordered[:MOST_VALUES]
    # one that is shortened would find nothing
    values = [Value(value, count) for value, count in shown if shorten(value, _LONGEST) == value]
    return Filter(name, is_attribute, is_number, whole and len(values) == len(ordered), values)
