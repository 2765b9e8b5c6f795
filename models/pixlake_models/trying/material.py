"""The images to try models on, and the labels of those that a table gives one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixlake.errors import BadRequest
from pixlake.messages import Options
from pixlake_models.training.upload import Upload, read_upload

FEWEST = 3


@dataclass(frozen=True)
class Material:
    """`labels` are the images' own, None where a table gives none; `column` is where they come from. `total` counts the
    images of the upload, of which these are spread evenly."""

    paths: Sequence[str]
    uris: Sequence[str]
    labels: Sequence[str | None]
    column: str | None
    total: int


def gather(upload: Path, label: str | None, most: int, work: Path) -> Material:
    """At most `most` images; `work` takes a copy. Raises BadUpload, BadTable or BadRequest as a run would, and for too
    few images."""
    read = read_upload(upload, Options(label_column=label), work)
    images = read.join.joined.images
    total = images.num_rows
    if total < FEWEST:
        raise BadRequest(f"{upload}: {total} images are too few to have neighbours; give {FEWEST} or more")
    chosen = np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(np.int64))
    paths, uris = (column.to_pylist() for column in read.join.joined.image_columns(chosen))
    labels = _find_labels(read)
    return Material(paths, uris, [labels.get(path) for path in paths], read.options.label_column, total)


def _find_labels(read: Upload) -> dict[str, str]:
    """By path."""
    joined, column = read.join.joined, read.options.label_column
    if column not in joined.columns.column_names:
        return {}
    values = joined.columns[column].to_pylist()
    paths, _ = joined.image_lists(np.arange(len(joined.rows)))
    named = ((values[row], each) for row, each in zip(joined.rows.tolist(), paths.to_pylist(), strict=True))
    return {path: value.strip() for value, each in named if value and value.strip() for path in each}
