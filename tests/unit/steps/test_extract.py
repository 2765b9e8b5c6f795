"""Extract counts every member of its shard, whatever happens to them."""

import msgspec
import pytest

from pixlake import storage
from pixlake.errors import BadUpload, StorageError
from pixlake.messages import ExtractAnswer, ExtractRequest
from pixlake.settings import ExtractSettings
from pixlake.steps.extract import extract
from tests.builders.uploads import Bench
from tests.builders.zips import DEFLATED, Part, build

PARTS = [Part(b"%d.jpg" % number, b"image %d" % number, DEFLATED) for number in range(5)]


def test_each_shard_answers_its_counts(bench: Bench) -> None:
    bench = bench.limited(shard_members=2)
    answer = bench.plan(bench.put("a.zip", build(*PARTS, Part(b"bad.jpg", b"x", crc=1))))
    assert bench.extract(answer) == [ExtractAnswer(0, 2, 0), ExtractAnswer(1, 2, 0), ExtractAnswer(2, 1, 1)]
    assert bench.images() == {f"{number}.jpg": b"image %d" % number for number in range(5)}


def test_a_shard_that_counts_more_than_it_gives_is_an_error(bench: Bench) -> None:
    answer = bench.plan(bench.put("a.zip", build(*PARTS)))
    shard = msgspec.structs.replace(bench.shards()[0], count=6)
    with pytest.raises(StorageError, match="6 members"):
        extract(ExtractRequest(answer.run, shard), ExtractSettings(bench.lake))


def test_a_zip_that_was_replaced_meanwhile_is_noticed(bench: Bench) -> None:
    answer = bench.plan(bench.put("a.zip", build(*PARTS)))
    bench.put("a.zip", build(Part(b"0.jpg", b"x")))
    with pytest.raises(BadUpload, match="changed"):
        bench.extract(answer)


def test_another_zip_of_the_same_size_gives_no_wrong_bytes(bench: Bench) -> None:
    answer = bench.plan(bench.put("a.zip", build(*PARTS)))
    bench.put("a.zip", build(*[Part(part.name, part.data.upper(), DEFLATED) for part in PARTS]))
    unpinned = msgspec.structs.replace(answer.run, upload_etag=None)
    bench.extract(msgspec.structs.replace(answer, run=unpinned))
    assert bench.images() == {}
    assert set(bench.reasons().values()) == {"crc_mismatch"}


def test_a_write_that_fails_fails_the_shard(bench: Bench) -> None:
    answer = bench.plan(bench.put("a.zip", build(*PARTS)))
    storage.write(bench.members()[0].image_uri.rpartition("/")[0], b"a file where the folder should be")
    with pytest.raises(StorageError):
        bench.extract(answer)
    assert not [name for name in bench.written() if "extracted" in name]
