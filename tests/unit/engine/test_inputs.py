"""What is given on the command line, as uploads."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from pixlake.errors import BadRequest, StorageError
from pixlake_cli.engine.inputs import Upload, find_uploads
from pixlake_cli.engine.provision import name_execution, put_models


@pytest.fixture
def lake_folder(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_each_zip_and_folder_is_one_upload(tmp_path: Path, lake_folder: Path) -> None:
    photos, pets = touch(tmp_path / "My photos!" / "a.png").parent, touch(tmp_path / "Pets 2.ZIP")
    assert find_uploads([photos, pets], lake_folder, None) == [
        Upload(f"file://{photos}/", "My-photos", str(photos)),
        Upload(f"file://{pets}", "Pets-2", str(pets)),
    ]


def test_loose_files_are_one_listing_named_by_its_content(tmp_path: Path, lake_folder: Path) -> None:
    files = [touch(tmp_path / "trip" / name) for name in ("b.jpg", "day 1/a.png")]
    (upload,) = find_uploads(files, lake_folder, None)
    assert upload.experiment_id == "trip"
    listing = Path(upload.uri.removeprefix("file://"))
    assert listing.is_relative_to(lake_folder / "uploads" / "trip")
    assert [json.loads(line) for line in listing.read_text().splitlines()] == [
        {"path": "b.jpg", "uri": f"file://{files[0]}"},
        {"path": "day 1/a.png", "uri": f"file://{files[1]}"},
    ]
    assert find_uploads(files[::-1], lake_folder, None) == [upload]
    assert find_uploads(files[:1], lake_folder, None) != [upload]


def test_a_given_experiment_holds_for_all_and_must_be_a_name(tmp_path: Path, lake_folder: Path) -> None:
    zips = [touch(tmp_path / "a.zip"), touch(tmp_path / "b.zip")]
    assert {upload.experiment_id for upload in find_uploads(zips, lake_folder, "pets")} == {"pets"}
    with pytest.raises(BadRequest, match="experiment 'my pets'"):
        find_uploads(zips, lake_folder, "my pets")


@pytest.mark.parametrize(
    ("name", "expected"), [("...", "upload"), ("_a_", "a_"), ("ä" * 9, "upload"), ("x" * 200, "x" * 100)]
)
def test_an_experiment_is_named_from_any_file_name(tmp_path: Path, lake_folder: Path, name: str, expected: str) -> None:
    (tmp_path / f"{name}.zip").touch()
    assert find_uploads([tmp_path / f"{name}.zip"], lake_folder, None)[0].experiment_id == expected


def test_a_folder_that_holds_the_lake_is_refused(tmp_path: Path, lake_folder: Path) -> None:
    with pytest.raises(BadRequest, match="holds the lake"):
        find_uploads([tmp_path], lake_folder, None)


def test_the_demo_models_are_copied_once_and_never_over_others(tmp_path: Path, lake_folder: Path) -> None:
    for name in ("one", "two"):
        touch(tmp_path / "bundles" / name / "bundle.json")
    mine = touch(lake_folder / "models" / "two" / "bundle.json")
    mine.write_text("mine")
    put_models(tmp_path / "bundles", lake_folder)
    put_models(tmp_path / "bundles", lake_folder)
    assert (lake_folder / "models" / "one" / "bundle.json").read_text() == "x"
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in (lake_folder / "models").iterdir()) == ["one", "two"]


def test_a_model_that_cannot_be_copied_is_one_error_and_leaves_nothing(
    tmp_path: Path, lake_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "bundles" / "a" / "bundle.json")

    def fail(_source: str, target: str, **_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", target)

    monkeypatch.setattr(shutil.copytree, "__defaults__", (False, None, fail, False, False))
    with pytest.raises(StorageError, match=r"models/a cannot be written: .*No space left on device"):
        put_models(tmp_path / "bundles", lake_folder)
    assert list((lake_folder / "models").iterdir()) == []


@pytest.mark.parametrize("name", ["pipe.png", "pipe.zip"])
def test_a_pipe_is_refused_for_reading_it_may_never_end(tmp_path: Path, lake_folder: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(BadRequest, match="neither a file nor a folder"):
        find_uploads([tmp_path / name], lake_folder, None)


def test_every_execution_has_a_unique_name(lake_folder: Path) -> None:
    upload = Upload("file:///x.zip", "e" * 100, "x.zip")
    names = [name_execution(upload, lake_folder) for _ in range(50)]
    assert len(set(names)) == 50
    assert all(len(name) <= 80 for name in names)
    assert all((lake_folder / "work" / name).is_dir() for name in names)


def test_a_path_with_dots_is_taken_from_the_root_and_a_link_keeps_its_name(
    tmp_path: Path, lake_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = touch(tmp_path / "pets" / "2026-11.zip")
    (here := tmp_path / "here").mkdir()
    (here / "latest.zip").symlink_to(target)
    monkeypatch.chdir(here)
    paths = [Path("../pets"), Path("../here/../here/latest.zip"), Path()]
    assert [(upload.uri, upload.experiment_id) for upload in find_uploads(paths, lake_folder, None)] == [
        (f"file://{tmp_path}/pets/", "pets"),
        (f"file://{here}/latest.zip", "latest"),
        (f"file://{here}/", "here"),
    ]
