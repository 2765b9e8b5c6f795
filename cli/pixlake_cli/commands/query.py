"""`pixlake query`: SQL over the lake's tables."""

import re
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_cli.drafts import draft_file
from pixlake_cli.lakes import lake_option
from pixlake_cli.sizes import memory_option

_VERTICAL = re.compile(r"[\s;]*\\G[\s;]*\Z")


@click.command()
@click.argument("sql")
@lake_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "vertical", "csv", "json", "parquet"]),
    help="How to write the rows: as a table, or vertical (a line for each value) if the SQL ends in \\G."
    " json is an array of objects.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead.")
@memory_option
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=1_800,
    show_default=True,
    metavar="SECONDS",
    help="When it is stopped; Athena's own limit.",
)
def query(sql: str, lake: Lake, kind: str | None, out: Path | None, memory: int | None, timeout: float) -> None:
    """Run a SELECT in Athena's SQL on the tables of a lake.

    The tables are embeddings, predictions, records, links, rejects and executions, also as pixlake.embeddings and so
    on. SHOW TABLES lists them, DESCRIBE embeddings shows columns. FOR TIMESTAMP AS OF and FOR VERSION AS OF read a
    table as it was; "embeddings$snapshots" lists its versions. Nothing can be changed, and no other file read.

    DuckDB answers, as Athena would: what Athena refuses is refused, what has another value there is warned of
    (docs/engine.md). attributes['x'] fails where a record has no x; element_at(attributes, 'x') is NULL there. In CSV
    NULL is nothing, the empty text "".

    \b
      pixlake query "SELECT label, count(*) FROM predictions GROUP BY 1 ORDER BY 2 DESC" --lake lake
      pixlake query "SELECT * FROM executions ORDER BY started_at DESC LIMIT 1\\G" --lake lake
      pixlake query "SELECT * FROM embeddings" --lake lake --format parquet --out embeddings.parquet
      pixlake query "SELECT record_id, p.key, p.value FROM predictions
        CROSS JOIN UNNEST(probabilities) AS p(key, value)" --lake lake --format csv

    \b
    The images most like one of them, by the cosine of unit vectors:
      pixlake query "SELECT b.image_path, reduce(zip_with(a.embedding, b.embedding, (x, y) -> x * y),
          CAST(0 AS REAL), (s, x) -> s + x, s -> s) AS score
        FROM embeddings a JOIN embeddings b ON b.experiment_id = a.experiment_id AND b.model = a.model
        WHERE a.experiment_id = 'emoji' AND a.image_path = 'images/1F42F.png'
        ORDER BY score DESC LIMIT 10" --lake lake
    """
    from pixlake.limited import half_of_the_machine
    from pixlake.sql.limited import Limits, write_rows

    plain = _VERTICAL.sub("", sql)
    kind = kind or ("table" if plain == sql else "vertical")
    if kind == "parquet" and out is None and sys.stdout.isatty():
        raise BadRequest("Parquet is not for a terminal: give --out FILE")
    limits = Limits(half_of_the_machine() if memory is None else memory, timeout)
    with nullcontext(sys.stdout.buffer) if out is None else draft_file(out) as target:
        write_rows(lake.existing(), plain, f"pixlake_cli.output:write_{kind}", target, limits)
        target.flush()
