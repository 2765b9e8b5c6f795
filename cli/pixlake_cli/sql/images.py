"""Images with all that is known of them, and conditions on it, in Athena's dialect."""

from pixlake.iceberg.lakes import Lake
from pixlake.search.chosen import Chosen
from pixlake_cli.sql.limited import Limits, read_rows

COLUMNS = (
    "image_path, record_id, width, height, sha256, image_uri, model, uploaded_at, label, score, value, predicted_by,"
    " attributes, embedding"
)
_IMAGES = """
SELECT e.experiment_id, e.image_path, e.record_id, e.width, e.height, e.sha256, e.image_uri, e.model, e.uploaded_at,
  coalesce(p.label, o.label) AS label, coalesce(p.score, o.score) AS score, coalesce(p.value, o.value) AS value,
  coalesce(p.model, o.model) AS predicted_by, r.attributes, e.embedding
FROM embeddings e
LEFT JOIN predictions p ON p.experiment_id = e.experiment_id AND p.record_id = e.record_id
LEFT JOIN predictions o ON o.experiment_id = e.experiment_id AND o.image_path = e.image_path
LEFT JOIN records r ON r.experiment_id = e.experiment_id AND r.record_id = e.record_id
"""
_ONE_MODEL = "WHERE e.model = {model}{experiment}"


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
    images = _IMAGES + _ONE_MODEL.format(model=_literal(model), experiment=one)
    # on lines of its own, so that a comment in the condition ends with it
    condition = "" if where is None else f"\nWHERE (\n{where}\n)"
    return f"SELECT {columns} FROM ({images}) AS images{condition}"


def choose_images(lake: Lake, model: str, experiment: str | None, where: str, limits: Limits | None = None) -> Chosen:
    """The images for which a condition holds. Raises BadRequest for one that is wrong, or where the lake is on AWS."""
    with read_rows(lake, select_images("experiment_id, image_path", model, experiment, where), limits) as rows:
        return Chosen.of(rows)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
