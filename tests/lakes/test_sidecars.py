"""The index of a data file: made once, found again, made anew where it is damaged, gone with its file."""

import os
from pathlib import Path

import numpy as np
import pytest

from pixlake.errors import CatalogError, StorageError
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.existing import ExistingFile, list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import EMBEDDINGS
from pixlake.search import sidecars
from pixlake.search.places import NEW, IndexPlaces, index_name, user_cache
from pixlake.search.sidecars import open_index
from pixlake.settings import MaintainSettings
from pixlake.steps.maintain import maintain
from tests.builders.commands import run
from tests.builders.zoo import MODEL, folder_of, put_rows

OTHER = "other@1"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def places(lake: Lake, tmp_path: Path) -> IndexPlaces:
    return IndexPlaces(lake.uri, tmp_path / "cache")


def put(lake: Lake, count: int) -> np.ndarray:
    """Commit as many images with vectors of three dimensions."""
    vectors = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    rows = [{"image_path": f"{row}.png", "embedding": vectors[row].tolist()} for row in range(count)]
    put_rows(lake, "embeddings", rows, "1")
    return vectors


def data_files(lake: Lake) -> list[ExistingFile]:
    return list(list_existing(load_table(open_catalog(lake.uri, lake.catalog_uri), "embeddings"), EMBEDDINGS, None))


def kept(places: IndexPlaces) -> list[Path]:
    return sorted(path for folder in places.folders() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("block", [1 << 16, 4])
def test_an_index_holds_every_vector_and_what_is_shown_of_its_image(
    lake: Lake, places: IndexPlaces, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecars, "_BLOCK", block)
    vectors = put(lake, 10)
    (file,) = data_files(lake)
    for _ in range(2):
        found = open_index(places, file, MODEL)
        rows = np.concatenate([sidecar.rows for sidecar in found])
        assert rows.tolist() == list(range(10))
        for sidecar in found:
            paths = sidecar.facts["image_path"].to_pylist()
            numbers = [int(path.removesuffix(".png")) for path in paths]
            exact = sidecar.read(np.arange(len(numbers)))
            np.testing.assert_array_equal(exact, vectors[numbers])
            decoded = sidecar.codes.values * sidecar.codes.scales[:, None]
            np.testing.assert_allclose(decoded, exact, atol=np.abs(vectors).max() / 250)


def test_an_index_is_made_once(lake: Lake, places: IndexPlaces, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, 10)
    (file,) = data_files(lake)
    open_index(places, file, MODEL)
    monkeypatch.setattr(sidecars, "_make", None)
    assert len(open_index(places, file, MODEL)) == 1
    names = [path.name for path in kept(places)]
    assert names == [f"{index_name(file.file.file_path)}{suffix}" for suffix in (".arrow", ".f32")]


def test_each_model_has_an_index_of_its_own(lake: Lake, places: IndexPlaces) -> None:
    put(lake, 4)
    rows = [{"image_path": "a.png", "embedding": [1.0, 2.0], "model": OTHER}]
    put_rows(lake, "embeddings", rows, "2")
    vectors: dict[str, list[tuple[int, ...]]] = {model: [] for model in (MODEL, OTHER, "none@1")}
    for model, found in vectors.items():
        for file in data_files(lake):
            found += [sidecar.codes.values.shape for sidecar in open_index(places, file, model)]
    assert sorted(vectors[OTHER]) == [(1, 2)]
    assert sum(count for count, _ in vectors[MODEL]) == 4
    assert vectors["none@1"] == []


@pytest.mark.parametrize("suffix", [".arrow", ".f32"])
@pytest.mark.parametrize("damage", [b"", b"ARROW1", None])
def test_a_damaged_index_is_made_again(lake: Lake, places: IndexPlaces, suffix: str, damage: bytes | None) -> None:
    vectors = put(lake, 10)
    (file,) = data_files(lake)
    open_index(places, file, MODEL)
    (index,) = (path for path in kept(places) if path.suffix == suffix)
    if damage is None:
        index.unlink()
    else:
        index.write_bytes(damage)
    (found,) = open_index(places, file, MODEL)
    np.testing.assert_array_equal(found.read(np.arange(10)), vectors)
    assert len(kept(places)) == 2


def test_vectors_that_are_cut_while_they_are_used_are_an_error(lake: Lake, places: IndexPlaces) -> None:
    put(lake, 10)
    (file,) = data_files(lake)
    (found,) = open_index(places, file, MODEL)
    (vectors,) = (path for path in kept(places) if path.suffix == ".f32")
    os.truncate(vectors, 20)
    with pytest.raises(StorageError, match="is cut"):
        found.read(np.array([9]))


def test_an_index_of_another_format_is_made_again(
    lake: Lake, places: IndexPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, 3)
    (file,) = data_files(lake)
    with monkeypatch.context() as patch:
        patch.setattr(sidecars, "_FORMAT", {b"pixlake.index": b"0"})
        open_index(places, file, MODEL)
    before = {path: path.stat().st_ino for path in kept(places)}
    open_index(places, file, MODEL)
    assert {path: path.stat().st_ino for path in kept(places)}.keys() == before.keys()
    assert all(path.stat().st_ino != inode for path, inode in before.items())


def test_a_lake_that_cannot_be_written_to_is_indexed_in_the_cache(lake: Lake, places: IndexPlaces) -> None:
    put(lake, 3)
    (file,) = data_files(lake)
    home, cache = places.folders()
    home.write_text("no folder can be here")
    assert len(open_index(places, file, MODEL)) == 1
    assert len(list((cache / MODEL).iterdir())) == 2
    with pytest.raises(StorageError, match="no index can be written"):
        open_index(IndexPlaces(lake.uri, home), file, MODEL)


def test_vectors_of_different_dimensions_are_refused(lake: Lake, places: IndexPlaces) -> None:
    rows = [{"image_path": f"{size}.png", "embedding": [1.0] * size} for size in (2, 3)]
    put_rows(lake, "embeddings", rows, "1")
    (file,) = data_files(lake)
    with pytest.raises(CatalogError, match="different dimensions"):
        open_index(places, file, MODEL)
    assert kept(places) == []


def test_a_bucket_is_indexed_in_the_cache_alone(tmp_path: Path) -> None:
    (only,) = IndexPlaces("s3://bucket", tmp_path).folders()
    assert only.parent == tmp_path
    assert list(IndexPlaces("s3://bucket").folders()) == []


def test_indexes_of_files_that_are_gone_are_deleted(lake: Lake, places: IndexPlaces) -> None:
    put(lake, 3)
    (first,) = data_files(lake)
    open_index(places, first, MODEL)
    put_rows(lake, "embeddings", [{"image_path": "new.png", "embedding": [1.0, 0.0, 0.0]}], "2", "others")
    for file in data_files(lake):
        open_index(places, file, MODEL)
    assert places.prune({first.file.file_path}) == 2
    assert {path.stem for path in kept(places)} == {index_name(first.file.file_path)}
    assert places.prune({first.file.file_path}) == 0


def test_maintenance_and_delete_take_away_the_indexes_of_files_that_no_row_is_in(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    places = IndexPlaces(lake.uri, user_cache())
    put(lake, 3)
    put_rows(lake, "embeddings", [{"image_path": "new.png", "embedding": [1.0, 0.0, 0.0]}], "2")
    for file in data_files(lake):
        open_index(places, file, MODEL)
    settings = MaintainSettings(lake.uri, lake.catalog_uri)
    maintain(settings)  # its last act is to pack the two files into one
    assert len(kept(places)) == 4
    maintain(settings)
    assert kept(places) == []
    (packed,) = data_files(lake)
    open_index(places, packed, MODEL)
    assert len(kept(places)) == 2
    assert run("delete", "--experiment", "zoo", "--lake", folder_of(lake), "--yes").exit_code == 0
    assert kept(places) == []


def test_a_file_that_is_being_written_stays_and_a_leftover_goes(places: IndexPlaces) -> None:
    folder = next(places.folders()) / MODEL
    folder.mkdir(parents=True)
    young, old = (folder / f"{name}{NEW}" for name in ("young", "old"))
    for path in (young, old):
        path.touch()
    os.utime(old, (0, 0))
    assert places.prune(()) == 1
    assert kept(places) == [young]


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "pixlake" / "indexes"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "pixlake" / "indexes"
