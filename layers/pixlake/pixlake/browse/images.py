"""The images of a lake without a search: the first of them by path, and what is known of some."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import And, BooleanExpression, EqualTo, In, Or, Reference
from pyiceberg.expressions.literals import literal
from pyiceberg.table import Table

from pixlake.browse.rows import Load, read_rows
from pixlake.iceberg.translation import translated
from pixlake.search.chosen import Chosen

_COLUMNS = ["experiment_id", "image_path", "record_id", "model"]


@dataclass(frozen=True)
class Shown:
    """An image of the lake."""

    image_path: str
    record_id: str | None
    experiment_id: str


@dataclass(frozen=True)
class Known:
    """What the tables say of an image: its prediction, None where there is none, and its record's attributes."""

    label: str | None = None
    score: float | None = None
    value: float | None = None
    predicted_by: str | None = None
    attributes: dict[str, str | None] = field(default_factory=dict)


def list_images(
    table: Table, model: str, experiment_id: str | None, count: int, chosen: Chosen | None = None
) -> list[Shown]:
    """At most `count` images with a vector by `model`, of those chosen, in the order of the files, which is by path."""
    found: list[Shown] = []
    for batch in read_rows(table, "embeddings", experiment_id, _COLUMNS):
        marks = pc.equal(batch["model"], model)
        rows = batch.filter(marks if chosen is None else pc.and_(marks, chosen.mark(batch)))
        found += [Shown(**row) for row in rows[: count - len(found)].drop_columns(["model"]).to_pylist()]
        if len(found) >= count:
            break
    return found


def find_image(table: Table, experiment_id: str, image_path: str) -> list[Shown]:
    """The image of this path, if there is one."""
    wanted = EqualTo(term=Reference("image_path"), value=literal(image_path))
    rows = _scan(table, experiment_id, wanted, ("image_path", "record_id", "experiment_id"))
    return [Shown(**row) for row in rows][:1]


def describe(load: Load, images: Sequence[Shown]) -> list[Known]:
    """What is known of each image, in their order."""
    experiments = {image.experiment_id for image in images}
    predictions: dict[tuple[str, str | None, str | None], dict[str, Any]] = {}
    attributes: dict[tuple[str, str], dict[str, str | None]] = {}
    for experiment_id in experiments:
        mine = [image for image in images if image.experiment_id == experiment_id]
        for row in _predicted(load("predictions"), experiment_id, mine):
            predictions[experiment_id, row["record_id"], row["image_path"]] = row
        for row in _recorded(load("records"), experiment_id, mine):
            attributes[experiment_id, row["record_id"]] = row["attributes"]
    return [_join(image, predictions, attributes) for image in images]


def _join(
    image: Shown,
    predictions: dict[tuple[str, str | None, str | None], dict[str, Any]],
    attributes: dict[tuple[str, str], dict[str, str | None]],
) -> Known:
    # a prediction of a record names no image, one of an image without a record no record
    by_image = predictions.get((image.experiment_id, None, image.image_path), {})
    row = (
        by_image if image.record_id is None else predictions.get((image.experiment_id, image.record_id, None), by_image)
    )
    known = {} if image.record_id is None else attributes.get((image.experiment_id, image.record_id), {})
    return Known(row.get("label"), _finite(row.get("score")), _finite(row.get("value")), row.get("model"), known)


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None


def _predicted(table: Table, experiment_id: str, images: Sequence[Shown]) -> Iterator[dict[str, Any]]:
    records, paths = _records(images), {image.image_path for image in images}
    wanted: BooleanExpression = _among("image_path", paths)
    if records:
        wanted = Or(wanted, _among("record_id", records))
    yield from _scan(table, experiment_id, wanted, ("record_id", "image_path", "label", "score", "value", "model"))


def _recorded(table: Table, experiment_id: str, images: Sequence[Shown]) -> Iterator[dict[str, Any]]:
    records = _records(images)
    if records:
        yield from _scan(table, experiment_id, _among("record_id", records), ("record_id", "attributes"))


def _records(images: Sequence[Shown]) -> set[str]:
    return {image.record_id for image in images if image.record_id is not None}


def _among(column: str, values: set[str]) -> BooleanExpression:
    return In(term=Reference(column), values={literal(value) for value in values})


def _scan(
    table: Table, experiment_id: str, wanted: BooleanExpression, columns: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    mine = EqualTo(term=Reference("experiment_id"), value=literal(experiment_id))
    with translated(f"table {table.name()[-1]}"):
        rows = table.scan(row_filter=And(mine, wanted), selected_fields=columns).to_arrow()
    yield from pa.table(rows).to_pylist(maps_as_pydicts="lossy")
