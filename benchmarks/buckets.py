"""A lake in a real S3 (versitygw), its tables in a Glue (moto's), for benchmarks that hold it against a folder.

`python -m benchmarks.buckets LAKE REQUEST` is one execution there, in a process of its own; it ends with a line of
JSON: its status, seconds by state and counts. `pixlake run` does so on folders alone.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import boto3
import click

from pixlake import storage
from pixlake.iceberg.lakes import DATABASE, Lake
from pixlake_cli.engine import pool
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.interpreter import Outcome
from tests.servers.glue import open_glue
from tests.servers.processes import NotHere
from tests.servers.real_s3 import make_bucket, open_s3

LAKE = "s3://lake"
UPLOADS = "s3://uploads"


@contextmanager
def bucket_lake(folder: Path) -> Iterator[Lake]:
    """An empty lake, and a bucket of uploads; for the length of the block they are this process's AWS, and that of
    those that it starts. The server's files are in `folder`."""
    before = dict(os.environ)
    try:
        with open_s3(folder) as reached, open_glue() as glue:
            os.environ.update(reached, AWS_ENDPOINT_URL_GLUE=glue, XDG_CACHE_HOME=str(folder / "cache"))
            # a store is kept for the life of a process
            storage._bucket.cache_clear()
            for uri in (LAKE, UPLOADS):
                make_bucket(uri.removeprefix("s3://"), versioned=True)
            boto3.client("glue").create_database(DatabaseInput={"Name": DATABASE})
            yield Lake.at(LAKE)
    except NotHere as reason:
        raise click.ClickException(f"NOT RUN over S3: {reason}") from reason
    finally:
        os.environ.clear()
        os.environ.update(before)
        storage._bucket.cache_clear()


def execute(lake: str, name: str, request: str, parameters: Mapping[str, str]) -> Outcome:
    """One execution on a lake in the bucket that the process's AWS variables lead to."""
    reached = {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
    plain = pool.environment
    # a store is kept for the life of a process; the interpreter changes the variables
    storage.exists(f"{lake}/any")
    with (
        patch.object(pool, "environment", lambda *given: {**plain(*given), **reached}),
        Engine(lake, Lake.at(lake).catalog_uri, parameters) as engine,
    ):
        return engine.execute(name, json.loads(request))


def main() -> None:
    lake, request = sys.argv[1:]
    outcome = execute(lake, "benchmark", request, {})
    told = {"status": outcome.status, "cause": outcome.cause, "timings": dict(outcome.timings)}
    print(json.dumps({**outcome.output, **told}))


if __name__ == "__main__":
    main()
