"""Columns by which images are told apart: of their predictions, of their records' attributes, of the images."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.report.words import shorten

# attributes beyond these, in the order of how many records have them, are left out
_MOST_ATTRIBUTES = 40
_LONGEST = 200
# fewer distinct numbers are names: of classes, of folds
_FEW_NUMBERS = 10

Read = Callable[[str, list[str]], pa.Table]
"""These columns of a table's rows of one experiment."""


@dataclass(frozen=True)
class Column:
    """For each image a number, or a text; null where it is not known."""

    name: str
    values: pa.Array

    @property
    def is_number(self) -> bool:
        return bool(pa.types.is_floating(self.values.type))


def describe_images(images: pa.Table, read: Read) -> list[Column]:
    """The columns of images with the columns image_path, record_id, width and height."""
    columns = [*_predicted(images, read), *_recorded(images, read)]
    sizes = [Column(name, images[name].combine_chunks().cast(pa.float64())) for name in ("width", "height")]
    return [*(column for column in columns if column.values.null_count < len(column.values)), *sizes]


def _predicted(images: pa.Table, read: Read) -> list[Column]:
    rows = read("predictions", ["record_id", "image_path", "label", "score", "value", "model"])
    by_record, by_image = (_rows_of(images[key], rows[key]) for key in ("record_id", "image_path"))
    at = pc.coalesce(by_record, by_image)
    found = {name: rows[name].combine_chunks().take(at) for name in ("label", "score", "value", "model")}
    named = {"predicted_by" if name == "model" else name: values for name, values in found.items()}
    return [Column(name, _finite(values)) for name, values in named.items()]


def _recorded(images: pa.Table, read: Read) -> list[Column]:
    rows = read("records", ["record_id", "attributes"])
    at = _rows_of(images["record_id"], rows["record_id"])
    attributes = rows["attributes"].combine_chunks().take(at)
    counts = Counter(attributes.keys.to_pylist())
    names = sorted(counts, key=lambda name: (-counts[name], name))[:_MOST_ATTRIBUTES]
    return [Column(name, _parse(pc.map_lookup(attributes, name, "first"))) for name in names]


def _rows_of(wanted: pa.ChunkedArray, keys: pa.ChunkedArray) -> pa.Array:
    """The row of each wanted key; null for none, and for a null."""
    rows = pc.index_in(wanted.combine_chunks(), keys.combine_chunks(), skip_nulls=True)
    return pc.if_else(pc.is_valid(wanted.combine_chunks()), rows, None)


def _finite(values: pa.Array) -> pa.Array:
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_finite(values), values, None)


def _parse(texts: pa.Array) -> pa.Array:
    """Numbers, where all are and they are not few; else texts, long ones shortened."""
    known = [text for text in texts.to_pylist() if text is not None and text.strip()]
    try:
        numbers = np.array([float(text) for text in known])
    except ValueError:
        numbers = np.array([np.nan])
    if len(set(known)) > _FEW_NUMBERS and np.isfinite(numbers).all():
        return pa.array([float(text) if text and text.strip() else None for text in texts.to_pylist()], pa.float64())
    return pa.array([None if text is None else shorten(text, _LONGEST) for text in texts.to_pylist()], pa.string())
