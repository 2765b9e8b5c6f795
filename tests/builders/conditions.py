"""Conditions on images, drawn at random, in SQL and as Python reads them; and images for them to choose among."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from pixlake.iceberg.lakes import Lake
from pixlake.search.chosen import Chosen
from tests.builders.zoo import put_rows

Image = dict[str, Any]
Truth = bool | None
"""SQL's: None for unknown."""


@dataclass(frozen=True)
class Condition:
    """In SQL, and for one image."""

    sql: str
    holds: Callable[[Image], Truth]


def _image(number: int, record: str | None, label: str | None, score: float | None, kind: str | None) -> Image:
    return {
        "experiment_id": "one" if number % 3 else "two",
        "image_path": f"{number}.png",
        "record_id": record,
        "width": 10 * number,
        "label": label,
        "score": score,
        "kind": kind,
    }


IMAGES = [
    _image(number, record, label, score, kind)
    for number, (record, label, score, kind) in enumerate(
        [
            ("r0", "cat", 0.9, "Tabby"), ("r1", "dog", 0.1, None), (None, "cat", 0.5, None), (None, None, None, None),
            ("r4", None, None, "it's"), ("r5", "Cat", 0.5, ""), ("r6", "dog", float("nan"), "Tabby cat"),
            (None, "c%t", 1.0, None), ("r8", "", 0.0, "100_%"), ("r9", "cat", 0.25, "tabby"),
        ]
    )
]  # fmt: skip


def fill(lake: Lake) -> Lake:
    """A lake with IMAGES: predictions of records and of images alone, attributes, and vectors of another model."""
    for experiment in ("one", "two"):
        here = [image for image in IMAGES if image["experiment_id"] == experiment]
        vectors = [{key: image[key] for key in ("image_path", "record_id", "width")} for image in here]
        vectors = [row | {"embedding": [1.0, 0.0]} for row in vectors]
        other = [row | {"model": "other@0123456789ab", "width": 1_000} for row in vectors]
        put_rows(lake, "embeddings", vectors, f"{experiment}-1", experiment)
        put_rows(lake, "embeddings", other, f"{experiment}-2", experiment)
        records = [_record(image) for image in here if image["record_id"]]
        put_rows(lake, "records", records, f"{experiment}-1", experiment)
        predicted = [_prediction(image) for image in here if image["label"] is not None]
        put_rows(lake, "predictions", predicted, f"{experiment}-1", experiment)
    return lake


def _record(image: Image) -> dict[str, Any]:
    attributes = [("color", "red")] + ([("kind", image["kind"])] if image["kind"] is not None else [])
    return {"record_id": image["record_id"], "image_paths": [image["image_path"]], "attributes": attributes}


def _prediction(image: Image) -> dict[str, Any]:
    path = None if image["record_id"] else image["image_path"]
    named = {"record_id": image["record_id"], "image_path": path}
    return named | {"label": image["label"], "score": image["score"], "probabilities": None}


def chosen_paths(chosen: Chosen) -> set[tuple[str, str]]:
    """Experiment and path of each image."""
    return {(name, path) for name, paths in chosen.paths.items() for path in paths.to_pylist()}


def matching(condition: Condition, experiment: str | None) -> set[tuple[str, str]]:
    """What a condition chooses of IMAGES, by Python alone."""
    images = [image for image in IMAGES if experiment in (None, image["experiment_id"])]
    return {(image["experiment_id"], image["image_path"]) for image in images if condition.holds(image) is True}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_COLUMNS = {"label": "label", "record_id": "record_id", "kind": "element_at(attributes, 'kind')"}
_WORDS = st.sampled_from(["cat", "dog", "Cat", "", "Tabby", "it's", "r1", "100_%"])


def _equal(column: str, words: list[str], negated: bool) -> Condition:
    listed = ", ".join(map(_quoted, words))

    def holds(image: Image) -> Truth:
        return None if image[column] is None else (image[column] in words) != negated

    return Condition(f"{_COLUMNS[column]} {'NOT IN' if negated else 'IN'} ({listed})", holds)


def _starts(column: str, word: str) -> Condition:
    escaped = word.replace("!", "!!").replace("%", "!%").replace("_", "!_")

    def holds(image: Image) -> Truth:
        return None if image[column] is None else image[column].startswith(word)

    return Condition(f"{_COLUMNS[column]} LIKE {_quoted(escaped + '%')} ESCAPE '!'", holds)


def _missing(column: str) -> Condition:
    sql = _COLUMNS.get(column, column)
    return Condition(f"{sql} IS NULL", lambda image: image[column] is None)


def _less(column: str, bound: float) -> Condition:
    def holds(image: Image) -> Truth:
        return None if image[column] is None else image[column] < bound

    # NaN is less than nothing in Python; DuckDB and Athena do not agree on it
    sql = f"{column} < {bound}" if column == "width" else f"(NOT is_nan({column}) AND {column} < DOUBLE '{bound}')"
    return Condition(sql, holds)


def _not(one: Condition) -> Condition:
    def holds(image: Image) -> Truth:
        truth = one.holds(image)
        return None if truth is None else not truth

    return Condition(f"NOT ({one.sql})", holds)


def _both(one: Condition, other: Condition) -> Condition:
    def holds(image: Image) -> Truth:
        truths = one.holds(image), other.holds(image)
        return False if False in truths else None if None in truths else True

    return Condition(f"({one.sql} AND {other.sql})", holds)


def _either(one: Condition, other: Condition) -> Condition:
    def holds(image: Image) -> Truth:
        truths = one.holds(image), other.holds(image)
        return True if True in truths else None if None in truths else False

    return Condition(f"({one.sql} OR {other.sql})", holds)


_TEXTS = st.sampled_from(sorted(_COLUMNS))
_ONE = st.one_of(
    st.builds(_equal, _TEXTS, st.lists(_WORDS, min_size=1, max_size=3), st.booleans()),
    st.builds(_starts, _TEXTS, _WORDS),
    st.builds(_missing, st.sampled_from([*_COLUMNS, "score"])),
    st.builds(_less, st.just("width"), st.integers(-1, 100)),
    st.builds(_less, st.just("score"), st.sampled_from([0.0, 0.25, 0.5, 0.95, 2.0])),
)
CONDITIONS = st.recursive(
    _ONE,
    lambda some: st.one_of(st.builds(_not, some), st.builds(_both, some, some), st.builds(_either, some, some)),
    max_leaves=6,
)
