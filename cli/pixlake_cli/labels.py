"""A classifier's labels as rows, to join with `predictions`: class id, the label's id in its vocabulary, label."""

import csv
import io

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import Manifest
from pixlake.errors import BadRequest

_HEADER = ("class_id", "label_id", "label")
Row = tuple[int, str | None, str]


def list_rows(folder: BundleFolder) -> list[Row]:
    """BadRequest for a model without labels."""
    described = folder.description
    ids = described.ids_by_label if isinstance(described, Manifest) else {}
    if not described.labels:
        raise BadRequest(f"{folder.model} has no labels; `pixlake models list` says which models have")
    return [(index, ids.get(label), label) for index, label in enumerate(described.labels)]


def write_csv(folder: BundleFolder) -> str:
    """A line of names, then a line for each; an id that is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(list_rows(folder))
    return text.getvalue()


def write_sql(folder: BundleFolder) -> str:
    """A common table expression for the WITH of a query, with the column `model` as in `predictions`."""
    rows = ",\n".join(f"({index}, {_literal(known)}, {_literal(label)})" for index, known, label in list_rows(folder))
    names = ", ".join(_HEADER)
    values = f"SELECT {_literal(folder.model)} AS model, {names} FROM (VALUES\n{rows}) AS t ({names})"
    return f"labels AS ({values})"


def _literal(value: str | None) -> str:
    return "CAST(NULL AS varchar)" if value is None else "'" + value.replace("'", "''") + "'"
