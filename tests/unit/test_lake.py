"""Names in a lake follow from the input alone and stay inside the lake."""

import pytest

from pixlake.errors import BadRequest
from pixlake.lake import Work, check_identifier

WORK = Work("s3://lake", "20261121-a")


@pytest.mark.parametrize("value", ["pets", "2026-11", "a.b_c-d", "A" * 100])
def test_a_valid_identifier_is_returned(value: str) -> None:
    assert check_identifier("experiment", value) == value


@pytest.mark.parametrize("value", ["", "..", ".hidden", "-x", "a/b", "a b", "é", "A" * 101, "a\n"])
def test_an_identifier_that_could_leave_its_folder_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="experiment"):
        check_identifier("experiment", value)


def test_a_key_is_relative_to_the_bucket_for_an_item_reader() -> None:
    assert WORK.key(WORK.shards) == "work/20261121-a/shards.json"


def test_parts_of_different_workers_have_different_uris() -> None:
    places = [WORK.part("embeddings", "embed-00000"), WORK.part("records", "00000"), WORK.rejects("plan", "0")]
    places += [WORK.rejects("embed", "0"), WORK.extracted(0), WORK.batch("embed-00000")]
    assert len(set(places)) == len(places)
    assert all(place.startswith("s3://lake/work/20261121-a/") for place in places)
