"""What the table embeddings holds is in S3 Vectors, and nothing else; what fails there harms no table."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from pixlake import storage
from pixlake.errors import MissingObject, StorageError, TransientError
from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.deletion import delete_rows
from pixlake.iceberg.lakes import Lake
from pixlake.messages import MirrorAnswer
from pixlake.search import s3vectors
from pixlake.search.mirrored import compare, list_mirrored
from pixlake.search.s3vectors import Entry, VectorIndex, index_of, is_taken, key_of
from pixlake.settings import MirrorSettings
from pixlake.steps.mirror import mirror
from tests.builders.zoo import EMBEDDINGS, MODEL, fill, put_rows
from tests.doubles.vectors import Vectors

BUCKET = "lake-of-tests"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return fill(Lake.at(str(tmp_path / "lake")))


@pytest.fixture
def settings(lake: Lake) -> MirrorSettings:
    return MirrorSettings(lake.uri, lake.catalog_uri, BUCKET)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vectors]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Vectors()


def paths(client: Vectors) -> set[tuple[str, str]]:
    found = client.stored(BUCKET)[index_of(MODEL)].values()
    return {(metadata["experiment_id"], metadata["image_path"]) for metadata in found}


ZOO = {("zoo", row["image_path"]) for row in EMBEDDINGS}


def test_each_vector_is_put_once_with_what_a_result_shows(
    settings: MirrorSettings, client: Vectors, lake: Lake
) -> None:
    assert mirror(settings, client) == MirrorAnswer(3, 0, 0)
    stored = client.stored(BUCKET)[index_of(MODEL)]
    assert stored[key_of("zoo", "cat.png")] == {
        "experiment_id": "zoo",
        "image_path": "cat.png",
        "record_id": "cat",
        "image_uri": f"{lake.uri}/images/cat.png",
    }
    assert stored.keys() == {key_of(*path) for path in ZOO}
    asked = len(client.asked)
    assert mirror(settings, client) == MirrorAnswer(0, 0, 0)
    assert len(client.asked) == asked


def test_a_commit_puts_its_rows_and_an_experiment_that_left_is_deleted(
    settings: MirrorSettings, client: Vectors, lake: Lake
) -> None:
    mirror(settings, client)
    new = [{"image_path": "cat.png", "record_id": "tom", "embedding": [0.0, 1.0, 0.0], "sha256": "1" * 64}]
    put_rows(lake, "embeddings", new, "2", "zoo")
    put_rows(lake, "embeddings", new, "3", "other")
    assert mirror(settings, client) == MirrorAnswer(2, 0, 0)
    assert paths(client) == {*ZOO, ("other", "cat.png")}
    stored = client.stored(BUCKET)[index_of(MODEL)]
    assert stored[key_of("other", "cat.png")]["record_id"] == "tom"
    delete_rows(open_catalog(lake.uri, lake.catalog_uri), "zoo")
    assert mirror(settings, client) == MirrorAnswer(0, 3, 0)
    assert paths(client) == {("other", "cat.png")}
    assert list(list_mirrored(lake.uri)) == ["other"]


def test_models_have_indexes_of_their_own(settings: MirrorSettings, client: Vectors, lake: Lake) -> None:
    other = "photo@aaaaaaaaaaaa"
    put_rows(lake, "embeddings", [{"image_path": "cat.png", "embedding": [1.0] * 5, "model": other}], "2")
    mirror(settings, client)
    assert {name: len(vectors) for name, vectors in client.stored(BUCKET).items()} == {
        index_of(MODEL): 3,
        index_of(other): 1,
    }


@pytest.mark.parametrize("vector", [[0.0, 0.0, 0.0], [float("nan"), 1.0, 0.0], [float("inf"), 1.0, 0.0]])
def test_a_vector_without_a_cosine_is_refused_and_its_older_one_deleted(
    settings: MirrorSettings, client: Vectors, lake: Lake, vector: list[float]
) -> None:
    mirror(settings, client)
    put_rows(lake, "embeddings", [{"image_path": "cat.png", "embedding": vector, "sha256": "1" * 64}], "2")
    assert mirror(settings, client) == MirrorAnswer(0, 0, 1)
    assert paths(client) == ZOO - {("zoo", "cat.png")}
    first = [{"image_path": "cat.png", "embedding": [1.0, 0.0, 0.0], "record_id": "cat"}]
    put_rows(lake, "embeddings", first, "3")
    mirror(settings, client)
    assert paths(client) == ZOO


def test_what_time_does_not_allow_is_put_by_later_calls(
    settings: MirrorSettings, client: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3vectors, "MOST_AT_ONCE", 1)
    with pytest.raises(TransientError, match="goes on"):
        mirror(settings, client, seconds=0)
    while True:
        try:
            mirror(settings, client, seconds=0)
        except TransientError:
            continue
        break
    assert paths(client) == ZOO


def test_after_a_fault_the_next_call_puts_the_rest(
    settings: MirrorSettings, client: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(settings, client)
    monkeypatch.setattr(s3vectors, "MOST_AT_ONCE", 1)
    client.failing = {client.asked.count("put")}
    rows = [{"image_path": f"{number}.png", "embedding": [1.0, 0.0, 0.0]} for number in range(5)]
    put_rows(Lake(settings.lake_uri, settings.catalog_uri, None), "embeddings", rows, "2", "more")
    with pytest.raises(StorageError, match="later"):
        mirror(settings, client)
    mirror(settings, client)
    assert paths(client) == {*ZOO, *(("more", row["image_path"]) for row in rows)}
    assert mirror(settings, client) == MirrorAnswer(0, 0, 0)


def test_a_note_that_was_lost_puts_all_again_in_their_places(settings: MirrorSettings, client: Vectors) -> None:
    mirror(settings, client)
    storage.delete([f"{settings.lake_uri}/mirror/zoo.parquet"])
    assert mirror(settings, client) == MirrorAnswer(3, 0, 0)
    assert paths(client) == ZOO


def test_before_the_first_upload_there_is_nothing_to_do(client: Vectors, tmp_path: Path) -> None:
    empty = Lake.at(str(tmp_path / "empty"))
    assert mirror(MirrorSettings(empty.uri, empty.catalog_uri, BUCKET), client) == MirrorAnswer(0, 0, 0)


def test_a_query_finds_the_nearest_of_an_experiment(settings: MirrorSettings, client: Vectors, lake: Lake) -> None:
    put_rows(lake, "embeddings", [{"image_path": "cat.png", "embedding": [1.0, 0.1, 0.0]}], "2", "other")
    mirror(settings, client)
    index = VectorIndex(client, BUCKET, MODEL)
    query = np.array([1, 0, 0], np.float32)
    found = [(each.metadata["experiment_id"], each.metadata["image_path"]) for each in index.query(query, 2)]
    assert found == [("zoo", "cat.png"), ("other", "cat.png")]
    assert [each.score for each in index.query(query, 2, "zoo")] == pytest.approx([1.0, 0.8])
    other = VectorIndex(client, BUCKET, "none@0")
    other.delete(["a"])
    with pytest.raises(MissingObject, match="S3Vectors=true"):
        other.put([Entry("a", query, {})])


PLACES = st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from("123")), st.binary(max_size=1))


@given(there=PLACES, wanted=PLACES)
def test_changes_make_of_what_is_there_what_is_wanted(
    there: dict[tuple[str, str], bytes], wanted: dict[tuple[str, str], bytes]
) -> None:
    changes = compare(there, wanted)
    kept = {place: digest for place, digest in there.items() if place not in changes.delete}
    assert kept | {place: wanted[place] for place in changes.put} == wanted
    assert not [place for place in changes.put if there.get(place) == wanted[place]]


@given(st.text(max_size=100), st.text(max_size=100))
def test_names_of_indexes_fit_and_differ_as_models_do(one: str, other: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", index_of(one))
    assert (index_of(one) == index_of(other)) == (one == other)


def test_what_an_index_cannot_hold_is_not_taken() -> None:
    assert is_taken(np.ones(4_096, np.float32))
    assert not is_taken(np.ones(4_097, np.float32))
    assert not is_taken(np.zeros(3, np.float32))
