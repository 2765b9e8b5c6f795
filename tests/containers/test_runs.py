"""`pixlake run --containers`: the state machine over the containers makes the lake that worker processes make."""

import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.provision import put_models
from pixlake_cli.engine.sandbox import Answer
from tests.builders.model_lakes import Row, rows
from tests.project import ROOT

PARAMETERS = {"Embedder": "emoji-clip"}
SAMPLE = ROOT / "samples/emoji.zip"
MOMENTS = {"processed_at", "started_at", "finished_at"}


class Stopwatch:
    """Seconds of each function's invocations, in their order: the first is cold."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._begun: dict[int, float] = {}

    def invoked(self, function: str) -> None:  # noqa: ARG002
        self._begun[threading.get_ident()] = time.monotonic()

    def answered(self, function: str, answer: Answer) -> None:
        assert not answer.failed, answer.payload
        self.seconds[function].append(time.monotonic() - self._begun[threading.get_ident()])


def execute(engine: Engine, name: str, watch: Stopwatch | None = None) -> Outcome:
    # told, as a file's time reaches a container in whole seconds, as from S3
    request = {"upload_uri": f"file://{SAMPLE}", "experiment_id": "emoji", "uploaded_at": "2026-11-01T12:00:00Z"}
    outcome = engine.execute(name, request, watch)
    assert outcome.status == "SUCCEEDED", (outcome.state, outcome.error, outcome.cause)
    return outcome


def contents(lake: Lake) -> dict[str, list[Row]]:
    """All rows, with places told from the lake's folder, and without the moments at which they were made."""
    return {name: [_plain(row, lake) for row in rows(lake, name)] for name in TABLES}


def _plain(row: Row, lake: Lake) -> dict[str, Any]:
    kept = {key: value for key, value in row.items() if key not in MOMENTS}
    return {key: value.removeprefix(lake.uri) if isinstance(value, str) else value for key, value in kept.items()}


def left_over() -> str:
    networks = ["docker", "network", "ls", "--quiet", "--filter", "name=^pixlake-[0-9a-f]{8}$"]
    return subprocess.run(networks, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def lakes(tmp_path: Path) -> tuple[Lake, Lake]:
    for name in ("containers", "processes"):
        put_models(ROOT / "bundles", tmp_path / name)
    return Lake.at(str(tmp_path / "containers")), Lake.at(str(tmp_path / "processes"))


def test_containers_make_the_rows_that_processes_make(lakes: tuple[Lake, Lake]) -> None:
    contained, plain = lakes
    watch = Stopwatch()
    with Engine(contained.uri, contained.catalog_uri, PARAMETERS, containers=True) as engine:
        execute(engine, "first", watch)
        cold = {function: seconds[0] for function, seconds in watch.seconds.items()}
        execute(engine, "second", watch)
    assert not left_over()
    with Engine(plain.uri, plain.catalog_uri, PARAMETERS) as engine:
        for name in ("first", "second"):
            execute(engine, name)
    assert contents(contained) == contents(plain)
    assert {name: len(found) for name, found in contents(plain).items() if name != "rejects"} == {
        "embeddings": 642,
        "predictions": 608,
        "records": 608,
        "links": 622,
        "executions": 2,
    }
    for function, seconds in cold.items():
        print(f"{function:22} {seconds:5.1f} s cold, {min(watch.seconds[function][1:]):5.2f} s warm, over HTTP")
