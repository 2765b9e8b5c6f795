"""Vectors that stay in memory are those of the table as it is now."""

from pathlib import Path

import numpy as np
import pytest

from pixlake.errors import MissingObject
from pixlake.iceberg.lakes import Lake
from pixlake.iceberg.rows import ParquetRows
from pixlake.search.resident import Resident
from pixlake.settings import MaintainSettings
from pixlake.steps.maintain import maintain
from tests.builders.zoo import MODEL, fill, folder_of, put_rows

QUERY = np.array([0.6, 0.8, 0.0], np.float32)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return fill(Lake.at(str(tmp_path / "lake")))


@pytest.fixture
def resident(lake: Lake) -> Resident:
    return Resident(lake)


def paths(resident: Resident, experiment: str | None = None, count: int = 9) -> list[str]:
    return [hit.image_path for hit in resident.read(experiment).find_nearest(MODEL, QUERY, count)]


def test_a_commit_is_seen_with_the_next_question(resident: Resident, lake: Lake) -> None:
    assert paths(resident) == ["lion.png", "cat.png", "car.png"]
    put_rows(lake, "embeddings", [{"image_path": "dog.png", "embedding": [0.6, 0.8, 0.0]}], "2", "others")
    assert paths(resident)[0] == "dog.png"
    assert resident.count() == {"others": 1, "zoo": 3}


def test_vectors_are_read_once_and_a_commit_costs_its_new_files(
    resident: Resident, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    batches = ParquetRows.batches

    def counted(rows: ParquetRows, columns: list[str]) -> object:
        read.append(rows.name)
        return batches(rows, columns)

    monkeypatch.setattr(ParquetRows, "batches", counted)
    assert paths(resident) == paths(resident) == paths(resident, "zoo")
    assert len(read) == 2, "for the models' names, and for the index"
    put_rows(lake, "embeddings", [{"image_path": "dog.png", "embedding": [0.6, 0.8, 0.0]}], "2", "others")
    read.clear()  # the commit reads, too
    paths(resident, "zoo")
    assert read == []
    paths(resident)
    assert len(read) == 2


def test_indexes_of_files_that_are_gone_go_with_the_next_question(resident: Resident, lake: Lake) -> None:
    put_rows(lake, "embeddings", [{"image_path": "dog.png", "embedding": [0.6, 0.8, 0.0]}], "2")
    found = paths(resident)
    old = set(folder_of(lake).glob("indexes/*/*"))
    maintain(MaintainSettings(lake.uri, lake.catalog_uri))  # packs the two files into one
    assert paths(resident) == found
    new = set(folder_of(lake).glob("indexes/*/*"))
    assert (len(old), len(new), old & new) == (4, 2, set())


def test_what_there_is_not_is_said(resident: Resident) -> None:
    everything, nothing = resident.read(), resident.read("none")
    with pytest.raises(MissingObject, match=r"experiment 'none' of .* has no embeddings yet"):
        nothing.choose(None)
    with pytest.raises(MissingObject, match=r"no embeddings by the model other"):
        everything.choose("other")
    with pytest.raises(MissingObject, match=r"no image 'dog.png'"):
        everything.find_uri("dog.png")
    with pytest.raises(MissingObject, match=r"no image 'cat.png' with a vector by other@1"):
        everything.find_vector("other@1", "cat.png")
    assert everything.find_vector(MODEL, "cat.png").tolist() == [1.0, 0.0, 0.0]
