"""Events of loose images: which count, by S3's rule of sequencers, whatever their order and number, and what they name.

The rule, as S3's guide has it: the shorter sequencer is padded on its right with zeros, then text is compared.
"""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.errors import BadRequest
from pixlake.loose import Change, newest, read_change
from tests.builders.loose import changed

HEX = st.text("0123456789abcdef", min_size=1, max_size=24)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def change(sequencer: str, key: str = "a.jpg", *, deleted: bool = False, seconds: int = 0) -> Change:
    time = BEGAN + timedelta(seconds=seconds)
    return Change("up", f"images/pets/{key}", "pets", key, deleted, time, sequencer, sequencer)


def is_later(one: str, other: str) -> bool:
    width = max(len(one), len(other))
    return one.ljust(width, "0") > other.ljust(width, "0")


@given(HEX, HEX)
def test_ranks_compare_as_padded_sequencers_do(one: str, other: str) -> None:
    assert (change(one).rank > change(other).rank) == is_later(one, other)


def test_a_longer_sequencer_is_not_a_later_one() -> None:
    assert newest([change("1f"), change("0fffffff")]) == [change("1f")]
    assert newest([change("1f00"), change("1f0001")]) == [change("1f0001")]


def test_a_sequencer_in_capitals_is_the_same() -> None:
    assert change("1F").rank == change("1f").rank


@given(st.lists(st.tuples(HEX, st.sampled_from("abc")), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_of_each_key_the_greatest_sequencer_counts_in_any_order_however_often(
    said: Sequence[tuple[str, str]], chance: random.Random
) -> None:
    changes = [change(sequencer, key) for sequencer, key in said]
    delivered = changes + chance.choices(changes, k=len(changes))
    chance.shuffle(delivered)
    found = newest(delivered)
    assert [it.path for it in found] == sorted({key for _, key in said})
    for last in found:
        assert not any(is_later(sequencer, last.sequencer) for sequencer, key in said if key == last.path)


def test_a_deletion_after_it_takes_an_image_away_and_one_before_it_does_not() -> None:
    (last,) = newest([change("2", deleted=True), change("1")])
    assert last.deleted
    (last,) = newest([change("1", deleted=True), change("2")])
    assert not last.deleted


KEYS = [
    "a.jpg",
    "deep/er/b c.png",
    "1+1 100%25.jpg",
    "Ünï 日本 🐈.jpg",
    '"quo\'ted".jpg',
    "back\\slash.jpg",
    "new\nline.jpg",
]


@pytest.mark.parametrize("path", KEYS)
def test_a_key_is_taken_as_it_is(path: str) -> None:
    found = read_change(json.dumps(changed(f"images/pets/{path}")))
    assert (found.experiment_id, found.path, found.uri) == ("pets", path, f"s3://uploads/images/pets/{path}")
    assert not found.deleted


def test_an_object_of_a_bucket_without_versions_has_none() -> None:
    assert read_change(json.dumps(changed("images/pets/a.jpg", version=None))).version is None
    assert read_change(json.dumps(changed("images/pets/a.jpg", version="null"))).version is None


def test_a_folders_own_object_is_no_image() -> None:
    assert read_change(json.dumps(changed("images/pets/deep/"))).path == ""


def test_that_an_older_version_is_removed_changes_nothing() -> None:
    removed = changed("images/pets/a.jpg", deleted=True, version="v1", deletion="Permanently Deleted")
    assert read_change(json.dumps(removed)).path == ""
    marked = changed("images/pets/a.jpg", deleted=True, version="v2", deletion="Delete Marker Created")
    assert read_change(json.dumps(marked)).deleted
    gone = changed("images/pets/a.jpg", deleted=True, version=None, deletion="Permanently Deleted")
    assert read_change(json.dumps(gone)).path == "a.jpg"


@pytest.mark.parametrize(
    "body",
    ["", "{}", "[]", json.dumps(changed("uploads/pets/a.zip")), json.dumps(changed("images/a.jpg"))]
    + [json.dumps(changed(f"images/{name}/a.jpg")) for name in ("my pets", "..", "-x")],
)
def test_another_event_is_refused(body: str) -> None:
    with pytest.raises(BadRequest):
        read_change(body)
