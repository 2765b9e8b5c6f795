"""`pixlake run` as a person starts it: what it prints and leaves, and at once with another."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.provision import put_models
from pixlake_cli.engine.root import ROOT
from tests.builders import commands
from tests.builders.model_lakes import image, make_lake, make_zip, rows
from tests.builders.pet_runs import PETS, RIGHT, SETTINGS, STATES, ids, run, start


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_zip(tmp_path_factory.mktemp("uploads") / "pets.zip", PETS)


@pytest.fixture(scope="module")
def three(model_lake: Lake, pets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, str]:
    """A good upload, a bad one and two images, in one run: its exit code, and what it says."""
    folder = tmp_path_factory.mktemp("loose", numbered=False)
    evil = make_zip(folder / "evil.zip", {"/etc/evil.png": image()})
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(image())
    return run(model_lake, pets, evil, folder / "a.png", folder / "b.png", "--embedder", "tiny", "--json")


@pytest.fixture(scope="module")
def warm(model_lake: Lake) -> Iterator[Engine]:
    """An engine that is up already."""
    assert model_lake.folder
    put_models(ROOT / "bundles", model_lake.folder)
    with Engine(model_lake.uri, model_lake.catalog_uri) as engine:
        yield engine


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
        outcome = warm.execute(f"removal-{upload.stem}", request)
        assert outcome.status == "SUCCEEDED", outcome
        effects.append(outcome.output["effects"])
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
