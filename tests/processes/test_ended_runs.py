"""`pixlake run` killed in each state, and interrupted."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine.engine import Engine
from tests.builders import commands
from tests.builders.model_lakes import make_lake, make_zip
from tests.builders.pet_runs import NOTHING, PETS, RIGHT, STATES, ids, start, until


@pytest.fixture(scope="module")
def model_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return make_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_zip(tmp_path_factory.mktemp("uploads") / "pets.zip", PETS)


@pytest.fixture(scope="module")
def warm(model_lake: Lake) -> Iterator[Engine]:
    """An engine that is up already, beside those that are killed."""
    with Engine(model_lake.uri, model_lake.catalog_uri) as engine:
        yield engine


@pytest.mark.parametrize("state", STATES)
def test_a_killed_run_leaves_no_partial_rows(model_lake: Lake, pets: Path, warm: Engine, state: str) -> None:
    experiment = f"killed-in-{state}"
    before = STATES[STATES.index(state) - 1] if state != "Plan" else "execution"
    with start(model_lake, pets, "--experiment", experiment) as process:
        until(process, before)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert workers
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    left = ids(model_lake, experiment)
    known = json.loads(
        commands.run("executions", "--experiment", experiment, "--lake", model_lake.folder, "--json").stdout
    )
    assert [each["status"] for each in known] in (["ABORTED"], ["SUCCEEDED"] if state == "Report" else ["ABORTED"])
    assert all(left[table] in (NOTHING[table], RIGHT[table]) for table in left)
    if state not in ("Compact", "Report"):
        assert left == NOTHING
    again = warm.execute(f"again-{state}", {"upload_uri": f"file://{pets}", "experiment_id": experiment})
    assert again.status == "SUCCEEDED", again
    assert ids(model_lake, experiment) == RIGHT


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_ends_its_workers_without_a_traceback(
    model_lake: Lake, pets: Path, number: signal.Signals, code: int
) -> None:
    with start(model_lake, pets, "--experiment", "stopped") as process:
        until(process, "Extract")
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    assert psutil.wait_procs(workers, timeout=10)[1] == []
