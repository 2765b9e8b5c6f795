"""A failed execution goes on in the state that failed, as a redrive lets it, and ends as if nothing had been."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine import definition, template
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.sandbox import Answer
from pixlake_cli.engine.template import REGION
from tests.builders.model_lakes import MODELS, Row, image, make_lake, make_zip, rows
from tests.deployment.redriving import execution_arn, go_on, make_machine, read_input
from tests.project import ROOT
from tests.workflow.stacks import hasten

RESULTS = ("embeddings", "predictions", "records")
PETS: dict[str, bytes | str] = {
    "pets.csv": "id,Age\n01,3\n02,5\n03,7\n",
    "01.png": image((255, 0, 0)),
    "02-1.png": image((0, 255, 0)),
    "stray.png": image((9, 9, 9)),
    "bad.png": b"no image",
}
# what differs between two executions of one upload in two experiments
OWN = {"experiment_id", "image_uri", "processed_at", "execution_id", "started_at", "finished_at"}


@dataclass
class Redrives:
    """A warm engine with short waits between retries, on a lake of its own."""

    engine: Engine
    lake: Lake
    upload: Path
    definition: dict[str, Any]

    def run(self, name: str) -> Outcome:
        request = {"upload_uri": f"file://{self.upload}", "experiment_id": name}
        return self.engine.execute(name, request)

    def redrive(self, failed: Outcome) -> dict[str, Any]:
        """Go on in the state that failed; how that ends."""
        given = read_input(failed.event["detail"]["executionArn"], failed.state)
        return go_on(make_machine(self.definition, failed.state), failed.name, given)

    def found(self, experiment: str) -> dict[str, list[Row]]:
        """The rows of one experiment, but for what is an execution's own."""
        return {
            table: [
                {key: value for key, value in row.items() if key not in OWN} for row in self.rows(table, experiment)
            ]
            for table in RESULTS
        }

    def rows(self, table: str, experiment: str) -> list[Row]:
        return rows(self.lake, table, experiment)

    def everything(self, experiment: str) -> tuple[dict[str, list[Row]], bytes]:
        """All that an execution shows of itself."""
        page = Path(self.lake.uri.removeprefix("file://")) / "reports" / f"{experiment}.html"
        return {table: self.rows(table, experiment) for table in (*RESULTS, "rejects", "executions")}, page.read_bytes()


@pytest.fixture(scope="module")
def redrives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redrives]:
    root = tmp_path_factory.mktemp("redrives")
    lake = make_lake(root / "lake")
    for name in ("template.yaml", "functions", "layers", "models"):
        (root / name).symlink_to(ROOT / name)
    (root / "statemachine").mkdir()
    hasten(ROOT / "statemachine/ingest.asl.yaml", root / "statemachine/ingest.asl.yaml")
    deployment = template.load(root / "template.yaml", MODELS, {"LakeBucket": "lake"})
    upload = make_zip(root / "pets.zip", PETS)
    machine = definition.load(deployment.definition, deployment.substitutions)
    with Engine(lake.uri, lake.catalog_uri, MODELS, root) as engine:
        made = Redrives(engine, lake, upload, machine)
        assert made.run("undisturbed").status == "SUCCEEDED"
        yield made
    shutil.rmtree(engine.logs, ignore_errors=True)


@contextmanager
def dying(engine: Engine, function: str) -> Iterator[None]:
    """Every worker of the function dies for the length of the block."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.01):
            for pid in engine.workers()[function]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


@pytest.mark.parametrize(
    ("state", "function"),
    [("Extract", "Extract"), ("Split", "Split"), ("Infer", "Embed"), ("Compact", "Compact"), ("Report", "Report")],
)
def test_a_redriven_execution_leaves_the_same_objects_and_rows_as_an_undisturbed_one(
    redrives: Redrives, state: str, function: str
) -> None:
    name = f"redriven-{state}"
    with dying(redrives.engine, f"{function}Function"):
        failed = redrives.run(name)
    assert (failed.status, failed.state) == ("FAILED", state)
    (row,) = redrives.rows("executions", name)
    assert (row["execution_id"], row["status"], row["rejected"]) == (name, "FAILED", 1)
    failure = [reject for reject in redrives.rows("rejects", name) if reject["source"].startswith("file:")]
    assert len(failure) == 1

    assert redrives.redrive(failed)["status"] == "SUCCEEDED"
    assert redrives.found(name) == redrives.found("undisturbed")
    (ours,), (plain,) = redrives.rows("executions", name), redrives.rows("executions", "undisturbed")
    assert {**ours, **dict.fromkeys(OWN)} == {**plain, **dict.fromkeys(OWN)}
    rejects = [reject for reject in redrives.rows("rejects", name) if reject not in failure]
    assert [reject["source"] for reject in rejects] == ["bad.png"]

    # the event of the failure once more, as EventBridge may deliver it, and only now
    before = redrives.everything(name)
    answer = json.loads(redrives.engine.invoke("RecordFailureFunction", json.dumps(failed.event).encode()).payload)
    assert answer["status"] == "SUCCEEDED"
    assert redrives.everything(name) == before


def test_a_failed_redrive_is_recorded_again(redrives: Redrives) -> None:
    with dying(redrives.engine, "SplitFunction"):
        failed = redrives.run("twice")
        before = redrives.rows("executions", "twice")
        again = redrives.redrive(failed)
    assert again["status"] == "FAILED"
    event = {**failed.event, "detail": {**failed.event["detail"], "stopDate": round(time.time() * 1000)}}
    redrives.engine.invoke("RecordFailureFunction", json.dumps(event).encode())
    ((first,), (second,)) = before, redrives.rows("executions", "twice")
    assert first["finished_at"] < second["finished_at"]
    assert first["started_at"] == second["started_at"]


class Aborter:
    """Sees Split begin, and aborts the execution then."""

    def __init__(self, execution: str) -> None:
        self.arn = execution_arn("IngestStateMachine", execution)

    def invoked(self, function: str) -> None:
        if function == "SplitFunction":
            client = boto3.client("stepfunctions", region_name=REGION)
            client.stop_execution(executionArn=self.arn)

    def answered(self, function: str, answer: Answer) -> None:
        pass


def test_an_aborted_execution_is_recorded(redrives: Redrives) -> None:
    request = {"upload_uri": f"file://{redrives.upload}", "experiment_id": "aborted"}
    outcome = redrives.engine.execute("aborted", request, Aborter("aborted"))
    assert (outcome.status, outcome.state) == ("ABORTED", "Split")
    (row,) = redrives.rows("executions", "aborted")
    assert row["status"] == "ABORTED"
    (reject,) = redrives.rows("rejects", "aborted")
    assert reject["reason"] == "ABORTED"
