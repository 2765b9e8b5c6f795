"""The branch of the state machine on which Athena merges, with DuckDB in Athena's place."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from pixlake.iceberg.lakes import Lake
from pixlake.iceberg.uploads import AGREEING
from pixlake.parts.handover import MERGED
from pixlake_cli.engine import definition, template
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.template import REGION
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows
from tests.deployment.athenas import MORE, RETRYABLE, TIMED_OUT, Queries, answering
from tests.deployment.redriving import go_on, make_machine, read_input
from tests.doubles.athena import Athena, open_athena
from tests.project import ROOT, read_definition

MACHINE = ROOT / "statemachine/compact_athena.asl.yaml"
LINKED = ["CREATE"]  # links are merged from the parts of records
ONCE = ["CREATE", "MERGE", "ALTER", "OPTIMIZE", "VACUUM"]


@dataclass
class Scale:
    """A warm engine whose stack compacts on Athena; each test has an Athena of its own. `merging` is the machine from
    the state that merges on."""

    engine: Engine
    lake: Lake
    merging: str
    numbers: "itertools.count[int]"
    planned: str = ""

    def run(self, upload: Path, queries: Queries) -> Outcome:
        number = next(self.numbers)
        request = {"upload_uri": f"file://{upload}", "experiment_id": f"pets-{number}"}
        with answering(queries):
            return self.engine.execute(f"run-{number}", request)

    def merge(self, upload: Path, queries: Queries) -> dict[str, Any]:
        """How the merge ends of an upload of tables, and what follows it; what comes before is run once."""
        if not self.planned:
            planned = self.run(upload, Queries(lambda _: None))
            self.planned = read_input(planned.event["detail"]["executionArn"], "CompactOnAthena")
        with answering(queries):
            return go_on(self.merging, f"merge-{next(self.numbers)}", self.planned)


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scale]:
    lake = make_lake(tmp_path_factory.mktemp("athena") / "lake")
    machine = definition.load(MACHINE, {"Partition": "aws", "WorkGroup": "merges", "Database": "pets"})
    states = machine["States"]["Tables"]["ItemProcessor"]["States"]
    for state in states.values():
        state.update({key: 1 for key in ("Seconds",) if key in state})
    parameters = {**MODELS, "CompactionEngine": "athena"}
    deployment = template.load(ROOT / "template.yaml", parameters, {"LakeBucket": "lake"})
    ingest = definition.load(deployment.definition, deployment.substitutions)
    with Engine(lake.uri, lake.catalog_uri, parameters, ROOT) as engine:
        client = boto3.client("stepfunctions", region_name=REGION)
        role = "arn:aws:iam::123456789012:role/laptop"
        client.create_state_machine(
            name="CompactAthenaStateMachine", definition=definition.to_json(machine), roleArn=role
        )
        yield Scale(engine, lake, make_machine(ingest, "CompactOnAthena"), itertools.count())
    shutil.rmtree(engine.logs, ignore_errors=True)


@pytest.fixture
def athena() -> Iterator[Athena]:
    with open_athena() as opened:
        yield opened


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return make_zip(tmp_path / "pets.zip", {"pets.csv": "id,Age\n01,3\n02,5\n"})


def test_an_upload_becomes_rows_on_athena(scale: Scale, athena: Athena, tmp_path: Path) -> None:
    members: dict[str, Any] = {"pets.csv": "id,Age\n01,3\n02,5\n", "a/01.png": image(), "a/bad.png": b"none"}
    queries = Queries(athena.run)
    outcome = scale.run(make_zip(tmp_path / "pets.zip", members), queries)
    assert outcome.status == "SUCCEEDED", (outcome.state, outcome.error, outcome.cause)
    assert {name: len(athena.rows(name)) for name in MERGED} == {
        "embeddings": 1,
        "predictions": 2,
        "records": 2,
        "rejects": 1,
        "links": 1,
    }
    (done,) = rows(scale.lake, "executions", outcome.output["experiment_id"])
    totals = ("images", "records", "embedded", "predicted", "rejected")
    assert {key: done[key] for key in totals} == {key: outcome.output[key] for key in totals}
    assert all(rows(scale.lake, name) == [] for name in MERGED)
    assert [it["QueryString"].split()[0] for it in queries.asked] == ONCE * (len(MERGED) + len(AGREEING))
    asked = [(it["WorkGroup"], it["QueryExecutionContext"]) for it in queries.asked]
    assert asked == [("merges", {"Database": "pets"})] * len(asked)


def test_optimize_and_vacuum_are_repeated_until_athena_is_done(scale: Scale, athena: Athena, table: Path) -> None:
    refusals = {
        "OPTIMIZE records": [MORE.format("OPTIMIZE")] * 3,
        "VACUUM rejects": [MORE.format("VACUUM")] * 2,
    }
    queries = Queries(athena.run, refusals=refusals)
    ended = scale.merge(table, queries)
    assert ended["status"] == "SUCCEEDED", ended
    assert queries.verbs("records") == [*LINKED, "CREATE", "MERGE", "ALTER", *["OPTIMIZE"] * 4, "VACUUM", *ONCE]
    assert queries.verbs("rejects") == ["CREATE", "MERGE", "ALTER", "OPTIMIZE", *["VACUUM"] * 3]
    assert queries.verbs("predictions") == ONCE * 2


def test_a_merge_conflict_is_retried_and_a_packing_conflict_left_to_the_next_upload(
    scale: Scale, athena: Athena, table: Path
) -> None:
    conflict = "ICEBERG_COMMIT_ERROR: Failed to commit the transaction during write"
    refusals = {'MERGE INTO "records"': [conflict], "OPTIMIZE records": [conflict], "VACUUM records": [conflict]}
    queries = Queries(athena.run, refusals=refusals)
    ended = scale.merge(table, queries)
    assert ended["status"] == "SUCCEEDED", ended
    assert queries.verbs("records") == [*LINKED, "CREATE", "MERGE", *ONCE, *ONCE]
    assert len(athena.rows("records")) == 2


@pytest.mark.parametrize("start", ["CREATE EXTERNAL TABLE", 'MERGE INTO "records"', "ALTER TABLE records"])
def test_a_retryable_failure_of_athena_is_retried(scale: Scale, athena: Athena, table: Path, start: str) -> None:
    queries = Queries(athena.run, refusals={start: [f"{RETRYABLE}: busy"]})
    ended = scale.merge(table, queries)
    assert ended["status"] == "SUCCEEDED", ended
    assert len(athena.rows("records")) == 2


def test_a_lasting_retryable_failure_of_athena_fails_after_all_retries(
    scale: Scale, athena: Athena, table: Path
) -> None:
    queries = Queries(athena.run, refusals={'MERGE INTO "records"': [f"{RETRYABLE}: busy"] * 99})
    ended = scale.merge(table, queries)
    assert (ended["status"], ended["state"]) == ("FAILED", "CompactOnAthena")
    assert queries.verbs("records").count("MERGE") == 7


@pytest.mark.parametrize("start", ["CREATE EXTERNAL TABLE", 'MERGE INTO "records"', "ALTER TABLE records"])
@pytest.mark.parametrize(
    "reason",
    ["PERMISSION_DENIED: not this table", "SYNTAX_ERROR: line 1:8", TIMED_OUT, "Query exhausted resources"],
)
def test_a_failure_that_is_not_retryable_is_not_retried(
    scale: Scale, athena: Athena, table: Path, start: str, reason: str
) -> None:
    queries = Queries(athena.run, refusals={start: [reason] * 9})
    ended = scale.merge(table, queries)
    assert (ended["status"], ended["state"]) == ("FAILED", "CompactOnAthena")
    assert reason in ended["cause"]
    assert sum(it["QueryString"].startswith(start) for it in queries.asked) == 1


def test_any_other_query_failure_fails_the_execution(scale: Scale, athena: Athena, table: Path) -> None:
    queries = Queries(athena.run, refusals={"VACUUM records": ["PERMISSION_DENIED: not this bucket"]})
    outcome = scale.run(table, queries)
    assert (outcome.status, outcome.state) == ("FAILED", "CompactOnAthena")
    assert "PERMISSION_DENIED: not this bucket" in outcome.cause
    (recorded,) = [row for row in rows(scale.lake, "executions") if row["execution_id"] == outcome.name]
    assert recorded["status"] == "FAILED"


def test_every_statement_has_one_state() -> None:
    states = read_definition(MACHINE)["States"]["Tables"]["ItemProcessor"]["States"]
    tasks = [state for state in states.values() if state["Type"] == "Task"]
    fields = [task["Parameters"]["QueryString.$"].removeprefix("$.") for task in tasks]
    assert fields == ["register", "merge", "keep", "optimize", "vacuum"]
    assert all(state["Comment"] for state in states.values())
