"""Every query that is saved or shown answers on Trino what `pixlake query` answers, over the very same files."""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pixlake.iceberg.catalog import connect, load_table, make_namespace, open_catalog
from pixlake.iceberg.lakes import DATABASE, Lake
from pixlake.schemas import TABLES
from pixlake_cli.sql.dialect import translate
from pixlake_cli.sql.warehouse import Limits, run_query
from tests.builders import zoo
from tests.builders.commands import run
from tests.project import ROOT
from tests.statements import statements
from tests.trino.answers import agree, order
from tests.trino.databases import Servers

QUERIES = {name: sql for name, sql in statements().items() if not name.startswith("merge")}
WEEK = 8 * 86_400_000
TIGER = "images/1F42F.png"
PARAMETERS = {
    "NearestImagesQuery": ["emoji", TIGER],
    "DisagreementQuery": ["subgroup", "emoji"],
    "WithAndWithoutImageQuery": ["zoo"],
    "WithoutImageQuery": ["zoo"],
    "RejectsQuery": ["emoji"],
    "LabelsQuery": ["emoji"],
}
"""For each saved query those that it answers with rows, on the sample and the zoo."""
SORTED_BY = {"NearestImagesQuery": 3, "DisagreementQuery": 3, "WithoutImageQuery": 0, "RejectsQuery": 2}
SORTED_BY |= {"LabelsQuery": 0, "cli.md 0": 1, "cli.md 3": 1, "make demo": 2}
"""The column that an answer is sorted by; equals may come in any order."""
EMPTY = {"report", "summary 0"}
"""Queries of an experiment that is not there."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The sample, run; and the zoo, whose records had no images eight days ago."""
    folder = tmp_path_factory.mktemp("answers") / "lake"
    done = run("run", ROOT / "samples/emoji.zip", "--lake", folder)
    assert done.exit_code == 0, done.stderr
    found = Lake.at(str(folder))
    changed = {"label": "thing", "modality": "tabular", "score": 0.25}
    before = [row | changed for row in zoo.PREDICTIONS if row.get("record_id")]
    zoo.put_rows(found, "predictions", before, "before")
    age(found, "predictions")
    zoo.fill(found)
    return found


def age(lake: Lake, name: str) -> None:
    """Let all snapshots of a table be eight days older."""
    metadata = Path(
        load_table(open_catalog(lake.uri, lake.catalog_uri), name).metadata_location.removeprefix("file://")
    )
    held = json.loads(metadata.read_text())
    for each in (*held["snapshots"], *held["snapshot-log"], *held.get("metadata-log", [])):
        each["timestamp-ms"] -= WEEK
    held["last-updated-ms"] -= WEEK
    metadata.write_text(json.dumps(held))


@pytest.fixture
def registered(lake: Lake, reached: None) -> Lake:  # noqa: ARG001  # its Glue
    register(lake)
    return lake


@cache
def register(lake: Lake) -> None:
    """Let Glue have the tables as they are in the folder's catalog, under the same name."""
    glue = connect(lake.uri, f"glue://{DATABASE}")
    for name in make_namespace(glue):
        glue.drop_table((DATABASE, name))
    for name in TABLES:
        table = load_table(open_catalog(lake.uri, lake.catalog_uri), name)
        glue.register_table((DATABASE, name), table.metadata_location)


def answer(lake: Lake, sql: str) -> list[Any]:
    """The rows that `pixlake query` answers."""
    assert lake.folder
    with run_query(lake, translate(sql, TABLES), Limits(1 << 30, lake.folder.parent, 1 << 30)) as reader:
        return [list(row.values()) for row in reader.read_all().to_pylist()]


def fill(sql: str, values: Sequence[str]) -> str:
    """The statement with its parameters."""
    given = iter(values)
    return re.sub(r"\?", lambda _: f"'{next(given)}'", sql)


@pytest.mark.parametrize("name", QUERIES)
def test_trino_answers_what_pixlake_query_answers(registered: Lake, servers: Servers, name: str) -> None:
    sql = fill(QUERIES[name], PARAMETERS.get(name, [])).replace("x.rejects", f"{DATABASE}.rejects")
    ours = answer(registered, sql)
    theirs = servers.trino.run(sql, DATABASE)
    assert bool(ours) == (name not in EMPTY)
    assert agree(order(theirs), order(ours)), (theirs[:3], ours[:3])
    if name in SORTED_BY:
        column = SORTED_BY[name]
        assert agree([row[column] for row in theirs], [row[column] for row in ours])


@pytest.mark.parametrize("kind", ["VERSION", "TIMESTAMP"])
def test_earlier_snapshots_are_the_same(registered: Lake, servers: Servers, kind: str) -> None:
    snapshots = load_table(open_catalog(registered.uri, registered.catalog_uri), "predictions").snapshots()
    counts = []
    for snapshot in snapshots:
        # a moment has milliseconds
        moment = f"from_unixtime({snapshot.timestamp_ms + 1} / 1e3)"
        where = snapshot.snapshot_id if kind == "VERSION" else moment
        sql = f"SELECT experiment_id, record_id, label FROM predictions FOR {kind} AS OF {where}"
        ours = answer(registered, sql)
        assert agree(order(servers.trino.run(sql, DATABASE)), order(ours))
        counts.append(len(ours))
    assert counts == sorted(counts)
    assert len(set(counts)) == 3
