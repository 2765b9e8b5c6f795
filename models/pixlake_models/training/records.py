"""The labelled records of an upload."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas
import pyarrow as pa

from pixlake.errors import BadTable
from pixlake_models.training.pictures import Original
from pixlake_models.training.upload import Upload


@dataclass(frozen=True)
class Records:
    """A row each: `table` has the columns to learn from as text, null where there is no value, `images` the
    record's images. `unlabelled` counts the records that are left out."""

    label: str
    ids: Sequence[str]
    labels: Sequence[str]
    table: pandas.DataFrame
    images: Sequence[Sequence[Original]]
    unlabelled: int


def select_records(upload: Upload) -> Records:
    """The records with a label. BadTable if no label column is named, or if it is the id column."""
    joined, label = upload.join.joined, upload.options.label_column
    if label is None:
        raise BadTable("which column is to be learned? Name it with --label, or as label_column in a pixlake.json")
    if label == joined.id_column:
        raise BadTable(f"the label {label!r} would be the id column, too; name the ids with --id-column")
    columns = joined.columns.take(pa.array(joined.rows)).to_pandas().astype(object)
    labels = columns[label].fillna("").str.strip()
    known = np.flatnonzero(labels != "")
    paths, uris = (lists.to_pylist() for lists in joined.image_lists(known))
    apart = [name for name in (label, joined.id_column, upload.join.image_column) if name]
    table = columns.drop(columns=apart).iloc[known].reset_index(drop=True)
    return Records(
        label=label,
        ids=joined.ids.take(pa.array(known)).to_pylist(),
        labels=labels.iloc[known].tolist(),
        table=table.where(table.notna(), None),
        images=[[Original(*each) for each in zip(*lists, strict=True)] for lists in zip(paths, uris, strict=True)],
        unlabelled=len(labels) - len(known),
    )
