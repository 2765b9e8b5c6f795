"""Whoever loads a model while another is pushed gets one version whole."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from pixlake import storage
from pixlake.bundles.folders import BundleFolder, open_folder, read_folder
from pixlake.bundles.transfers import pull_bundle, push_bundle
from pixlake.errors import BadBundle, BadRequest, StorageError
from tests.builders import tiny

WEEK = 7 * 24 * 3600


def make(tmp_path: Path, number: int, name: str = "tiny") -> BundleFolder:
    """A bundle like no other, outside of any lake; every second one has a file more."""
    bundle_lake = tiny.BundleLake(tmp_path / f"made-{number}")
    files = {"image.onnx": tiny.image_graph(tiny.WEIGHTS + number)}
    if number % 2:
        bundle_lake.embedder(name, files={**files, "text.onnx": tiny.text_graph(), "tokenizer.json": tiny.tokenizer()})
    else:
        bundle_lake.embedder(name, files=files, text=None)
    return read_folder((bundle_lake.folder / "models" / name).as_uri())


def check(folder: BundleFolder) -> str:
    folder.verify(folder.manifest.files)
    return folder.model


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def age(folder: Path) -> None:
    """As if all had been written a week ago."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - WEEK,) * 2)


@pytest.fixture
def at_every_write(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has something done before every object that is written, and after."""

    def install(act: Callable[[], object]) -> None:
        for name in ("write", "write_stream", "delete"):
            original: Callable[..., None] = getattr(storage, name)

            def acting(*arguments: Any, original: Callable[..., None] = original) -> None:
                act()
                original(*arguments)
                act()

            monkeypatch.setattr(storage, name, acting)

    return install


@pytest.mark.parametrize("copied", [False, True], ids=["over a pushed one", "over one that was copied there"])
def test_during_a_push_the_older_or_the_newer_version_is_whole_at_every_write(
    bundle_lake: tiny.BundleLake, tmp_path: Path, at_every_write: Any, copied: bool
) -> None:
    older, newer = make(tmp_path, 0), make(tmp_path, 1)
    if copied:
        Path(older.uri.removeprefix("file://")).rename(bundle_lake.folder / "models" / "tiny")
    else:
        push_bundle(older, bundle_lake.uri)
    age(bundle_lake.folder)
    before = open_folder(bundle_lake.uri, "tiny")
    seen: list[str] = []

    def look() -> None:
        seen.append(check(open_folder(bundle_lake.uri, "tiny")))
        check(before)

    at_every_write(look)
    push_bundle(newer, bundle_lake.uri)
    change = seen.index(newer.model)
    assert set(seen[:change]) == {older.model}
    assert set(seen[change:]) == {newer.model}


def test_concurrent_readers_see_one_version_whole(bundle_lake: tiny.BundleLake, tmp_path: Path) -> None:
    bundles = [make(tmp_path, number) for number in range(2)]
    push_bundle(bundles[0], bundle_lake.uri)
    seen: set[str] = set()
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                seen.add(check(open_folder(bundle_lake.uri, "tiny")))
        except BaseException as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(1, 40):
        push_bundle(bundles[turn % 2], bundle_lake.uri)
    done.set()
    reader.join()
    assert failures == []
    assert seen
    assert seen <= {each.model for each in bundles}


def test_a_version_can_be_read_after_a_newer_one_is_pushed(bundle_lake: tiny.BundleLake, tmp_path: Path) -> None:
    older, newer = make(tmp_path, 0), make(tmp_path, 1)
    push_bundle(older, bundle_lake.uri)
    age(bundle_lake.folder)
    push_bundle(newer, bundle_lake.uri)
    assert check(open_folder(bundle_lake.uri, older.model)) == older.model


def test_pushing_the_same_bundle_again_changes_nothing(bundle_lake: tiny.BundleLake, tmp_path: Path) -> None:
    for number in range(3):
        push_bundle(make(tmp_path, number), bundle_lake.uri)
    age(bundle_lake.folder)
    before = tree(bundle_lake.folder)
    push_bundle(read_folder((tmp_path / "made-2" / "models" / "tiny").as_uri()), bundle_lake.uri)
    assert tree(bundle_lake.folder) == before


@pytest.mark.parametrize("movable", [True, False])
def test_a_bundle_that_nobody_else_has_is_moved_where_it_can_be(
    bundle_lake: tiny.BundleLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, movable: bool
) -> None:
    source = make(tmp_path, 1)
    if not movable:
        monkeypatch.setattr(storage, "move", lambda *_: False)
    push_bundle(source, bundle_lake.uri, moved=True)
    assert check(open_folder(bundle_lake.uri, "tiny")) == source.model
    assert Path(storage.local_path(source.uri) or "", "image.onnx").exists() != movable


def test_a_damaged_version_is_repaired_by_pushing_it_again(bundle_lake: tiny.BundleLake, tmp_path: Path) -> None:
    source = make(tmp_path, 1)
    push_bundle(source, bundle_lake.uri)
    (bundle_lake.folder / "models" / "tiny" / source.version / "image.onnx").write_bytes(b"?")
    with pytest.raises(BadBundle):
        check(open_folder(bundle_lake.uri, "tiny"))
    push_bundle(source, bundle_lake.uri)
    assert check(open_folder(bundle_lake.uri, "tiny")) == source.model


def test_old_versions_are_deleted_by_a_later_push(bundle_lake: tiny.BundleLake, tmp_path: Path) -> None:
    versions = []
    for number in range(4):
        source = make(tmp_path, number)
        push_bundle(source, bundle_lake.uri)
        versions.append(source.version)
        if number < 2:
            age(bundle_lake.folder)
    kept = {path.parent.name for path in (bundle_lake.folder / "models" / "tiny").glob("*/image.onnx")}
    # of the two that are old, the second was served when the third came and gone when the fourth came
    assert kept == {versions[2], versions[3]}


def test_a_copied_bundles_files_are_deleted_one_push_later(bundle_lake: tiny.BundleLake, tmp_path: Path) -> None:
    home = bundle_lake.folder / "models" / "tiny"
    Path(make(tmp_path, 1).uri.removeprefix("file://")).rename(home)
    age(bundle_lake.folder)
    push_bundle(make(tmp_path, 2), bundle_lake.uri)
    assert (home / "text.onnx").is_file()
    push_bundle(make(tmp_path, 3), bundle_lake.uri)
    assert [path.name for path in home.iterdir() if path.is_file()] == ["bundle.json"]


def test_a_failed_push_changes_nothing_for_readers(
    bundle_lake: tiny.BundleLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = make(tmp_path, 0), make(tmp_path, 1)
    push_bundle(older, bundle_lake.uri)
    original = storage.write_stream

    def fail(uri: str, chunks: Iterable[bytes | memoryview]) -> None:
        if uri.endswith("text.onnx"):
            raise StorageError(uri)
        original(uri, chunks)

    monkeypatch.setattr(storage, "write_stream", fail)
    with pytest.raises(StorageError):
        push_bundle(newer, bundle_lake.uri)
    assert check(open_folder(bundle_lake.uri, "tiny")) == older.model


def test_a_file_that_changes_while_it_is_pushed_is_not_served(bundle_lake: tiny.BundleLake, tmp_path: Path) -> None:
    older, newer = make(tmp_path, 0), make(tmp_path, 1)
    push_bundle(older, bundle_lake.uri)
    Path(newer.uri.removeprefix("file://"), "text.onnx").write_bytes(b"?")
    with pytest.raises(BadBundle, match="SHA-256"):
        push_bundle(newer, bundle_lake.uri)
    assert check(open_folder(bundle_lake.uri, "tiny")) == older.model


@pytest.mark.parametrize("name", ["../tiny", "a/b", ".tiny", ""])
def test_a_bundle_whose_name_is_no_folder_name_is_not_pushed(
    bundle_lake: tiny.BundleLake, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "made-1" / "models" / "tiny"
    make(tmp_path, 1)
    document = (folder / "bundle.json").read_text().replace('"name": "tiny"', f'"name": "{name}"')
    (folder / "bundle.json").write_text(document)
    with pytest.raises(BadBundle, match="use 1 to 100 letters"):
        push_bundle(read_folder(folder.as_uri()), bundle_lake.uri)
    assert tree(bundle_lake.folder) == {}


def test_a_pulled_bundle_equals_the_pushed_one(bundle_lake: tiny.BundleLake, tmp_path: Path) -> None:
    source = make(tmp_path, 1)
    push_bundle(source, bundle_lake.uri)
    pull_bundle(open_folder(bundle_lake.uri, "tiny"), tmp_path / "deep" / "copy")
    assert tree(tmp_path / "deep" / "copy") == tree(Path(source.uri.removeprefix("file://")))


def test_a_pull_does_not_overwrite_an_existing_folder(tmp_path: Path) -> None:
    source = make(tmp_path, 1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("mine")
    for folder in (tmp_path / "mine", tmp_path / "mine" / "notes"):
        with pytest.raises(BadRequest, match="is there already"):
            pull_bundle(source, folder)
    assert tree(tmp_path / "mine") == {"notes": b"mine"}


def test_a_damaged_bundle_is_not_pulled(tmp_path: Path) -> None:
    source = make(tmp_path, 1)
    Path(source.uri.removeprefix("file://"), "text.onnx").write_bytes(b"?")
    with pytest.raises(BadBundle, match="SHA-256"):
        pull_bundle(source, tmp_path / "into" / "copy")
    assert list((tmp_path / "into").iterdir()) == []
