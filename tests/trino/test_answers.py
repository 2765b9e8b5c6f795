"""Every query that is saved or shown answers on Trino what `pixlake query` answers, over the very same files."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pixlake.bundles.folders import read_folder
from pixlake.iceberg.catalog import connect, load_table, make_namespace, open_catalog
from pixlake.iceberg.lakes import DATABASE, Lake
from pixlake.schemas import TABLES
from pixlake.sql.dialect import translate
from pixlake.sql.warehouse import Limits, run_query
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
SORTED_BY |= {"LabelsQuery": 0, "cli.md 1": 1, "cli.md 5": 1, "photographs.md 1": 1, "make demo": 2}
"""The column that an answer is sorted by; equals may come in any order."""
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of the upload that the reports' queries name; those of changes name the moments after it."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The sample, run; the zoo, whose records had no images eight days ago; and the experiments that pages name."""
    folder = tmp_path_factory.mktemp("answers") / "lake"
    put_examples(Lake.at(str(folder)))
    done = run("run", ROOT / "samples/emoji.zip", "--lake", folder)
    assert done.exit_code == 0, done.stderr
    found = Lake.at(str(folder))
    changed = {"label": "thing", "modality": "tabular", "score": 0.25}
    before = [row | changed for row in zoo.PREDICTIONS if row.get("record_id")]
    zoo.put_rows(found, "predictions", before, "before")
    age(found, "predictions")
    zoo.fill(found)
    return found


def put_examples(lake: Lake) -> None:
    """Experiments of which one record was changed on New Year's Day, and in that of vases by now."""
    cat, none = ({**row, "uploaded_at": NEW_YEAR} for row in zoo.RECORDS)
    earlier = {**cat, "attributes": [("name", "kat")], "uploaded_at": NEW_YEAR - timedelta(days=1)}
    for experiment in ("my-pets", "vases"):
        zoo.put_rows(lake, "records", [earlier, none], f"{experiment} before", experiment)
    set_back(lake, "records", NEW_YEAR)
    zoo.put_rows(lake, "records", [cat], "my-pets after", "my-pets")
    set_back(lake, "records", NEW_YEAR + timedelta(hours=12))
    zoo.put_rows(lake, "records", [cat], "vases after", "vases")
    lost = {"source": "cat.png", "stage": "infer", "reason": "batch_lost", "detail": "embed-000000"}
    for name, rows in {"embeddings": zoo.EMBEDDINGS, "predictions": zoo.PREDICTIONS, "rejects": [lost]}.items():
        zoo.put_rows(lake, name, [row | {"uploaded_at": NEW_YEAR} for row in rows], "my-pets", "my-pets")
    zoo.put_rows(lake, "predictions", zoo.PREDICTIONS, "holiday", "holiday")
    named = {"model": read_folder((ROOT / "bundles/imagenet-lite0").as_uri()).model, "label": "espresso"}
    zoo.put_rows(lake, "predictions", [row | named for row in zoo.PREDICTIONS], "photographs", "photographs")


def age(lake: Lake, name: str) -> None:
    """Let all snapshots of a table be eight days older."""
    with metadata(lake, name) as held:
        for each in (*held["snapshots"], *held["snapshot-log"], *held.get("metadata-log", [])):
            each["timestamp-ms"] -= WEEK
        held["last-updated-ms"] -= WEEK


def set_back(lake: Lake, name: str, moment: datetime) -> None:
    """Let no snapshot of a table be younger than `moment`."""
    latest = int(moment.timestamp() * 1000)
    with metadata(lake, name) as held:
        for each in (*held["snapshots"], *held["snapshot-log"], *held.get("metadata-log", [])):
            each["timestamp-ms"] = min(each["timestamp-ms"], latest)
        held["last-updated-ms"] = min(held["last-updated-ms"], latest)


@contextmanager
def metadata(lake: Lake, name: str) -> Iterator[dict[str, Any]]:
    """The current metadata of a table, to be changed."""
    found = load_table(open_catalog(lake.uri, lake.catalog_uri), name).metadata_location
    path = Path(found.removeprefix("file://"))
    held = json.loads(path.read_text())
    yield held
    path.write_text(json.dumps(held))


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
    sql = fill(QUERIES[name], PARAMETERS.get(name, []))
    ours = answer(registered, sql)
    theirs = servers.trino.run(sql, DATABASE)
    assert ours
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
    # of two experiments of examples, the labels that two pages join, the sample, the zoo before and after
    assert len(set(counts)) == 6
