"""What `chaos` leaves behind: the tables against a dictionary, and files that no table names."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from benchmarks.chaos_uploads import EXPERIMENT, Rows, found_rows
from pixlake import storage
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.retries import PASSING
from pixlake.schemas import TABLES
from tests.builders.model_lakes import rows

LAKE = Lake.at("s3://chaos-lake")
PASSING_LOSSES = {"batch_lost", *PASSING}
_AGE = timedelta(days=3)
_SAFE_AGE = timedelta(days=1)
_ATTEMPTS = 40


def compare(right: Rows) -> list[str]:
    """Each row that is missing, wrong or too many, and each image that is not what its row says."""
    wrong = []
    for table, wanted in right.items():
        listed = [row for row in rows(LAKE, table, EXPERIMENT) if row.get("reason") not in PASSING_LOSSES]
        found = found_rows(table, listed)
        if len(listed) != len({json.dumps([row[name] for name in TABLES[table].key], default=str) for row in listed}):
            wrong.append(f"{table}: a key has several rows")
        wrong += [f"{table}: {key} is missing" for key in wanted.keys() - found.keys()]
        wrong += [f"{table}: {key} is too many" for key in found.keys() - wanted.keys()]
        same = wanted.keys() & found.keys()
        wrong += [f"{table}: {key} is {found[key]}, not {wanted[key]}" for key in same if found[key] != wanted[key]]
    for row in rows(LAKE, "embeddings", EXPERIMENT):
        if storage.sha256(row["image_uri"]) != row["sha256"]:
            wrong.append(f"{row['image_uri']} is another image")
    return wrong


def count_outdated() -> int:
    """Rejects of executions that died after their commit, of what came in later."""
    return sum(row["reason"] in PASSING_LOSSES for row in rows(LAKE, "rejects", EXPERIMENT))


def age(objects: Path) -> None:
    """Let all objects be three days old; the server takes a file's time for the object's."""
    then = time.time() - _AGE.total_seconds()
    for path in objects.rglob("*"):
        os.utime(path, (then, then))
    young = [info.uri for info in storage.list_objects(LAKE.uri) if info.last_modified > datetime.now(UTC) - _SAFE_AGE]
    if young:
        raise click.ClickException(f"{len(young)} objects did not grow older, as {young[0]}")


def orphans() -> list[str]:
    """The objects of the warehouse, older than a day, that no snapshot and no metadata of a table names."""
    named = set()
    catalog = open_catalog(LAKE.uri, LAKE.catalog_uri)
    for name in TABLES:
        table = load_table(catalog, name)
        look = table.inspect
        named |= {table.metadata_location, *look.metadata_log_entries()["file"].to_pylist()}
        if table.current_snapshot() is not None:
            named |= {*look.snapshots()["manifest_list"].to_pylist(), *look.all_manifests()["path"].to_pylist()}
            named |= {*look.all_files()["file_path"].to_pylist()}
    limit = datetime.now(UTC) - _SAFE_AGE
    found = storage.list_objects(f"{LAKE.uri}/warehouse")
    return sorted(info.uri for info in found if info.last_modified < limit and info.uri not in named)


def maintain() -> str:
    """What the command says, given until it succeeds."""
    command: list[str | Path] = [Path(sys.executable).with_name("pixlake"), "maintain", "--lake", LAKE.uri]
    for _ in range(_ATTEMPTS):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    raise click.ClickException(done.stderr)
