"""`pixlake check`: what a run would leave out, without a run."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pixlake.experiments import Experiment, keep_experiment
from pixlake.images.decoding import FORMATS
from pixlake.settings import InferenceSettings
from tests.builders.commands import run
from tests.builders.model_lakes import image, make_lake, make_zip
from tests.builders.zips import DEFLATED, Part, build

PETS: dict[str, bytes | str] = {
    "pets.csv": "id,Age\n01,3\n02,5\n",
    "images/01.png": image(),
    "images/02-1.png": image(),
    "images/stray.png": image(),
}


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a check leaves nothing behind."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def check(*arguments: object) -> tuple[int, dict[str, Any]]:
    result = run("check", *arguments, "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, found


def reasons(found: dict[str, Any]) -> dict[str, str]:
    return {reject["source"]: reject["reason"] for reject in found["rejects"]}


def test_a_clean_upload_exits_with_0_and_its_counts(tmp_path: Path, own_temporary_folder: Path) -> None:
    code, found = check(make_zip(tmp_path / "pets.zip", PETS))
    assert (code, found) == (
        0,
        {
            "upload": str(tmp_path / "pets.zip"),
            "experiment": "pets",
            "images": 3,
            "records": 2,
            "with_image": 2,
            "orphans": 1,
            "id_column": "id",
            "rejects": [],
            "warnings": [],
        },
    )
    assert list(own_temporary_folder.iterdir()) == []


def test_what_is_left_out_exits_with_1_and_a_reason_each(tmp_path: Path) -> None:
    dirty = PETS | {
        "pets.csv": "id,Age\n01,3\n02,5\n,7\n02,6\n",
        "images/01.png": image()[:50],
        "images/02-1.png": b"",
        "notes.docx": b"x",
    }
    code, found = check(make_zip(tmp_path / "pets.zip", dirty))
    assert (code, found["images"], found["records"], found["with_image"]) == (1, 2, 2, 0)
    assert reasons(found) == {
        "images/01.png": "truncated",
        "images/02-1.png": "empty",
        "notes.docx": "unsupported_type",
        "pets.csv:4": "empty_id",
        "pets.csv:5": "duplicate_id",
    }


def test_an_image_of_too_many_bytes_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixlake_cli.checking.InferenceSettings", partial(InferenceSettings, max_image_bytes=100))
    code, found = check(make_zip(tmp_path / "a.zip", {"a.png": image(), "b.png": image() + bytes(99)}))
    assert (code, found["images"], reasons(found)) == (1, 2, {"b.png": "too_large"})


def test_a_member_that_is_damaged_is_no_image_of_the_upload(tmp_path: Path) -> None:
    path = tmp_path / "pets.zip"
    path.write_bytes(build(Part(b"a.png", image(), crc=1), Part(b"b.png", image())))
    code, found = check(path)
    assert (code, found["images"], reasons(found)) == (1, 1, {"a.png": "crc_mismatch"})


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((Part(b"../a.png", image()),), "unsafe_path"),
        ((Part(b"a.png", bytes(4_000), DEFLATED, size=100),), "bomb"),
        ((), "empty_upload"),
    ],
)
def test_a_refused_upload_exits_with_2_and_why(tmp_path: Path, parts: tuple[Part, ...], reason: str) -> None:
    path = tmp_path / "pets.zip"
    path.write_bytes(build(*parts))
    code, found = check(path)
    assert code == 2
    assert found["refused"].startswith(f"{reason}: ")


def test_folders_and_loose_images_are_checked_like_zips(tmp_path: Path) -> None:
    for name, data in PETS.items():
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    assert check(tmp_path / "pets")[1]["records"] == 2
    code, found = check(*sorted((tmp_path / "pets/images").iterdir()), "--experiment", "loose")
    assert (code, found["experiment"], found["images"], found["orphans"]) == (0, "loose", 3, 3)
    assert run("check", tmp_path / "pets", tmp_path / "pets/pets.csv").exit_code == 2


def test_the_models_that_are_named_are_those_of_the_lake(tmp_path: Path) -> None:
    options = {"classifier": {"without_image": "ages"}, "embedder": "tiny"}
    table = {"pets.csv": "id,Name\n01,Rex\n02,Ann\n", "pixlake.json": json.dumps(options)}
    upload, lake = make_zip(tmp_path / "pets.zip", PETS | table), make_lake(tmp_path / "lake")
    code, found = check(upload)
    assert code == 0
    assert [warning.partition(" is not checked")[0] for warning in found["warnings"]] == [
        "The model 'tiny' for embedder",
        "The model 'ages' for without_image",
    ]
    (warning,) = check(upload, "--lake", lake.folder)[1]["warnings"]
    assert "reads 1 columns, and the table lacks 'Age': it predicts as from empty cells" in warning
    (lake.folder / "models/ages/bundle.json").write_text("{}")  # type: ignore[operator]
    code, found = check(upload, "--lake", lake.folder)
    assert (code, "bundle.json" in found["refused"]) == (2, True)


def test_the_id_column_is_that_of_the_experiment(tmp_path: Path) -> None:
    upload, lake = make_zip(tmp_path / "pets.zip", PETS), make_lake(tmp_path / "lake")
    keep_experiment(lake.uri, "pets", Experiment("code", "file:///first.zip"))
    code, found = check(upload, "--lake", lake.folder)
    assert (code, found["refused"].partition(":")[0]) == (2, "other_id_column")
    assert check(upload, "--lake", lake.folder, "--experiment", "other")[0] == 0


def test_for_people_it_says_each_reason_with_examples_and_a_verdict(tmp_path: Path) -> None:
    broken = {f"images/bad{number}.png": b"x" for number in range(5)}
    result = run("check", make_zip(tmp_path / "pets.zip", PETS | broken))
    assert result.stdout.splitlines() == [
        f"{tmp_path}/pets.zip: 8 images, 6 of them without a record; 2 records, 2 of them with an image",
        "Id column: id",
        "5 not_an_image (embed)",
        *(f"  images/bad{number}.png: no image in one of the formats {', '.join(FORMATS)}" for number in range(3)),
        "  and 2 more",
        "5 would be rejected; --json lists every one",
    ]
    assert run("check", make_zip(tmp_path / "clean.zip", PETS)).stdout.splitlines()[-1] == (
        "Clean: nothing would be left out"
    )


def test_an_upload_is_checked_with_the_settings_of_a_run(tmp_path: Path) -> None:
    table = {"pets.csv": "id,Name,photo\n01,Rex,images/stray.png\n02,Ann,images/none.png\n"}
    upload = make_zip(tmp_path / "pets.zip", PETS | table)
    assert check(upload)[1]["with_image"] == 2
    code, found = check(upload, "--set", "image_column=photo", "--complete")
    assert (code, found["with_image"], reasons(found)) == (1, 1, {"pets.csv:3": "image_not_found"})
    assert "id_colum" in check(upload, "--set", "id_column=code")[1]["refused"]
    refused = run("check", upload, "--set", "id_colum=id")
    assert (refused.exit_code, "is id_column meant?" in refused.stderr) == (2, True)


def test_an_upload_with_warnings_is_not_called_clean(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "pets.csv": "id,Name\n01,Rex\n02,Ann\n",
        "a.png": image(),
        "b.png": image(),
        "c.png": image(),
    }
    result = run("check", make_zip(tmp_path / "pets.zip", files))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "Nothing would be left out, but look at the warnings",
    )


def test_a_bucket_is_no_lake_to_check_against(tmp_path: Path) -> None:
    result = run("check", make_zip(tmp_path / "pets.zip", PETS), "--lake", "s3://bucket")
    assert (result.exit_code, "a folder" in result.stderr) == (2, True)
