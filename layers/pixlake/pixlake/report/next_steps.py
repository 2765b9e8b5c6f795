"""What a reader of the page may do next: a query to copy, and the command that serves the lake."""

import shlex
from datetime import UTC, datetime

from pixlake.messages import Run, SplitAnswer


def write_rows_query(run: Run, split: SplitAnswer, database: str) -> str:
    """The SQL that lists the rows of one upload, for Athena and `pixlake query`: records with their predictions, or
    images where there are no records."""
    uploaded_at = datetime.fromisoformat(run.uploaded_at).astimezone(UTC)
    rows = (
        f"experiment_id = '{run.experiment_id}' AND r.uploaded_at = TIMESTAMP '{uploaded_at:%Y-%m-%d %H:%M:%S.%f} UTC'"
    )
    if not split.records:
        return f"SELECT image_path, record_id, model, image_uri FROM {database}.embeddings r WHERE r.{rows}"
    return (
        f"SELECT r.record_id, r.has_image, p.label, p.value, p.score, r.attributes FROM {database}.records r"
        f" LEFT JOIN {database}.predictions p ON p.experiment_id = r.experiment_id AND p.record_id = r.record_id"
        f" WHERE r.{rows}"
    )


def write_serve_command(lake_uri: str) -> str:
    """How a lake on this machine is served; empty for one in a bucket."""
    if not lake_uri.startswith("file://"):
        return ""
    return f"pixlake serve --lake {shlex.quote(lake_uri.removeprefix('file://'))}"
