"""One suite over a folder and S3: what the steps ask of storage, and an upload from end to end on it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer
from obstore.exceptions import GenericError

from pixlake import storage
from pixlake.errors import BadInput, BadRequest, MissingObject, StorageError
from pixlake.iceberg.fileio import LakeFileIO
from tests.builders.uploads import Bench
from tests.builders.zips import zipped
from tests.contract.served import serving
from tests.doubles.aws import environment
from tests.servers.faults import Faults, faulty

NAMES = ["a.jpg", "with space.jpg", "100%.jpg", "a%20b.jpg", "Ünï/日本 🐈.png", "a+b=c&d,e.jpg", "~t#x?.jpg", "(1).jpg"]
LARGE = Random(0).randbytes(32 << 20)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket of moto's, reached as any S3 is: by the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    bucket = f"lake-{uuid4()}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(f"http://{host}:{port}").items():
            patch.setenv(name, value)
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
        yield f"s3://{bucket}"
    server.stop()


@contextmanager
def first_spoiled(kind: str) -> Iterator[Faults]:
    """In the block the first request to S3 is."""
    faults = Faults(1.0, [kind], most=1)
    server = int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2])
    with faulty(server, faults) as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        storage._bucket.cache_clear()
        try:
            yield faults
        finally:
            storage._bucket.cache_clear()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder as the functions in containers reach it: through the relay and the engine's own S3."""
    with serving(tmp_path) as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FILES_ENDPOINT", endpoint)
        storage._folder.cache_clear()
        yield f"file://{tmp_path}"
    storage._folder.cache_clear()


@pytest.fixture(params=["folder", "served", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return f"file://{tmp_path}"
    if request.param == "served":
        served: str = request.getfixturevalue("served")
        return served
    return f"{request.getfixturevalue('s3')}/{uuid4()}"


@pytest.mark.parametrize("name", NAMES)
def test_an_object_of_any_name_is_read_back_and_listed(root: str, name: str) -> None:
    uri = storage.join(root, name)
    storage.write(uri, b"data")
    assert storage.read(uri) == b"data"
    assert [info.uri for info in storage.list_objects(root)] == [uri]


@pytest.mark.parametrize("name", ["../a", "a/./b", "a//b", "new\nline", "\udcff"])
def test_a_name_that_no_object_can_have_is_refused(root: str, name: str) -> None:
    with pytest.raises(BadRequest, match="in its path"):
        storage.write(f"{root}/{name}", b"data")


def test_a_write_replaces_the_object_atomically(root: str) -> None:
    storage.write(f"{root}/a", b"old")
    storage.write(f"{root}/a", memoryview(b"new"))
    assert storage.read(f"{root}/a") == b"new"


def test_an_object_is_created_once(root: str) -> None:
    uri = f"{root}/created.json"
    assert storage.create(uri, b"first")
    assert not storage.create(uri, b"second")
    assert storage.read(uri) == b"first"


def test_an_object_is_created_once_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(*_: object, mode: str = "") -> None:
        if mode == "create":
            raise GenericError("Operation not permitted (os error 1)")

    monkeypatch.setattr("obstore.put", put)
    uri = f"file://{tmp_path}/new/created.json"
    assert storage.create(uri, b"first")
    assert not storage.create(uri, b"second")
    assert storage.read(uri) == b"first"
    with pytest.raises(StorageError, match="File exists"):
        storage.create(f"{uri}/below", b"third")


def test_an_empty_object_is_read_back(root: str) -> None:
    storage.write(f"{root}/a", b"")
    assert storage.read(f"{root}/a") == b""
    assert storage.head(f"{root}/a").size == 0


def test_head_returns_size_time_and_etag(root: str) -> None:
    storage.write(f"{root}/a", b"12345")
    info = storage.head(f"{root}/a")
    assert info.size == 5
    assert abs(datetime.now(UTC) - info.last_modified) < timedelta(minutes=5)
    assert info.etag


def test_a_range_is_read_and_a_range_past_the_end_is_an_error(root: str) -> None:
    storage.write(f"{root}/a", b"0123456789")
    assert storage.read_range(f"{root}/a", 3, 4) == b"3456"
    assert b"".join(storage.stream(f"{root}/a", 3, 4)) == b"3456"
    with pytest.raises(StorageError):
        storage.read_range(f"{root}/a", 8, 4)


def test_a_large_object_is_streamed_both_ways(root: str) -> None:
    step = 3 << 20
    storage.write_stream(f"{root}/a", (LARGE[at : at + step] for at in range(0, len(LARGE), step)))
    chunks = list(storage.stream(f"{root}/a"))
    assert b"".join(chunks) == LARGE
    assert max(map(len, chunks)) < len(LARGE) // 4


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_an_object_has_its_checksum(root: str, data: bytes) -> None:
    storage.write(f"{root}/a", data)
    assert storage.sha256(f"{root}/a") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", b"small"])
def test_a_small_stream_is_written_whole(root: str, data: bytes) -> None:
    storage.write_stream(f"{root}/a", iter([data]))
    assert storage.read(f"{root}/a") == data


@pytest.mark.parametrize("before", [1, 20], ids=["at once", "in the middle"])
def test_a_stream_that_raises_leaves_no_object(root: str, before: int) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(before):
            yield bytes(1 << 20)
        raise BadInput("the source is damaged")

    with pytest.raises(BadInput, match="damaged"):
        storage.write_stream(f"{root}/a", chunks())
    assert not storage.exists(f"{root}/a")
    assert list(storage.list_objects(root)) == []


def test_a_stream_is_copied_from_another_object(root: str) -> None:
    storage.write(f"{root}/a", LARGE)
    storage.write_stream(f"{root}/b", storage.stream(f"{root}/a"))
    assert storage.read(f"{root}/b") == LARGE


def test_an_object_is_moved_within_a_folder_and_stays_where_it_cannot_be(root: str) -> None:
    here, there = storage.join(root, "a"), storage.join(root, "deep", "b")
    storage.write(here, b"bytes")
    storage.write(there, b"older")
    moved = storage.move(here, there)
    assert moved == (storage.local_path(root) is not None)
    assert (storage.exists(here), storage.read(there)) == ((False, b"bytes") if moved else (True, b"older"))


def test_listing_stays_in_its_folder(root: str) -> None:
    for name in ("in/a", "in/deep/b", "inside/c", "out"):
        storage.write(f"{root}/{name}", b"x")
    for prefix in (f"{root}/in", f"{root}/in/"):
        assert sorted(info.uri for info in storage.list_objects(prefix)) == [f"{root}/in/a", f"{root}/in/deep/b"]
    assert list(storage.list_objects(f"{root}/none")) == []


def test_a_missing_object_is_named_in_the_error(root: str) -> None:
    for action in (storage.read, storage.head, storage.sha256, lambda uri: list(storage.stream(uri))):
        with pytest.raises(MissingObject, match="none"):
            action(f"{root}/none")
    assert not storage.exists(f"{root}/none")


def test_deleting_twice_is_no_error(root: str) -> None:
    storage.write(f"{root}/a", b"x")
    storage.delete([f"{root}/a", f"{root}/none"])
    storage.delete([f"{root}/a"])
    assert not storage.exists(f"{root}/a")


@pytest.mark.parametrize("kind", ["reset", "lost", "cut", "cut request"])
def test_a_deletion_whose_connection_breaks_is_made_again(s3: str, kind: str) -> None:
    """pyiceberg deletes a table's old metadata so, and goes on without."""
    uri = f"{s3}/{uuid4()}"
    storage.write(uri, b"data")
    with first_spoiled(kind) as faults:
        LakeFileIO().delete(uri)
    assert faults.hit[kind] == 1
    assert not storage.exists(uri)


@pytest.mark.parametrize("uri", ["a.zip", "http://host/a", "file://host/a", "/tmp/a"])
def test_uris_of_other_schemes_are_refused(uri: str) -> None:
    with pytest.raises(BadRequest, match="not an s3"):
        storage.read(uri)


FILES = {
    "p/a.jpg": b"1" * 5000,
    "p/A.jpg": b"2",
    "p/Ünï 100%.png": b"3" * 100,
    "p/large.bmp": LARGE,
    "p/pets.csv": b"id\n",
}


def test_a_zip_is_planned_and_extracted(root: str) -> None:
    bench = Bench(root)
    assert bench.run(bench.put("a.zip", zipped(FILES))) == {k: v for k, v in FILES.items() if not k.endswith("csv")}
    assert bench.tables() == {"p/pets.csv": b"id\n"}
    assert bench.reasons() == {"p/a.jpg": "case_collision"}


def test_a_folder_is_planned_and_extracted(root: str) -> None:
    bench = Bench(root)
    for name, data in FILES.items():
        bench.put(f"folder/{name}", data)
    found = bench.run(f"{root}/uploads/pets/folder/")
    assert found == {k: v for k, v in FILES.items() if not k.endswith("csv")}
    assert bench.tables() == {"p/pets.csv": b"id\n"}


def test_a_failed_multipart_upload_is_aborted(s3: str) -> None:
    with pytest.raises(BadInput):
        storage.write_stream(f"{s3}/multi/a", _broken_large())
    uploads = boto3.client("s3", region_name="us-east-1").list_multipart_uploads(Bucket=s3.removeprefix("s3://"))
    assert uploads.get("Uploads", []) == []


def _broken_large() -> Iterator[bytes]:
    yield LARGE
    raise BadInput("damaged")
