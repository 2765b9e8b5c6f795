"""`pixlake run` as a person starts it: what it prints and leaves, at once with another, interrupted, and killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine.engine import Engine
from tests.builders import commands
from tests.builders.model_lakes import image, make_lake, make_zip, rows

PIXLAKE = Path(sys.executable).with_name("pixlake")
SETTINGS = json.dumps({"embedder": "tiny", "classifier": {"with_image": "colors", "without_image": "ages"}})
PETS: dict[str, bytes | str] = {
    "pixlake.json": SETTINGS,
    "pets.csv": "id,Age\n" + "".join(f"{number:03},{number}\n" for number in range(30)),
    **{f"{number:03}.png": image((number * 8, 0, 0)) for number in range(25)},
}
STATES = ["Plan", "Extract", "Split", "Infer", "Compact", "Report"]


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_zip(tmp_path_factory.mktemp("uploads") / "pets.zip", PETS)


@pytest.fixture(scope="module")
def warm(model_lake: Lake) -> Iterator[Engine]:
    """An engine that is up already, beside those that are killed."""
    with Engine(model_lake.uri, model_lake.catalog_uri) as engine:
        yield engine


def start(model_lake: Lake, *arguments: str | Path) -> "subprocess.Popen[str]":
    command = [str(PIXLAKE), "run", *map(str, arguments), "--lake", str(model_lake.folder)]
    # a user's AWS account and proxy must not matter
    elsewhere = {"AWS_PROFILE": "nobody", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    environment = {**os.environ, **elsewhere, "TMPDIR": str(model_lake.folder)}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=_take_interrupts,
    )


def _take_interrupts() -> None:
    """A shell has its background jobs ignore SIGINT, and the tests may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(model_lake: Lake, *arguments: str | Path) -> tuple[int, str, str]:
    with start(model_lake, *arguments) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def until(process: "subprocess.Popen[str]", word: str) -> None:
    """Read what the run says until it says `word`."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line.split():
            return
    pytest.fail(f"the run ended before it said {word}")


def ids(model_lake: Lake, experiment: str) -> dict[str, list[str]]:
    columns = {"embeddings": "image_path", "predictions": "record_id", "records": "record_id", "rejects": "source"}
    return {table: [row[column] for row in rows(model_lake, table, experiment)] for table, column in columns.items()}


NOTHING: dict[str, list[str]] = {"embeddings": [], "predictions": [], "records": [], "rejects": []}
RIGHT = {
    "embeddings": [f"{number:03}.png" for number in range(25)],
    "predictions": [f"{number:03}" for number in range(30)],
    "records": [f"{number:03}" for number in range(30)],
    "rejects": [],
}


@pytest.fixture(scope="module")
def three(model_lake: Lake, pets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, str]:
    """A good upload, a bad one and two images, in one run: its exit code, and what it says."""
    folder = tmp_path_factory.mktemp("loose", numbered=False)
    evil = make_zip(folder / "evil.zip", {"/etc/evil.png": image()})
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(image())
    return run(model_lake, pets, evil, folder / "a.png", folder / "b.png", "--embedder", "tiny", "--json")


def test_a_successful_run_prints_a_summary_and_a_failed_one_its_cause(
    model_lake: Lake, three: tuple[int, str, str]
) -> None:
    code, out, err = three
    assert code == 1
    good, bad, _ = [json.loads(line) for line in out.splitlines()]
    assert (good["status"], good["embedded"], good["predicted"], good["records"]) == ("SUCCEEDED", 25, 30, 30)
    assert list(good["timings"]) == STATES
    assert Path(good["report"]).is_file()
    assert (bad["status"], bad["error"], bad["embedded"]) == ("FAILED", "BadUpload", 0)
    assert Path(bad["report"]).is_file()
    assert "Plan failed with BadUpload" in err
    told = commands.run("status", bad["execution"], "--lake", model_lake.folder).stdout
    assert "Failed:  Plan, BadUpload: " in told
    logged = commands.run("logs", good["execution"], "--lake", model_lake.folder).stdout
    assert [state for state in STATES if f" {state.replace('Infer', 'Embed')}: INFO done" in logged] == STATES
    assert 'pixlake query "SELECT record_id, label' in err
    assert "Traceback" not in err
    assert ids(model_lake, "pets") == RIGHT


def test_loose_images_are_one_upload(model_lake: Lake, three: tuple[int, str, str]) -> None:
    _, out, err = three
    loose = json.loads(out.splitlines()[-1])
    assert (loose["status"], loose["embedded"]) == ("SUCCEEDED", 2), err
    assert ids(model_lake, "loose")["embeddings"] == ["a.png", "b.png"]


def test_a_corrected_table_keeps_its_images_and_a_complete_upload_takes_away_the_rest(
    model_lake: Lake, warm: Engine, tmp_path: Path
) -> None:
    pets: dict[str, bytes | str] = {
        "pixlake.json": SETTINGS,
        "t.csv": "id,Age\n1,3\n2,5\n",
        "1.png": image(),
        "2.png": image(),
        "x.png": image(),
    }
    first = make_zip(tmp_path / "1.zip", pets)
    corrected = make_zip(tmp_path / "2.zip", {"pixlake.json": SETTINGS, "t.csv": "id,Age\n1,4\n2,5\n"})
    whole = make_zip(tmp_path / "3.zip", {"pixlake.json": SETTINGS, "t.csv": "id,Age\n1,4\n", "1.png": image()})
    for day, upload in enumerate((first, corrected, whole)):
        os.utime(upload, (1_700_000_000 + day, 1_700_000_000 + day))
    effects = []
    for upload in (first, corrected):
        request = {"upload_uri": f"file://{upload}", "experiment_id": "removal"}
        effects.append(warm.execute(f"removal-{upload.stem}", request).output["effects"])
    assert effects[0] == {"records": {"new": 2}, "embeddings": {"new": 3}, "predictions": {"new": 3}}
    assert effects[1] == {"records": {"replaced": 1, "unchanged": 1}, "embeddings": {}, "predictions": {"older": 2}}
    assert [row["image_paths"] for row in rows(model_lake, "records", "removal")] == [["1.png"], ["2.png"]]
    _, out, err = run(model_lake, whole, "--experiment", "removal", "--complete", "--json")
    assert json.loads(out)["effects"]["embeddings"] == {"unchanged": 1, "removed": 2}, err
    assert "predictions 1 unchanged, 2 removed" in err
    assert ids(model_lake, "removal") == {
        "records": ["1"],
        "embeddings": ["1.png"],
        "predictions": ["1"],
        "rejects": [],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.zip"], "does not exist"),
        ([], "Missing argument"),
        ([".", "--experiment", "a b"], "experiment 'a b'"),
        ([".", "--lake", "s3://bucket"], "works on a folder"),
    ],
)
def test_wrong_usage_exits_2(model_lake: Lake, arguments: list[str], said: str) -> None:
    lake = [] if "--lake" in arguments else ["--lake", model_lake.folder]
    done = commands.run("run", *lake, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_two_uploads_at_once_into_a_new_lake_lose_nothing(tmp_path: Path) -> None:
    model_lake = make_lake(tmp_path / "lake")
    halves = []
    for half in (range(15), range(15, 30)):
        table = "id,Age\n" + "".join(f"{number:03},{number}\n" for number in half)
        images = {name: data for name, data in PETS.items() if name.endswith(".png") and int(name[:3]) in half}
        halves.append(make_zip(tmp_path / f"{half.start}.zip", {"pixlake.json": SETTINGS, "t.csv": table, **images}))
    processes = [start(model_lake, half, "--experiment", "both") for half in halves]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert ids(model_lake, "both") == RIGHT


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
