"""Images with all that is known of them, and conditions on it, in Athena's dialect."""

from collections.abc import Collection
from functools import partial

from pixlake.iceberg.lakes import Lake
from pixlake.search.chosen import Chosen
from pixlake.search.conditions import tables_of
from pixlake.sql.limited import Limits, read_rows
from pixlake.sql.planning import Wanted, plan_tables

COLUMNS = (
    "image_path, record_id, width, height, sha256, image_uri, model, uploaded_at, label, score, value, predicted_by,"
    " attributes, embedding"
)
_VALUES = {
    **{name: f"e.{name}" for name in ("experiment_id", "image_path", "record_id", "width", "height", "sha256")},
    **{name: f"e.{name}" for name in ("image_uri", "model", "uploaded_at")},
    **{name: f"coalesce(p.{name}, o.{name})" for name in ("label", "score", "value")},
    "predicted_by": "coalesce(p.model, o.model)",
    "attributes": "r.attributes",
    "embedding": "e.embedding",
}
_PREDICTIONS = """
LEFT JOIN predictions p ON p.experiment_id = e.experiment_id AND p.record_id = e.record_id
LEFT JOIN predictions o ON o.experiment_id = e.experiment_id AND o.image_path = e.image_path"""
_RECORDS = "\nLEFT JOIN records r ON r.experiment_id = e.experiment_id AND r.record_id = e.record_id"
_ONE_MODEL = "\nWHERE e.model = {model}{experiment}"


def _select(names: Collection[str]) -> str:
    """SQL for these of _VALUES of each image with a vector; of the tables that have them, for a join of a million rows
    takes longer than all else."""
    values = [f"{value} AS {name}" for name, value in _VALUES.items() if name in names]
    text = ", ".join(values)
    joins = (_PREDICTIONS if "p." in text else "") + (_RECORDS if "r." in text else "")
    return f"SELECT {text}\nFROM embeddings e{joins}"


_IMAGES = _select(_VALUES)

# Of a record without an image, and of an image without a vector, what is known of it.
_SUBJECTS = (
    _IMAGES
    + """
UNION ALL
SELECT r.experiment_id, NULL, r.record_id, NULL, NULL, NULL, NULL, NULL, r.uploaded_at,
  p.label, p.score, p.value, p.model, r.attributes, NULL
FROM records r
LEFT JOIN predictions p ON p.experiment_id = r.experiment_id AND p.record_id = r.record_id
LEFT JOIN embeddings e ON e.experiment_id = r.experiment_id AND e.record_id = r.record_id
WHERE e.record_id IS NULL
UNION ALL
SELECT o.experiment_id, o.image_path, NULL, NULL, NULL, NULL, NULL, NULL, o.uploaded_at,
  o.label, o.score, o.value, o.model, NULL, NULL
FROM predictions o
LEFT JOIN embeddings e ON e.experiment_id = o.experiment_id AND e.image_path = o.image_path
WHERE o.record_id IS NULL AND e.image_path IS NULL
"""
)


def select_subjects(experiment: str | None, where: str) -> str:
    """SQL for experiment, image and record (null for none) of each image, and of each record without one, for which
    the condition holds."""
    one = "" if experiment is None else f"experiment_id = {_literal(experiment)} AND "
    subjects = f"SELECT DISTINCT experiment_id, image_path, record_id FROM ({_SUBJECTS}) AS images"
    return f"{subjects}\nWHERE {one}(\n{where}\n)"


def select_images(columns: str, model: str, experiment: str | None, where: str | None) -> str:
    """SQL for these columns of each image with a vector by `model`, of one experiment or all, for which `where` holds.

    The condition may name any of COLUMNS, and `experiment_id`.
    """
    one = "" if experiment is None else f" AND e.experiment_id = {_literal(experiment)}"
    named = [name for name in _VALUES if name in f"{columns}\n{where}".lower()]
    images = _select(named) + _ONE_MODEL.format(model=_literal(model), experiment=one)
    # on lines of its own, so that a comment in the condition ends with it
    condition = "" if where is None else f"\nWHERE (\n{where}\n)"
    return f"SELECT {columns} FROM ({images}) AS images{condition}"


def choose_images(lake: Lake, model: str, experiment: str | None, where: str, limits: Limits | None = None) -> Chosen:
    """The images for which a condition holds. Raises BadRequest for one that is wrong."""
    sql = select_images("experiment_id, image_path", model, experiment, where)
    plan = partial(plan_tables, lake, Wanted(tables_of(where), experiment, where))
    with read_rows(lake, sql, limits, plan) as rows:
        return Chosen.of(rows)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
