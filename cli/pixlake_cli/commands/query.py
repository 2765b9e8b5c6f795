"""`pixlake query`: SQL over the lake's tables."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import lake_option


@click.command()
@click.argument("sql")
@lake_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
    help="How to write the rows. json is an array of objects.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead.")
def query(sql: str, lake: Lake, kind: str, out: Path | None) -> None:
    """Run a SELECT in Athena's SQL on the tables of a lake.

    The tables are embeddings, predictions, records, rejects and executions, also as pixlake.embeddings and so on.
    SHOW TABLES lists them, DESCRIBE embeddings shows columns. FOR TIMESTAMP AS OF and FOR VERSION AS OF read a table
    as it was; "embeddings$snapshots" lists its versions. Nothing can be changed, and no other file read.

    \b
      pixlake query "SELECT label, count(*) FROM predictions GROUP BY 1 ORDER BY 2 DESC" --lake lake
      pixlake query "SELECT * FROM embeddings" --lake lake --format parquet --out embeddings.parquet
      pixlake query "SELECT record_id, p.key, p.value FROM predictions
        CROSS JOIN UNNEST(probabilities) AS p(key, value)" --lake lake --format csv

    \b
    The images most like one of them, by the cosine of unit vectors:
      pixlake query "SELECT b.image_path, reduce(zip_with(a.embedding, b.embedding, (x, y) -> x * y),
          CAST(0 AS REAL), (s, x) -> s + x, s -> s) AS score
        FROM embeddings a CROSS JOIN embeddings b
        WHERE a.image_path = 'images/1F431.png' ORDER BY score DESC LIMIT 10" --lake lake
    """
    from pixlake_cli.output import FORMATS
    from pixlake_cli.sql.warehouse import run_query

    if kind == "parquet" and out is None and sys.stdout.isatty():
        raise BadRequest("Parquet is not for a terminal: give --out FILE")
    with _open(out) as target, run_query(lake.existing(), sql) as rows:
        FORMATS[kind](rows, target)


@contextmanager
def _open(out: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears when it is complete."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with NamedTemporaryFile(dir=out.absolute().parent, prefix=f".{out.name}-", delete=False) as draft:
            try:
                yield draft
            except BaseException:
                Path(draft.name).unlink(missing_ok=True)
                raise
        Path(draft.name).replace(out)
    except OSError as error:
        raise BadRequest(f"cannot write {out}: {error.strerror}") from error
