"""What Plan answers and writes: identity, times, tables, options, shards."""

import subprocess
import sys

import msgspec
import pytest

from pixlake import storage
from pixlake.errors import BadRequest, BadUpload, MissingObject
from pixlake.messages import ExtractRequest, ItemList, Options, PlanRequest, parse
from tests.builders.uploads import Bench
from tests.builders.zips import DEFLATED, Part, build, zipped
from tests.project import read_event

TABLE = b"id,name\n" + b"".join(b"%d,cat\n" % number for number in range(100))


def test_the_answer_has_the_identity_counts_and_shards(bench: Bench) -> None:
    upload = bench.put("a.zip", build(Part(b"a.jpg", b"1"), Part(b"t/pets.csv", TABLE, DEFLATED), Part(b"x.txt", b"")))
    answer = bench.plan(upload)
    assert (answer.images, answer.tables, answer.rejected) == (1, 1, 1)
    assert answer.shards == ItemList("work/run-1/shards.json", 1)
    assert answer.run.experiment_id == "pets"
    assert answer.run.started_at == "2026-01-02T03:04:05.678000+00:00"
    assert answer.run.uploaded_at == storage.head(upload).last_modified.isoformat(timespec="microseconds")
    assert bench.tables() == {"t/pets.csv": TABLE}


@pytest.mark.parametrize("bench", ["in the background"], indirect=True)
def test_more_tables_than_a_list_page_are_taken_out(bench: Bench) -> None:
    files = {f"{number // 100}/{number}.csv": b"id\n%d\n" % number for number in range(1_200)}
    assert bench.plan(bench.put("a.zip", zipped(files))).tables == 1_200
    assert bench.tables() == files


def test_an_upload_of_tables_alone_has_no_shard(bench: Bench) -> None:
    answer = bench.plan(bench.put("a.zip", build(Part(b"pets.csv", TABLE))))
    assert answer.shards.count == answer.images == 0
    assert bench.shards() == []


@pytest.mark.parametrize("parts", [(), (Part(b"b.jpg", b"1"),)], ids=["alone", "beside another"])
def test_an_image_without_bytes_is_a_reject_and_never_written(bench: Bench, parts: tuple[Part, ...]) -> None:
    answer = bench.plan(bench.put("a.zip", build(Part(b"a.jpg", b""), *parts)))
    assert (answer.images, answer.rejected) == (len(parts), 1)
    assert bench.reasons() == {"a.jpg": "empty"}
    assert [member.image_path for member in bench.members()] == [part.name.decode() for part in parts]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-05-06T07:08:09Z", "2026-05-06T07:08:09.000000+00:00"),
        ("2026-05-06T09:08:09.1234567+02:00", "2026-05-06T07:08:09.123456+00:00"),
        ("2026-05-06T07:08:09", "2026-05-06T07:08:09.000000+00:00"),
    ],
)
def test_times_are_utc_with_microseconds(bench: Bench, given: str, meant: str) -> None:
    answer = bench.plan(bench.put("a.zip", build(Part(b"a.jpg", b"1"))), uploaded_at=given)
    assert answer.run.uploaded_at == meant


@pytest.mark.parametrize(
    "ingest",
    [
        {"uploaded_at": "yesterday"},
        {"uploaded_at": "0001-01-01T00:00:00+10:00"},
        {"experiment_id": "../x"},
        {"experiment_id": ""},
    ],
    ids=str,
)
def test_an_invalid_request_is_refused(bench: Bench, ingest: dict[str, str]) -> None:
    upload = bench.put("a.zip", build(Part(b"a.jpg", b"1")))
    with pytest.raises(BadRequest):
        bench.plan(upload, **ingest)


def test_an_upload_without_an_experiment_is_refused(bench: Bench) -> None:
    storage.write(f"{bench.uri}/a.zip", build(Part(b"a.jpg", b"1")))
    with pytest.raises(BadRequest, match="experiment_id"):
        bench.plan(f"{bench.uri}/a.zip")
    assert bench.plan(f"{bench.uri}/a.zip", experiment_id="cats").run.experiment_id == "cats"


def test_a_missing_upload_is_refused(bench: Bench) -> None:
    with pytest.raises(MissingObject, match=r"none\.zip"):
        bench.plan(f"{bench.uri}/uploads/pets/none.zip")


def test_the_same_content_is_the_same_upload(bench: Bench) -> None:
    def identity(name: str, data: bytes, **ingest: str) -> str:
        return bench.plan(bench.put(name, data), **ingest).run.upload_id

    parts = [Part(b"a.jpg", b"1"), Part(b"b.jpg", b"2")]
    first = identity("a.zip", build(*parts))
    assert len(first) == 16
    assert identity("b.zip", build(*reversed(parts), comment=b"again")) == first
    assert identity("c.zip", build(Part(b"a.jpg", b"1"), Part(b"b.jpg", b"3"))) != first
    assert identity("d.zip", build(Part(b"a.jpg", b"1"), Part(b"c.jpg", b"2"))) != first
    assert identity("e.zip", build(*parts, Part(b"pixlake.json", b"{}"))) != first
    assert identity("a.zip", build(*parts), experiment_id="other") != first


@pytest.mark.parametrize("folder", ["", "top/"])
def test_options_come_from_the_root_or_the_only_folder(bench: Bench, folder: str) -> None:
    files = {f"{folder}a.jpg": b"1", f"{folder}pixlake.json": b'{"id_column": "code"}', ".hidden/x": b""}
    answer = bench.plan(bench.put("a.zip", zipped(files)), options={"embedder": "clip"})
    assert answer.options == Options(id_column="code", embedder="clip")
    assert answer.rejected == 0


def test_options_of_one_folder_among_several_are_rejected(bench: Bench) -> None:
    files = {"one/a.jpg": b"1", "two/pixlake.json": b'{"id_column": "code"}'}
    assert bench.plan(bench.put("a.zip", zipped(files))).options == Options()
    assert bench.reasons() == {"two/pixlake.json": "unsupported_type"}


def test_options_at_the_root_win_over_those_of_a_folder(bench: Bench) -> None:
    files = {"pixlake.json": b'{"id_column": "root"}', "top/a.jpg": b"1", "top/pixlake.json": b'{"id_column": "top"}'}
    assert bench.plan(bench.put("a.zip", zipped(files))).options.id_column == "root"


def test_options_above_the_size_limit_are_refused(bench: Bench) -> None:
    upload = bench.put("a.zip", build(Part(b"a.jpg", b"1"), Part(b"pixlake.json", b" " * (1 << 20) + b"{}")))
    with pytest.raises(BadUpload, match="larger"):
        bench.plan(upload)


@pytest.mark.parametrize(("limit", "counts"), [({"shard_members": 3}, [3, 3, 1]), ({"shard_bytes": 25}, [2, 2, 2, 1])])
def test_shards_end_at_the_first_limit_reached(bench: Bench, limit: dict[str, int], counts: list[int]) -> None:
    upload = bench.put("a.zip", build(*[Part(b"%d.jpg" % number, b"0123456789") for number in range(7)]))
    bench.limited(**limit).plan(upload)
    shards = bench.shards()
    assert [shard.count for shard in shards] == counts
    assert [shard.bytes for shard in shards] == [10 * count for count in counts]
    assert [shard.index for shard in shards] == list(range(len(counts)))
    lines = storage.read(bench.work.members)
    assert b"".join(lines[shard.offset : shard.offset + shard.length] for shard in shards) == lines
    assert [lines[shard.offset : shard.offset + shard.length].count(b"\n") for shard in shards] == counts


def test_a_member_larger_than_a_shard_is_one_of_its_own(bench: Bench) -> None:
    parts = [Part(b"a.jpg", b"1"), Part(b"b.jpg", b"2" * 100), Part(b"c.jpg", b"3")]
    bench.limited(shard_bytes=50).plan(bench.put("a.zip", build(*parts)))
    assert [shard.count for shard in bench.shards()] == [1, 1, 1]


def test_a_second_run_writes_the_same_bytes(bench: Bench) -> None:
    files = {"a.jpg": b"1", "A.jpg": b"2", "pets.csv": TABLE, "x.txt": b"", "b.jpg": b"0"}
    upload = bench.put("a.zip", zipped(files))

    def lake() -> dict[str, bytes]:
        bench.run(upload)
        return {name: storage.read(f"{bench.lake}/{name}") for name in bench.written()}

    assert lake() == lake()


def test_members_are_written_as_json_lines(bench: Bench) -> None:
    bench.plan(bench.put("a.zip", build(Part(b"a.jpg", b"1"))))
    line = msgspec.json.decode(storage.read(bench.work.members))
    assert line["image_path"] == "a.jpg"
    assert line["image_uri"].startswith(f"{bench.lake}/images/pets/")


def test_the_event_files_are_requests() -> None:
    assert parse(read_event("plan"), PlanRequest).ingest.upload_uri
    assert parse(read_event("extract"), ExtractRequest).shard.count


def test_zip_functions_import_nothing_heavy() -> None:
    """Their layer holds obstore, msgspec and zlib-ng, no more."""
    program = "import sys, pixlake.steps.plan, pixlake.steps.extract; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    found = {name.partition(".")[0] for name in answer.split()}
    assert found >= {"pixlake", "obstore", "msgspec", "zlib_ng"}
    assert not found & {"numpy", "pyarrow", "boto3", "botocore", "PIL", "pandas", "onnxruntime", "pyiceberg"}
