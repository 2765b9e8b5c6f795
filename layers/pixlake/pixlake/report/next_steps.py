"""What a reader of the page may do next: queries to copy, and the command that serves the lake.

The SQL is Athena's, and that of `pixlake query`.
"""

import shlex
from datetime import UTC, datetime

from pixlake.messages import CompactAnswer, Run, SplitAnswer


def write_rows_query(run: Run, split: SplitAnswer, database: str) -> str:
    """The SQL that lists the rows of one upload: records with their predictions, or images where there are no
    records."""
    mine = write_condition(run.experiment_id, run.uploaded_at, "r.")
    if not split.records:
        return f"SELECT image_path, record_id, model, image_uri FROM {database}.embeddings r WHERE {mine}"
    return (
        f"SELECT r.record_id, r.has_image, p.label, p.value, p.score, r.attributes FROM {database}.records r"
        f" LEFT JOIN {database}.predictions p ON p.experiment_id = r.experiment_id AND p.record_id = r.record_id"
        f" WHERE {mine}"
    )


def write_rejects_query(run: Run, database: str) -> str:
    """The SQL that lists the rejects of one upload."""
    mine = write_condition(run.experiment_id, run.uploaded_at)
    return f"SELECT source, stage, reason, detail FROM {database}.rejects WHERE {mine}"


def write_changes_query(run: Run, compact: CompactAnswer, until: datetime, database: str) -> str:
    """The SQL that lists each value of a record which changed from the run's start to `until`, with its value before,
    as long as the snapshots are kept; empty where no record that was there changed."""
    effect = compact.effects.get("records")
    if effect is None or not (effect.replaced or effect.removed or effect.changed):
        return ""
    after, before = (
        f"(SELECT record_id, a.name, a.value FROM {database}.records FOR TIMESTAMP AS OF {_moment(moment)}"
        " CROSS JOIN UNNEST(map_concat(attributes, map(ARRAY['image_paths'], ARRAY[array_join(image_paths, ', ')])))"
        f" AS a(name, value) WHERE experiment_id = '{run.experiment_id}')"
        for moment in (until, datetime.fromisoformat(run.started_at))
    )
    return (
        "SELECT coalesce(n.record_id, o.record_id) AS record_id, coalesce(n.name, o.name) AS name,"
        f" o.value AS before, n.value AS after FROM {after} n FULL JOIN {before} o"
        " ON n.record_id = o.record_id AND n.name = o.name WHERE n.value IS DISTINCT FROM o.value ORDER BY 1, 2"
    )


def write_condition(experiment_id: str, uploaded_at: str, table: str = "") -> str:
    """The SQL of the rows of one upload; `table` is a prefix of columns, `uploaded_at` an ISO 8601 time."""
    moment = _moment(datetime.fromisoformat(uploaded_at))
    return f"{table}experiment_id = '{experiment_id}' AND {table}uploaded_at = {moment}"


def _moment(time: datetime) -> str:
    return f"TIMESTAMP '{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'"


def write_serve_command(lake_uri: str) -> str:
    """How a lake on this machine is served; empty for one in a bucket."""
    if not lake_uri.startswith("file://"):
        return ""
    return f"pixlake serve --lake {shlex.quote(lake_uri.removeprefix('file://'))}"
