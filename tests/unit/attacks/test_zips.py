"""A hostile zip is refused with its reason before anything is in the lake; a lying member is rejected, alone."""

import pytest

from pixlake.errors import BadUpload
from tests.builders.uploads import Bench
from tests.builders.zips import DEFLATED, Part, build
from tests.unit.attacks import hostile_zips


@pytest.mark.parametrize("attack", hostile_zips.REFUSED)
def test_a_hostile_zip_is_refused_and_nothing_is_written(bench: Bench, attack: str) -> None:
    reason, data = hostile_zips.REFUSED[attack]
    upload = bench.put("attack.zip", data)
    with pytest.raises(BadUpload) as refusal:
        bench.plan(upload)
    assert refusal.value.reason == reason
    assert bench.written() == []


@pytest.mark.parametrize("attack", hostile_zips.LYING)
@pytest.mark.parametrize("last", [False, True])
def test_a_lying_member_is_rejected_alone(bench: Bench, attack: str, last: bool) -> None:
    reason, part = hostile_zips.LYING[attack]
    parts = [hostile_zips.GOOD, part] if last else [part, hostile_zips.GOOD]
    assert bench.run(bench.put("lies.zip", build(*parts))) == {"good.jpg": b"good"}
    assert bench.reasons() == {"a.jpg": reason}
    assert not [name for name in bench.written() if "a.jpg" in name]


@pytest.mark.parametrize("data", [hostile_zips.BOMB, hostile_zips.LARGE_BOMB], ids=["small", "large"])
def test_a_member_that_inflates_past_its_size_refuses_the_upload(bench: Bench, data: bytes) -> None:
    upload = bench.limited(max_ratio=2_000).put("bomb.zip", data)
    answer = bench.limited(max_ratio=2_000).plan(upload)
    with pytest.raises(BadUpload, match="bomb"):
        bench.extract(answer)
    assert not [name for name in bench.written() if "a.jpg" in name or "extracted" in name]


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"max_members": 2}, "too_many_members"),
        ({"max_total_bytes": 29}, "too_large"),
        ({"max_table_bytes": 9}, "too_large_tables"),
    ],
)
def test_an_upload_above_a_limit_is_refused(bench: Bench, limit: dict[str, int], reason: str) -> None:
    upload = bench.put("limits.zip", build(*[Part(name, b"0123456789") for name in (b"a.jpg", b"b.jpg", b"c.csv")]))
    with pytest.raises(BadUpload, match=reason):
        bench.limited(**limit).plan(upload)
    assert bench.written() == []


def test_an_upload_at_its_limits_is_accepted(bench: Bench) -> None:
    upload = bench.put("limits.zip", build(*[Part(name, b"0123456789") for name in (b"a.jpg", b"b.jpg", b"c.csv")]))
    answer = bench.limited(max_members=3, max_total_bytes=30, max_table_bytes=10, max_ratio=1).plan(upload)
    assert (answer.images, answer.tables) == (2, 1)


def test_a_highly_compressed_blank_image_is_accepted(bench: Bench) -> None:
    upload = bench.put("blank.zip", build(Part(b"blank.bmp", bytes(900_000), DEFLATED)))
    assert bench.plan(upload).images == 1
